#include "supervision/restart_intensity.hpp"

#include <algorithm>

namespace lifeguard::detail {

bool restart_intensity::charge(time_point now) {
    forget_old(now);
    // What is remembered beyond `forget_old` is young: it forgets faster than `remember` adds.
    if (size_ >= intensity_)
        return false;
    remember(now);
    return true;
}

void restart_intensity::forget_old(time_point now) noexcept {
    // Two for each one added: the ring shrinks to what counts, without ever walking the history.
    for (int i = 0; i < 2 && size_ != 0 && now - ring_[head_] > period_; ++i) {
        head_ = (head_ + 1) % ring_.size();
        --size_;
    }
}

void restart_intensity::remember(time_point now) {
    if (size_ == ring_.size()) {
        std::rotate(ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(head_), ring_.end());
        head_ = 0;
        ring_.resize(std::min<std::size_t>(std::max<std::size_t>(4, 2 * ring_.size()), intensity_));
    }
    ring_[(head_ + size_) % ring_.size()] = now;
    ++size_;
}

} // namespace lifeguard::detail
