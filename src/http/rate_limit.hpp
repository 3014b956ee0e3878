#pragma once

#include <lifeguard/time_source.hpp>

#include <algorithm>
#include <optional>

namespace lifeguard::detail::web {

/// So many requests at once, and so many a second in the long run. Not thread-safe.
class rate_limit {
  public:
    /// `per_second` 0: no limit.
    rate_limit(double per_second, double burst) noexcept
        : per_second_(per_second), burst_(burst), left_(burst) {}

    /// Takes one; zero. Or how long it is until there is one to take, more than zero.
    duration take(time_point now) noexcept {
        if (per_second_ <= 0)
            return duration::zero();
        const double passed = at_ ? std::chrono::duration<double>(now - *at_).count() : 0;
        left_ = std::min(burst_, left_ + passed * per_second_);
        at_ = now;
        if (left_ >= 1) {
            left_ -= 1;
            return duration::zero();
        }
        const std::chrono::duration<double> wait((1 - left_) / per_second_);
        return std::max(std::chrono::ceil<duration>(wait), duration(1));
    }

  private:
    double per_second_;
    double burst_;
    double left_;
    std::optional<time_point> at_; // when it was looked at
};

} // namespace lifeguard::detail::web
