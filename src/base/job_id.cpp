#include <lifeguard/job_id.hpp>

#include <algorithm>
#include <bit>
#include <random>

namespace lifeguard {
namespace {

constexpr std::uint64_t version_7 = 0x7000;
constexpr std::uint64_t variant = 0x8000000000000000U;
constexpr std::uint64_t variant_mask = 0x3fffffffffffffffU;

int digit(char c) noexcept {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

constexpr bool is_dash(std::size_t i) noexcept { return i == 8 || i == 13 || i == 18 || i == 23; }

// splitmix64: spreads a seed over the generator's state.
std::uint64_t mix(std::uint64_t& x) noexcept {
    std::uint64_t z = (x += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

std::uint64_t system_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

} // namespace

std::optional<job_id> job_id::parse(std::string_view text) noexcept {
    if (text.size() != 36)
        return std::nullopt;
    std::array<std::uint64_t, 2> half{};
    std::size_t nibbles = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_dash(i)) {
            if (text[i] != '-')
                return std::nullopt;
            continue;
        }
        const int value = digit(text[i]);
        if (value < 0)
            return std::nullopt;
        auto& part = half[nibbles++ / 16];
        part = (part << 4) | static_cast<std::uint64_t>(value);
    }
    return job_id(half[0], half[1]);
}

std::string job_id::to_string() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text(36, '-');
    std::size_t nibbles = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_dash(i))
            continue;
        const std::uint64_t half = nibbles < 16 ? high_ : low_;
        text[i] = digits[(half >> (60 - 4 * (nibbles % 16))) & 0xf];
        ++nibbles;
    }
    return text;
}

job_id_generator::job_id_generator() : job_id_generator(system_seed()) {}

job_id_generator::job_id_generator(std::uint64_t seed) noexcept : state_{mix(seed), mix(seed)} {}

// xoroshiro128+: ids must be unlikely to collide, not hard to guess.
std::uint64_t job_id_generator::random() noexcept {
    const std::uint64_t a = state_[0];
    std::uint64_t b = state_[1];
    const std::uint64_t result = a + b;
    b ^= a;
    state_[0] = std::rotl(a, 24) ^ b ^ (b << 16);
    state_[1] = std::rotl(b, 37);
    return result;
}

job_id job_id_generator::next(wall_time now) noexcept {
    const auto since =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    // Before 1970 there are no such ids; a negative number would pass for the far future.
    const std::uint64_t time = since < 0 ? 0 : static_cast<std::uint64_t>(since) << 12;
    // Within a millisecond the 12 bits count up; when they run over, the id runs ahead of the
    // clock.
    last_time_ = std::max(time, last_time_ + 1);
    const std::uint64_t high = ((last_time_ >> 12) << 16) | version_7 | (last_time_ & 0xfff);
    return {high, variant | (random() & variant_mask)};
}

} // namespace lifeguard
