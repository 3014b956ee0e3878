#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

namespace lifeguard::detail {

/// SipHash-1-3: a hash of texts that others choose. Who does not know the key cannot make many
/// texts meet in one bucket. (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.)
class keyed_hash {
  public:
    using key = std::array<std::uint64_t, 2>;

    explicit constexpr keyed_hash(const key& k) noexcept : key_(k) {}

    std::uint64_t operator()(std::string_view text) const noexcept {
        state s{key_[0] ^ 0x736f6d6570736575U, key_[1] ^ 0x646f72616e646f6dU,
                key_[0] ^ 0x6c7967656e657261U, key_[1] ^ 0x7465646279746573U};
        const std::uint64_t length = text.size();
        for (; text.size() >= 8; text.remove_prefix(8))
            s.absorb(word(text.substr(0, 8)));
        s.absorb(word(text) | (length << 56));
        s.c ^= 0xff;
        for (int i = 0; i < 3; ++i)
            s.round();
        return s.a ^ s.b ^ s.c ^ s.d;
    }

  private:
    struct state {
        std::uint64_t a, b, c, d;

        void round() noexcept {
            a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
            c += d, d = std::rotl(d, 16) ^ c;
            a += d, d = std::rotl(d, 21) ^ a;
            c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
        }
        void absorb(std::uint64_t m) noexcept {
            d ^= m;
            round();
            a ^= m;
        }
    };

    /// Up to eight bytes, the first one lowest.
    static std::uint64_t word(std::string_view bytes) noexcept {
        std::uint64_t w = 0;
        for (std::size_t i = bytes.size(); i > 0; --i)
            w = (w << 8) | static_cast<unsigned char>(bytes[i - 1]);
        return w;
    }

    key key_;
};

} // namespace lifeguard::detail
