#pragma once

#include <lifeguard/time_source.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lifeguard::detail {

/// Counts durations in buckets, four to each power of two of microseconds, and tells percentiles
/// that are at most a quarter too high. Fixed size, constant time. One thread adds, any may read.
class latency_histogram {
  public:
    void add(duration latency) noexcept;

    /// The upper end of the bucket below or in which `fraction` of all durations lie. Zero when
    /// there are none.
    duration percentile(double fraction) const noexcept;

  private:
    static constexpr std::size_t per_power = 4;
    static constexpr std::size_t powers = 40; // up to 12 days; what is longer counts as that

    static std::size_t bucket_of(std::uint64_t us) noexcept;
    static std::uint64_t upper_end(std::size_t bucket) noexcept;

    std::array<std::atomic<std::uint32_t>, per_power * powers> counts_{};
};

} // namespace lifeguard::detail
