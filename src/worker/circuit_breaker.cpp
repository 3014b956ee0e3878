#include <lifeguard/circuit_breaker.hpp>

#include <lifeguard/error.hpp>

#include <algorithm>

namespace lifeguard {

std::string_view name_of(breaker_state state) noexcept {
    switch (state) {
    case breaker_state::closed:
        return "closed";
    case breaker_state::open:
        return "open";
    case breaker_state::half_open:
        return "half_open";
    }
    return "unknown";
}

circuit_breaker::circuit_breaker(breaker_options options) : options_(options) {
    if (options_.threshold < 1)
        throw error(errc::invalid_option, "breaker.threshold: must be 1 at least");
    if (options_.window <= duration::zero())
        throw error(errc::invalid_option, "breaker.window: must be positive");
    if (options_.open_for < duration::zero())
        throw error(errc::invalid_option, "breaker.open_for: must not be negative");
    if (options_.permits < 1)
        throw error(errc::invalid_option, "breaker.permits: must be 1 at least");
    if (options_.successes < 1)
        throw error(errc::invalid_option, "breaker.successes: must be 1 at least");
}

std::optional<circuit_breaker::generation> circuit_breaker::admit(time_point now) {
    if (state_ == breaker_state::open && now >= open_until_)
        enter(breaker_state::half_open);
    switch (state_) {
    case breaker_state::closed:
        return generation_;
    case breaker_state::half_open:
        if (probes_ < options_.permits) {
            ++probes_;
            return generation_;
        }
        break;
    case breaker_state::open:
        break;
    }
    ++rejected_total_;
    return std::nullopt;
}

std::size_t circuit_breaker::capacity(std::size_t wanted, time_point now) const noexcept {
    switch (state(now)) {
    case breaker_state::closed:
        return wanted;
    case breaker_state::half_open:
        // Open, and its time is over: nobody has probed yet.
        return std::min<std::size_t>(
            wanted, state_ == breaker_state::open ? options_.permits : options_.permits - probes_);
    case breaker_state::open:
        break;
    }
    return 0;
}

void circuit_breaker::success(generation admitted, time_point) {
    ++successes_total_;
    if (admitted != generation_ || state_ != breaker_state::half_open)
        return;
    --probes_;
    if (++successes_ >= options_.successes) {
        ++closed_total_;
        enter(breaker_state::closed);
    }
}

void circuit_breaker::failure(generation admitted, time_point now) {
    ++failures_total_;
    if (admitted != generation_)
        return;
    if (state_ == breaker_state::half_open)
        return open(now);
    // The ring holds the last `threshold` failures: full, and its oldest is recent, means too many.
    if (failures_.size() < options_.threshold) {
        failures_.push_back(now);
        if (failures_.size() < options_.threshold)
            return;
    } else {
        failures_[oldest_] = now;
        oldest_ = (oldest_ + 1) % failures_.size();
    }
    if (now - failures_[oldest_] <= options_.window)
        open(now);
}

void circuit_breaker::give_back(generation admitted) noexcept {
    if (admitted == generation_ && state_ == breaker_state::half_open)
        --probes_;
}

breaker_state circuit_breaker::state(time_point now) const noexcept {
    if (state_ == breaker_state::open && now >= open_until_)
        return breaker_state::half_open;
    return state_;
}

duration circuit_breaker::retry_after(time_point now) const noexcept {
    return state(now) == breaker_state::open ? open_until_ - now : duration::zero();
}

void circuit_breaker::open(time_point now) noexcept {
    ++opened_total_;
    enter(breaker_state::open);
    // The longest duration must not run over.
    open_until_ =
        options_.open_for >= time_point::max() - now ? time_point::max() : now + options_.open_for;
}

void circuit_breaker::enter(breaker_state next) noexcept {
    state_ = next;
    ++generation_;
    probes_ = 0;
    successes_ = 0;
    failures_.clear();
    oldest_ = 0;
}

} // namespace lifeguard
