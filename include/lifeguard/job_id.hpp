#pragma once

#include <lifeguard/time_source.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lifeguard {

/// A job's id: a UUID of version 7 (RFC 9562), so ids sort by the time they were made. A job may
/// also bring an id of its own, of any UUID version.
class job_id {
  public:
    /// The nil UUID; no job has it.
    constexpr job_id() = default;
    constexpr job_id(std::uint64_t high, std::uint64_t low) : high_(high), low_(low) {}

    /// Reads "0190a6f2-8c5e-7b3a-9f00-1234567890ab", in upper or lower case; empty when it is
    /// anything else.
    static std::optional<job_id> parse(std::string_view text) noexcept;

    std::string to_string() const;
    constexpr bool is_nil() const noexcept { return high_ == 0 && low_ == 0; }
    constexpr std::uint64_t high() const noexcept { return high_; }
    constexpr std::uint64_t low() const noexcept { return low_; }

    friend constexpr auto operator<=>(const job_id&, const job_id&) = default;

  private:
    std::uint64_t high_ = 0;
    std::uint64_t low_ = 0;
};

/// Makes job ids. Not thread-safe; an engine has one, behind its lock.
class job_id_generator {
  public:
    /// Seeds the random part from the system.
    job_id_generator();
    /// Repeatable ids, for tests.
    explicit job_id_generator(std::uint64_t seed) noexcept;

    /// A new id, greater than every one that this generator made before, even when `now` goes back.
    job_id next(wall_time now) noexcept;

  private:
    std::uint64_t random() noexcept;

    std::array<std::uint64_t, 2> state_;
    std::uint64_t last_time_ =
        0; // milliseconds and a 12-bit counter, as the id's high half holds them
};

} // namespace lifeguard

template <>
struct std::hash<lifeguard::job_id> {
    std::size_t operator()(const lifeguard::job_id& id) const noexcept {
        // Both halves: a client's own ids may be random in one only.
        return static_cast<std::size_t>(id.low() ^ (id.high() * 0x9e3779b97f4a7c15U));
    }
};
