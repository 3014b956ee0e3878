#pragma once

#include <lifeguard/time_source.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace lifeguard {

enum class breaker_state : std::uint8_t { closed, open, half_open };

std::string_view name_of(breaker_state state) noexcept;

/// Validated by the breaker's constructor; the error names the field.
struct breaker_options {
    /// Opens when so many failures are at most `window` old. Default to 5 in 10 s.
    unsigned threshold = 5;
    duration window = std::chrono::seconds(10);

    /// How long it stays open before it lets a probe through. Zero: until the next call. Defaults
    /// to 10 s.
    duration open_for = std::chrono::seconds(10);

    /// How many probes may run at once while half open, and how many must succeed to close it.
    /// Default to 1.
    unsigned permits = 1;
    unsigned successes = 1;
};

/// Stops calling what keeps failing. No clock, no timer, no thread: `now` is an argument. Not
/// thread-safe.
///
/// A call is admitted under a generation, which changes with every change of state, so the result
/// of a call that was admitted before the change alters nothing (after gobreaker).
class circuit_breaker {
  public:
    using generation = std::uint32_t;

    explicit circuit_breaker(breaker_options options = breaker_options());

    /// Admits a call, or refuses it with an empty answer. An admitted call must be answered by
    /// exactly one of `success`, `failure` and `give_back` with the generation given here.
    std::optional<generation> admit(time_point now);

    /// How many calls `admit` would let through now, at most `wanted`.
    std::size_t capacity(std::size_t wanted, time_point now) const noexcept;

    void success(generation admitted, time_point now);
    void failure(generation admitted, time_point now);
    /// The call was cancelled or does not count: neither success nor failure.
    void give_back(generation admitted) noexcept;

    breaker_state state(time_point now) const noexcept;

    /// How long until a call may be admitted; zero when it may be now.
    duration retry_after(time_point now) const noexcept;
    time_point open_until() const noexcept { return open_until_; }

    std::uint64_t opened_total() const noexcept { return opened_total_; }
    std::uint64_t closed_total() const noexcept { return closed_total_; }
    std::uint64_t rejected_total() const noexcept { return rejected_total_; }
    std::uint64_t successes_total() const noexcept { return successes_total_; }
    std::uint64_t failures_total() const noexcept { return failures_total_; }

  private:
    void enter(breaker_state next) noexcept;
    void open(time_point now) noexcept;

    breaker_options options_;
    breaker_state state_ = breaker_state::closed;
    generation generation_ = 1;
    std::vector<time_point> failures_; // a ring of the last `threshold` failures while closed
    std::size_t oldest_ = 0;
    unsigned probes_ = 0;    // running while half open
    unsigned successes_ = 0; // of probes
    time_point open_until_;
    std::uint64_t opened_total_ = 0;
    std::uint64_t closed_total_ = 0;
    std::uint64_t rejected_total_ = 0;
    std::uint64_t successes_total_ = 0;
    std::uint64_t failures_total_ = 0;
};

} // namespace lifeguard
