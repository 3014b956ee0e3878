#include "supervision/restart_intensity.hpp"

#include <algorithm>

namespace lifeguard::detail {

bool restart_intensity::charge(time_point now) {
    // Two for each one added: the ring shrinks to what counts, without ever walking the history.
    forget_old(2, now);
    // What is remembered beyond `forget_old` is young: it forgets faster than `remember` adds.
    if (size_ >= intensity_)
        return false;
    remember(now);
    return true;
}

unsigned restart_intensity::left(time_point now) const noexcept {
    std::size_t old = 0; // the first that is young: they are in the order of their times
    for (std::size_t end = size_; old != end;) {
        const std::size_t middle = old + (end - old) / 2;
        if (is_old(middle, now))
            old = middle + 1;
        else
            end = middle;
    }
    return intensity_ - static_cast<unsigned>(size_ - old);
}

void restart_intensity::reconfigure(unsigned intensity, duration period, time_point now) {
    intensity_ = intensity;
    period_ = period;
    forget_old(size_, now);
    // Of more than count, the youngest say the same as all of them.
    std::vector<time_point> kept;
    for (std::size_t i = size_ - std::min<std::size_t>(size_, intensity); i < size_; ++i)
        kept.push_back(ring_[(head_ + i) % ring_.size()]);
    ring_ = std::move(kept);
    size_ = ring_.size();
    head_ = 0;
}

void restart_intensity::forget_old(std::size_t at_most, time_point now) noexcept {
    for (; at_most != 0 && size_ != 0 && is_old(0, now); --at_most) {
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
