#pragma once

#include <lifeguard/time_source.hpp>

#include <chrono>

namespace lifeguard {

/// How long to wait before the next attempt:
///
///     delay(n) = offset + base * factor^(n - 1), spread by jitter, never above cap
///
/// after n failed attempts. The defaults are 15 s + 2^n s. An offset of zero gives the plain
/// exponential backoff base, 2 base, 4 base ...
struct backoff {
    /// The part that does not grow. May be zero. Defaults to 15 s.
    duration offset = std::chrono::seconds(15);
    /// The growing part after the first attempt. Zero: nothing grows. Defaults to 2 s.
    duration base = std::chrono::seconds(2);
    /// What each further attempt multiplies the growing part by; at least 1. Defaults to 2.
    double factor = 2;
    /// The longest delay, with jitter. At most 36500 days. Defaults to 24 h.
    duration cap = std::chrono::hours(24);
    /// The delay is spread evenly over +- this fraction of itself, so that what failed together is
    /// not tried again together; from 0 to 1. Defaults to 0.1.
    double jitter = 0.1;

    /// The delay after `attempts` failed attempts, 0 included (as if the growing part had been
    /// divided once more). `random01`: a random number from 0 to 1; 0.5 is the middle.
    duration delay(unsigned attempts, double random01) const noexcept;

    /// Errors: `invalid_option`, naming the field.
    void validate() const;
};

} // namespace lifeguard
