#include "supervision/latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lifeguard::detail {

// Below 4 us each bucket is one microsecond; above, the two bits behind the leading one choose it.
std::size_t latency_histogram::bucket_of(std::uint64_t us) noexcept {
    if (us < per_power)
        return static_cast<std::size_t>(us);
    const auto power = static_cast<std::size_t>(std::bit_width(us)) - 3;
    const auto quarter = static_cast<std::size_t>(us >> power) - per_power;
    return std::min((power + 1) * per_power + quarter, per_power * powers - 1);
}

std::uint64_t latency_histogram::upper_end(std::size_t bucket) noexcept {
    if (bucket < per_power)
        return bucket;
    const std::size_t power = bucket / per_power - 1;
    const std::size_t quarter = bucket % per_power;
    return ((per_power + quarter + 1) << power) - 1;
}

void latency_histogram::add(duration latency) noexcept {
    const auto us = std::chrono::ceil<std::chrono::microseconds>(latency).count();
    const auto bucket = bucket_of(static_cast<std::uint64_t>(std::max<decltype(us)>(us, 0)));
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
}

duration latency_histogram::percentile(double fraction) const noexcept {
    std::array<std::uint64_t, per_power * powers> up_to{};
    std::uint64_t total = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket)
        up_to[bucket] = total += counts_[bucket].load(std::memory_order_relaxed);
    if (total == 0)
        return duration::zero();
    const auto rank = std::max(1.0, std::ceil(fraction * static_cast<double>(total)));
    const auto found = std::ranges::lower_bound(up_to, static_cast<std::uint64_t>(rank));
    return std::chrono::microseconds(upper_end(static_cast<std::size_t>(found - up_to.begin())));
}

} // namespace lifeguard::detail
