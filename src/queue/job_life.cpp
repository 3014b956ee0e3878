// What becomes of jobs: the rules behind docs/job-states.md.

#include "base/saturate.hpp"
#include "queue/queue_core.hpp"

#include <algorithm>

namespace lifeguard::detail {
namespace {

constexpr duration lease_min = std::chrono::seconds(1);
constexpr duration lease_max = std::chrono::hours(24);

} // namespace

duration queue_core::lease_length(const job_record& job, duration asked) const noexcept {
    const duration length = asked < lease_min || asked > lease_max ? options_.lease : asked;
    return std::max(length, job.timeout);
}

void queue_core::watch_lease(job_record& job, duration length, wake_list& wakes) {
    index().watch_lease(job, later(at_.now_ns(), length));
    hurry_upkeep(wakes);
}

void queue_core::lease(job_record& job, duration asked, wake_list& wakes) {
    start(job);
    watch_lease(job, lease_length(job, asked), wakes);
}

job_record& queue_core::held(const job_id& id, std::uint32_t token) {
    job_record* job = index().find(id);
    if (job == nullptr)
        throw error(errc::not_found, "job " + id.to_string());
    // A job with a holder is a worker's, which needs no token.
    const bool current = job->delivery == token && job->holder == nullptr;
    if (current && job->state == job_state::executing && !job->settling)
        return *job;
    // Only who finished it itself: a lease that ran out can end a job under the same token.
    if (current && is_final(job->state) && job->acknowledged)
        throw error(errc::already_done, "job " + id.to_string());
    throw error(errc::lease_lost, "job " + id.to_string());
}

void queue_core::start(job_record& job) {
    for (result_waiter* w = job.waiters; w != nullptr; w = w->next)
        w->started();
    ++job.attempt;
    job.started = true;
    job.attempted_at = at_.wall;
    store_->start(job);
}

void queue_core::settle(job_record& job, job_outcome&& outcome, wake_list& wakes, bool asked_for) {
    if (outcome.what == job_outcome::kind::completed) { // nearly always: nothing is moved about
        settlement s;
        s.state = job_state::completed;
        s.attempt = job.attempt;
        s.at = at_.wall;
        s.asked_for = asked_for;
        s.result.swap(outcome.result);
        return store_->settle(job, std::move(s), wakes);
    }
    settlement s = decide(job, std::move(outcome));
    s.asked_for = asked_for;
    if (s.failed && job.holder == nullptr) // a pool reports the attempts of its own workers
        log_failed(job, s.error_text, wakes);
    store_->settle(job, std::move(s), wakes);
}

settlement queue_core::decide(const job_record& job, job_outcome&& outcome) {
    if (job.cancel_asked && outcome.what != job_outcome::kind::discarded &&
        outcome.what != job_outcome::kind::revoked)
        return decide_cancelled(job, std::move(outcome));
    const std::uint32_t uncharged = job.attempt - (job.started ? 1 : 0);
    switch (outcome.what) {
    case job_outcome::kind::failed:
    case job_outcome::kind::crashed:
    case job_outcome::kind::retry_at:
        return decide_failed(job, std::move(outcome));
    case job_outcome::kind::snoozed: {
        settlement s;
        s.attempt = uncharged;
        s.at = at_.wall;
        if (outcome.delay > duration::zero()) {
            s.state = job_state::scheduled;
            s.due = later(at_.wall_ns(), outcome.delay);
        }
        return s;
    }
    case job_outcome::kind::discarded: {
        settlement s = final_state(job, job_state::discarded);
        s.failed = s.has_error = true;
        s.error_text = std::move(outcome.text);
        s.thrown = std::move(outcome.error);
        return s;
    }
    case job_outcome::kind::revoked: {
        settlement s = final_state(job, job_state::cancelled);
        s.has_error = true; // for those who wait; it goes with the job
        s.error_text = std::move(outcome.text);
        s.forget = true;
        return s;
    }
    case job_outcome::kind::cancelled:
        return decide_cancelled(job, std::move(outcome));
    case job_outcome::kind::completed: // never comes here
    case job_outcome::kind::returned:
        break;
    }
    settlement s;
    s.attempt = uncharged;
    s.at = at_.wall;
    return s;
}

settlement queue_core::decide_failed(const job_record& job, job_outcome&& outcome) {
    settlement s = final_state(job, job_state::discarded);
    s.failed = s.has_error = true;
    s.error_text = std::move(outcome.text);
    if (job.attempt >= job.max_attempts) {
        s.thrown = std::move(outcome.error);
        return s;
    }
    s.state = job_state::available;
    if (outcome.what == job_outcome::kind::crashed)
        return s;
    const bool own_time = outcome.what == job_outcome::kind::retry_at && outcome.at > at_.wall;
    const std::int64_t due = own_time ? moment::nanoseconds(outcome.at) : retry_due(job.attempt);
    if (due > at_.wall_ns()) {
        s.state = job_state::retryable;
        s.due = due;
    }
    return s;
}

settlement queue_core::final_state(const job_record& job, job_state state) const {
    settlement s;
    s.state = state;
    s.attempt = job.attempt;
    s.at = at_.wall;
    return s;
}

std::int64_t queue_core::retry_due(unsigned attempt) {
    return later(at_.wall_ns(), options_.retry.delay(attempt, random01()));
}

void queue_core::withdraw(job_record& job, std::string why, wake_list& wakes) {
    settlement s = final_state(job, job_state::cancelled);
    s.has_error = true;
    s.error_text = std::move(why);
    store_->settle(job, std::move(s), wakes);
}

void queue_core::remove(job_record& job, wake_list& wakes) {
    if (is_final(job.state))
        return store_->remove(job, wakes);
    settlement s = final_state(job, job_state::cancelled);
    s.has_error = s.forget = s.asked_for = true;
    s.error_text = "removed";
    store_->settle(job, std::move(s), wakes);
}

double queue_core::random01() noexcept {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<double>(random_ >> 11) * 0x1p-53;
}

// --- what the store tells

void queue_core::job_pushed(job_record& job, wake_list& wakes) {
    ++counts.pushed;
    job.available_since = at_.now;
    const bool ready = job.state == job_state::available && !job.away;
    bool claimed = false;
    for (result_waiter** link = &job.waiters; *link != nullptr;) {
        result_waiter& w = **link;
        if (w.waits_for != result_waiter::event::stored) {
            claimed = claimed || (ready && w.claim(job, wakes));
            link = &w.next;
            continue;
        }
        *link = w.next;
        w.job = nullptr;
        w.got = result_waiter::answer::stored;
        if (w.is_parked())
            wakes.add(w, true);
    }
    if (ready && !claimed)
        became_available(job, wakes);
    else if (!ready && !job.away)
        hurry_upkeep(wakes);
    for (result_waiter* w = job.waiters; w != nullptr; w = w->next)
        w->stored(job);
}

void queue_core::push_failed(job_record& job, const std::exception_ptr& why, wake_list& wakes) {
    while (job.waiters != nullptr) {
        result_waiter& w = *job.waiters;
        job.waiters = w.next;
        w.job = nullptr;
        w.got = result_waiter::answer::failed;
        w.error = why;
        w.answered();
        if (w.is_parked())
            wakes.add(w);
    }
    if (!job.queue->space_waiters.empty())
        grant_space(*job.queue, wakes);
}

void queue_core::job_finished(job_record& job, const settlement& s, wake_list& wakes) {
    auto& counted = s.state == job_state::completed   ? counts.completed
                    : s.state == job_state::discarded ? counts.discarded
                                                      : counts.cancelled;
    ++counted;
    counts.failed += s.failed ? 1 : 0;
    forget_progress(job);
    if (s.state == job_state::discarded)
        log_discarded(job, wakes);
    answer(job, s.thrown, wakes);
    if (!job.queue->space_waiters.empty())
        grant_space(*job.queue, wakes);
}

void queue_core::job_returned(job_record& job, const settlement& s, wake_list& wakes) {
    counts.failed += s.failed ? 1 : 0;
    forget_progress(job);
    if (job.waiters != nullptr)
        answer_changed(job, nullptr, wakes);
    if (job.state == job_state::available)
        became_available(job, wakes);
    else
        hurry_upkeep(wakes);
}

void queue_core::job_removed(job_record& job, wake_list& wakes) {
    answer_changed(job, nullptr, wakes);
}

void queue_core::change_failed(job_record& job, const std::exception_ptr& why, wake_list& wakes) {
    answer_changed(job, why, wakes);
    if (is_final(job.state))
        return;
    job.acknowledged = false;
    if (job.state == job_state::available)
        became_available(job, wakes);
    else
        hurry_upkeep(wakes);
}

void queue_core::became_available(job_record& job, wake_list& wakes) {
    job.available_since = at_.now;
    queue_entry& queue = *job.queue;
    offer(queue, wakes);
    store_->offered(queue, wakes);
}

} // namespace lifeguard::detail
