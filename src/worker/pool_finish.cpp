// What the end of a run means for the breaker, the figures, the job and the lane.

#include "worker/pool_core.hpp"

namespace lifeguard::detail {

namespace {

std::string timed_out_text(duration after) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(after).count();
    return "timed out after " + std::to_string(ms) + " ms";
}

/// Whether the job would be tried again, so that a request to cancel it decides instead.
bool gives_way(job_outcome::kind what) noexcept {
    return what == job_outcome::kind::failed || what == job_outcome::kind::retry_at ||
           what == job_outcome::kind::snoozed;
}

bool is_failure(job_outcome::kind what) noexcept {
    switch (what) {
    case job_outcome::kind::failed:
    case job_outcome::kind::crashed:
    case job_outcome::kind::retry_at:
    case job_outcome::kind::discarded:
        return true;
    case job_outcome::kind::completed:
    case job_outcome::kind::snoozed:
    case job_outcome::kind::revoked:
    case job_outcome::kind::cancelled:
    case job_outcome::kind::returned:
        break;
    }
    return false;
}

} // namespace

pool_core::next pool_core::finish(lane& l, job_outcome&& outcome) {
    wake_list wakes;
    breaker_verdict verdict = verdict_on(outcome); // a user's code may give it: before the lock
    std::unique_lock lock(mutex());
    const time_point now = jobs_->read_clock().now;
    job_record& job = *l.job;
    worker& w = *l.owner;

    const bool timed_out = l.reached != lane::step::running;
    if (job.cancel_asked && gives_way(outcome.what)) {
        outcome.what = job_outcome::kind::cancelled;
        verdict = breaker_verdict::excluded;
    } else if (outcome.what == job_outcome::kind::failed && timed_out) {
        outcome.text = timed_out_text(l.timeout);
        outcome.error = std::make_exception_ptr(
            error(errc::timeout, "job " + job.id.to_string() + " " + outcome.text));
        verdict = breaker_verdict::failure;
    } else if (outcome.what == job_outcome::kind::failed && l.returning) {
        outcome.what = job_outcome::kind::returned;
        verdict = breaker_verdict::excluded;
    } else if (outcome.what == job_outcome::kind::failed && options_.let_it_crash && !l.abandoned) {
        outcome.what = job_outcome::kind::crashed;
        w.crash = outcome.error;
    }
    const bool current =
        job.state == job_state::executing && job.holder == &l && job.delivery == l.stamp.delivery;
    if (l.reached == lane::step::stuck)
        log_unstuck(l, now, wakes);
    const bool was_probing = breakers_.in_trouble();
    if (!l.abandoned) {
        --w.busy;
        tell_breaker(l, verdict, outcome.error, wakes);
        count_attempt(w, l, outcome, wakes);
        w.acked += current ? 1 : 0;
    }
    l.job = nullptr;
    l.due = time_point::max();
    if (current)
        jobs_->settle(job, std::move(outcome), wakes);
    jobs_->index().unpin(job);
    if (!l.abandoned &&
        w.crash) { // in this order: a worker that has ended reads its crash unlocked
        w.stopping = true;
        leave_idle(w);
    }
    if (w.stopping)
        wake_worker(w, wakes);
    else if (!w.idle.empty())
        untrip(w, wakes);
    const next what = advance(l, wakes);
    if (was_probing)
        offer(wakes); // there may be room for others now; this lane has had its share
    lock.unlock();
    wakes.run();
    return what;
}

/// An attempt has ended, one way or another: everybody who counts hears of it, once.
void pool_core::count_attempt(worker& w, const lane& l, const job_outcome& outcome,
                              wake_list& wakes) {
    const bool failed = is_failure(outcome.what);
    const bool completed = outcome.what == job_outcome::kind::completed;
    w.processed += completed ? 1 : 0;
    w.failed += failed ? 1 : 0;
    if (failed) {
        constexpr std::size_t text_max = 500;
        w.last_error.assign(outcome.text, 0, text_max);
        w.last_error_at = jobs_->clock().wall;
    }
    if (completed || failed)
        metrics_->ran(jobs_->clock().now - l.started_at, failed);
    if (failed || outcome.what == job_outcome::kind::revoked)
        log_failure(l, outcome, wakes);
}

/// Its breaker may let jobs through again while lanes of it are idle.
void pool_core::untrip(worker& w, wake_list& wakes) {
    if (static_cast<idle_hook&>(w).is_linked() || tripped(w))
        return;
    join_idle(w);
    offer(wakes);
}

void pool_core::stuck(lane& l, wake_list& wakes) {
    ++figures.stuck_total;
    log_stuck(l, wakes);
    if (l.abandoned)
        return;
    // Its attempt is over for the queue; what it may still answer comes too late and changes
    // nothing.
    const auto self = std::static_pointer_cast<lane>(l.shared_from_this());
    l.abandoned = true;
    ++lanes_abandoned_;
    worker& w = *l.owner;
    --w.busy;
    std::erase(w.lanes, self);
    job_outcome lost;
    lost.what = job_outcome::kind::failed;
    lost.text =
        l.job->cancel_asked ? "it did not stop" : timed_out_text(l.timeout) + " and did not stop";
    lost.error = std::make_exception_ptr(
        error(errc::timeout, "job " + l.job->id.to_string() + " " + lost.text));
    tell_breaker(l, breaker_verdict::failure, lost.error, wakes);
    count_attempt(w, l, lost, wakes);
    if (w.stopping)
        wake_worker(w, wakes);
    else
        complete_lanes(l.owner, wakes);
    jobs_->settle(*l.job, std::move(lost), wakes);
}

void pool_core::ended(lane& l) {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        jobs_->read_clock();
        if (l.assigned != nullptr)
            give_back(*std::exchange(l.assigned, nullptr), wakes);
        l.over = true;
        std::erase_if(l.owner->lanes, [&](const auto& other) { return other.get() == &l; });
        wake_worker(*l.owner, wakes);
        if (l.abandoned)
            one_abandoned_less(wakes);
    }
    shared().deadlines->disarm(l);
    wakes.run();
}

void pool_core::one_abandoned_less(wake_list& wakes) {
    --lanes_abandoned_;
    if (!std::exchange(short_of_lanes_, false))
        return;
    for (const auto& w : workers_)
        if (w->alive && !w->stopping)
            complete_lanes(w, wakes);
}

void pool_core::lost(lane& l) noexcept {
    const std::lock_guard lock(mutex());
    if (l.abandoned)
        --lanes_abandoned_;
    if (l.job != nullptr)
        jobs_->index().unpin(*l.job);
}

} // namespace lifeguard::detail
