#pragma once

#include <lifeguard/time_source.hpp>

#include <cstddef>
#include <vector>

namespace lifeguard::detail {

/// OTP's restart intensity: at most `intensity` restarts in any `period` (conformance rule M-07). A
/// restart exactly `period` ago still counts. O(1), whatever the intensity and the history, and no
/// memory before the first restart.
class restart_intensity {
  public:
    restart_intensity(unsigned intensity, duration period) noexcept
        : intensity_(intensity), period_(period) {}

    /// Charges a restart at `now`. False when it is one too many.
    bool charge(time_point now);

    /// How many more would be allowed at `now`. O(log intensity).
    unsigned left(time_point now) const noexcept;

    /// New rules for what has happened already.
    void reconfigure(unsigned intensity, duration period, time_point now);

    /// How many times are remembered; some may be too old to count.
    std::size_t remembered() const noexcept { return size_; }

  private:
    bool is_old(std::size_t i, time_point now) const noexcept {
        return now - ring_[(head_ + i) % ring_.size()] > period_;
    }
    void forget_old(std::size_t at_most, time_point now) noexcept;
    void remember(time_point now);

    unsigned intensity_;
    duration period_;
    // A ring of the latest restarts, oldest at head_. It grows with what it holds: intensity may be
    // huge.
    std::vector<time_point> ring_;
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

} // namespace lifeguard::detail
