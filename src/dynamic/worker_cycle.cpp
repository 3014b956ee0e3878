#include "dynamic/worker_cycle.hpp"

#include "base/saturate.hpp"

#include <cmath>

namespace lifeguard::detail {
namespace {

/// `factor` times `by`; the longest duration where that would run over.
duration times(duration by, double factor) {
    const double ticks = static_cast<double>(by.count()) * factor;
    if (ticks >= static_cast<double>(duration::max().count()))
        return duration::max();
    return duration(std::llround(ticks));
}

} // namespace

worker_cycle::worker_cycle(json payload, worker_rhythm rhythm)
    : payload_(std::move(payload)), rhythm_(rhythm) {}

void worker_cycle::start(time_point now) {
    schedule(now, rhythm_.first_perform.value_or(rhythm_.interval));
}

void worker_cycle::start(json built, time_point now) {
    payload_ = std::move(built);
    start(now);
}

/// Fixed delay: a wait counts from the end of what was before.
void worker_cycle::schedule(time_point now, duration wait) {
    if (rhythm_.interval > duration::zero())
        due_ = later(now, wait);
    else
        due_.reset();
}

std::optional<time_point> worker_cycle::wake_at() const noexcept {
    if (!since_)
        return due_;
    if (reported_ || rhythm_.lull <= 0)
        return std::nullopt;
    return later(*since_, times(rhythm_.interval, rhythm_.lull));
}

void worker_cycle::begin_perform(time_point now) {
    since_ = now;
    due_.reset();
    reported_ = false;
}

std::optional<duration> worker_cycle::overdue(time_point now) {
    const auto limit = wake_at();
    if (!is_performing() || !limit || now < *limit)
        return std::nullopt;
    reported_ = true;
    return now - *since_;
}

worker_cycle::then worker_cycle::end_perform(worker_outcome& outcome, time_point now) {
    since_.reset();
    ++performs_;
    if (outcome.interval())
        rhythm_.interval = *outcome.interval();
    schedule(now, rhythm_.interval);
    return take(outcome);
}

worker_cycle::then worker_cycle::end_message(worker_outcome& outcome, time_point now) {
    if (outcome.interval()) {
        rhythm_.interval = *outcome.interval();
        schedule(now, rhythm_.interval);
    }
    return take(outcome);
}

worker_cycle::then worker_cycle::take(worker_outcome& outcome) {
    switch (outcome.what()) {
    case worker_outcome::kind::nothing:
        return then::stays;
    case worker_outcome::kind::halt:
        return then::halts;
    case worker_outcome::kind::ok:
        payload_ = std::move(outcome.content());
        return then::stays;
    case worker_outcome::kind::replace:
        payload_ = std::move(outcome.content());
        value_ = payload_;
        return then::stays;
    case worker_outcome::kind::move:
        return then::moves;
    case worker_outcome::kind::value:
        value_ = std::move(outcome.content());
        return then::stays;
    }
    return then::stays;
}

} // namespace lifeguard::detail
