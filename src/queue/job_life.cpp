// What becomes of jobs: the rules behind docs/job-states.md.

#include "base/saturate.hpp"
#include "queue/queue_core.hpp"

#include <algorithm>

namespace lifeguard::detail {
namespace {

constexpr duration lease_min = std::chrono::seconds(1);
constexpr duration lease_max = std::chrono::hours(24);

// What a job remembers of its failures: the newest, each as long as somebody reads it.
constexpr std::size_t errors_max = 1000;
constexpr std::size_t error_text_max = 4096; // bytes

/// Cuts a text that is too long, not within a character.
void cut(std::string& text) {
    if (text.size() <= error_text_max)
        return;
    constexpr std::string_view mark = "...";
    std::size_t size = error_text_max - mark.size();
    while (size != 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U)
        --size;
    text.resize(size);
    text += mark;
}

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
    if (current && job->state == job_state::executing)
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

void queue_core::settle(job_record& job, job_outcome&& outcome, wake_list& wakes) {
    switch (outcome.what) {
    case job_outcome::kind::completed:
        job.result.swap(outcome.result);
        return finish(job, job_state::completed, wakes);
    case job_outcome::kind::failed:
    case job_outcome::kind::crashed:
    case job_outcome::kind::retry_at:
        return fail(job, std::move(outcome), wakes);
    case job_outcome::kind::snoozed:
        job.attempt -= job.started ? 1 : 0;
        if (outcome.delay <= duration::zero())
            return store_->give_back(job, wakes);
        return store_->postpone(job, job_state::scheduled, later(at_.wall_ns(), outcome.delay),
                                wakes);
    case job_outcome::kind::discarded:
        last_error_ = std::move(outcome.error);
        ++counts.failed;
        record_error(job, std::move(outcome.text));
        return finish(job, job_state::discarded, wakes);
    case job_outcome::kind::revoked: {
        const job_index::pinned keep(index(), job);
        record_error(job, std::move(outcome.text)); // for those who wait; it goes with the job
        finish(job, job_state::cancelled, wakes);
        if (!job.removed)
            store_->remove(job);
        return;
    }
    case job_outcome::kind::returned:
        job.attempt -= job.started ? 1 : 0;
        return store_->give_back(job, wakes);
    }
}

void queue_core::fail(job_record& job, job_outcome&& outcome, wake_list& wakes) {
    ++counts.failed;
    record_error(job, std::move(outcome.text));
    if (job.attempt >= job.max_attempts) {
        last_error_ = std::move(outcome.error);
        return finish(job, job_state::discarded, wakes);
    }
    if (outcome.what == job_outcome::kind::crashed)
        return store_->give_back(job, wakes);
    const bool own_time = outcome.what == job_outcome::kind::retry_at && outcome.at > at_.wall;
    const std::int64_t due = own_time ? moment::nanoseconds(outcome.at) : retry_due(job.attempt);
    if (due <= at_.wall_ns())
        return store_->give_back(job, wakes);
    store_->postpone(job, job_state::retryable, due, wakes);
}

std::int64_t queue_core::retry_due(unsigned attempt) {
    return later(at_.wall_ns(), options_.retry.delay(attempt, random01()));
}

void queue_core::finish(job_record& job, job_state state, wake_list& wakes) {
    job.finished_at = at_.wall;
    auto& counted = state == job_state::completed   ? counts.completed
                    : state == job_state::discarded ? counts.discarded
                                                    : counts.cancelled;
    ++counted;
    store_->finish(job, state, wakes);
    last_error_ = nullptr;
}

void queue_core::withdraw(job_record& job, const std::string& why, wake_list& wakes) {
    if (!why.empty())
        record_error(job, why);
    finish(job, job_state::cancelled, wakes);
}

void queue_core::record_error(job_record& job, std::string text) {
    if (!job.errors)
        job.errors = std::make_unique<std::vector<attempt_error>>();
    if (job.errors->size() >= errors_max)
        job.errors->erase(job.errors->begin());
    cut(text);
    job.errors->push_back({job.attempt, at_.wall, std::move(text)});
}

double queue_core::random01() noexcept {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<double>(random_ >> 11) * 0x1p-53;
}

void queue_core::job_pushed(job_record& job, wake_list& wakes) {
    ++counts.pushed;
    job.stored = true;
    job.available_since = at_.now;
    bool claimed = false;
    for (result_waiter** link = &job.waiters; *link != nullptr;) {
        result_waiter& w = **link;
        if (w.waits_for != result_waiter::event::stored) {
            claimed = claimed || (job.state == job_state::available && w.claim(job, wakes));
            link = &w.next;
            continue;
        }
        *link = w.next;
        w.job = nullptr;
        w.got = result_waiter::answer::stored;
        if (w.is_parked())
            wakes.add(w);
    }
    if (claimed)
        return;
    if (job.state == job_state::available)
        became_available(job, wakes);
    else
        hurry_upkeep(wakes);
}

void queue_core::job_finished(job_record& job, wake_list& wakes) {
    answer(job, wakes);
    if (!job.queue->space_waiters.empty())
        grant_space(*job.queue, wakes);
}

void queue_core::job_returned(job_record& job, wake_list& wakes) {
    if (job.state == job_state::available)
        became_available(job, wakes);
    else
        hurry_upkeep(wakes);
}

void queue_core::became_available(job_record& job, wake_list& wakes) {
    job.available_since = at_.now;
    offer(*job.queue, wakes);
}

} // namespace lifeguard::detail
