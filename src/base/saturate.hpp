#pragma once

#include <lifeguard/time_source.hpp>

#include <cstdint>
#include <limits>

namespace lifeguard::detail {

/// `at + by`, both in nanoseconds; the end of time where that would run over.
constexpr std::int64_t later(std::int64_t at, std::int64_t by) noexcept {
    constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
    return at > 0 && by > last - at ? last : at + by;
}

constexpr std::int64_t later(std::int64_t at, duration by) noexcept {
    return later(at, std::chrono::duration_cast<std::chrono::nanoseconds>(by).count());
}

constexpr time_point later(time_point at, duration by) noexcept {
    return by > duration::zero() && at > time_point::max() - by ? time_point::max() : at + by;
}

} // namespace lifeguard::detail
