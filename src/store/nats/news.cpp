// What the broker tells comes into the index.

#include "store/nats/nats_store.hpp"
#include <lifeguard/exit_reason.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace lifeguard::detail {
namespace {

/// A job that this engine can make no record of is others' to try, after so long.
constexpr duration refused_delay = std::chrono::seconds(1);

} // namespace

void nats_job_store::told(std::vector<broker_event> events) {
    const std::lock_guard lock(post_mutex_);
    if (gone_)
        return;
    ++turns_;
    auto group = std::make_shared<std::vector<broker_event>>(std::move(events));
    asio::post(shared()->executor, [this, alive = alive(), group] {
        if (const auto keep = alive.lock())
            tell(*group);
    });
}

void nats_job_store::tell(std::vector<broker_event>& events) {
    wake_list wakes;
    asio::any_io_executor done;
    {
        const std::lock_guard lock(shared()->mutex);
        listener().store_turn();
        // What has come together is offered together: the most urgent of all is taken first.
        std::vector<job_id> arrived;
        for (broker_event& e : events) {
            if (e.what == broker_event::kind::arrived) {
                arrive(e, arrived, wakes);
                continue;
            }
            offer_all(arrived, wakes);
            conclude(e, wakes);
        }
        offer_all(arrived, wakes);
        if (under_way_ == 0)
            done = std::exchange(work_, asio::any_io_executor());
    }
    wakes.run();
}

void nats_job_store::conclude(broker_event& e, wake_list& wakes) {
    switch (e.what) {
    case broker_event::kind::pushed:
        --under_way_;
        return conclude_push(e, wakes);
    case broker_event::kind::changed:
        --under_way_;
        return conclude_change(e, wakes);
    case broker_event::kind::superseded:
        --under_way_;
        return superseded(e, wakes);
    case broker_event::kind::paused:
        --under_way_;
        return listener().pause_settled(*e.pause, e.error, wakes);
    case broker_event::kind::located:
        --under_way_;
        return located(e, wakes);
    case broker_event::kind::ended:
        return ended(e, wakes);
    case broker_event::kind::looked:
        return looked(e, wakes);
    case broker_event::kind::pause_heard:
        return heard_pause(e, wakes);
    case broker_event::kind::connection:
        if (e.yes)
            return note(log_level::info, "store_recovered", "connected again", wakes);
        return note(log_level::error, "store_failing", "the connection to the server is lost",
                    wakes);
    case broker_event::kind::trouble:
        return note(log_level::error, "store_failing", lifeguard::describe(e.error), wakes);
    case broker_event::kind::arrived:
        break; // not one by one
    }
}

void nats_job_store::conclude_push(const broker_event& e, wake_list& wakes) {
    job_record& job = *e.job;
    --job.queue->reserved;
    if (e.error) {
        listener().push_failed(job, e.error, wakes);
        index().retract(job);
        return;
    }
    index().admit_away(job, listener().store_turn());
    ++away_;
    listener().job_pushed(job, wakes);
    forget_if_too_many(job);
}

void nats_job_store::conclude_change(broker_event& e, wake_list& wakes) {
    job_record& job = *e.job;
    if (e.error) {
        index().resume(job);
        return listener().change_failed(job, e.error, wakes);
    }
    const bool over = is_final(e.how.state);
    const bool postponed = !over && e.how.state != job_state::available;
    const duration wait = std::chrono::nanoseconds(e.how.due - listener().store_turn());
    if (over)
        job.written = job_record::table::finished;
    if (over && e.how.forget)
        broker_.purge(e.id);
    apply(job, e.how, wakes);
    // Who waits so long need not be ours. Nobody else has changed the job since.
    if (postponed && wait > options_.hold_delayed)
        let_go(job, e.how.state, wait);
}

/// Another engine has the job, or has ended it: what this one made of it counts for nothing.
void nats_job_store::superseded(broker_event& e, wake_list& wakes) {
    job_record& job = *e.job;
    if (e.how.asked_for)
        listener().change_failed(
            job, std::make_exception_ptr(error(errc::lease_lost, "job " + job.id.to_string())),
            wakes);
    note(log_level::warning, "lease_lost",
         "the result of job " + job.id.to_string() + " came too late: another engine has it",
         wakes);
    send_away(job, job_state::available);
}

void nats_job_store::ended(broker_event& e, wake_list& wakes) {
    job_record* const job = index().find(e.id);
    if (job == nullptr || !job->away)
        return;
    settlement s;
    s.state = job_state::cancelled;
    s.attempt = job->attempt;
    s.at = shared()->time->wall_now();
    if (e.document) {
        s.state = e.document->state;
        s.at = wall_time(std::chrono::duration_cast<wall_time::duration>(
            std::chrono::nanoseconds(e.document->finished_at)));
        s.result = std::move(e.document->result);
        copy_document(std::move(*e.document), *job);
        s.attempt = job->attempt;
    } else {
        s.has_error = true;
        s.error_text = "its state is gone from the server";
    }
    back_from_away(*job);
    apply(*job, s, wakes);
}

/// A job that somebody here has asked for comes into the index, if there is one.
void nats_job_store::located(broker_event& e, wake_list& wakes) {
    if (e.document && !index().knows(e.id)) {
        try {
            adopt_as_it_is(e, wakes);
        } catch (const error&) { // more names of queues or kinds than there may be
            e.error = std::current_exception();
        }
    }
    locate_wait* const w = e.sought->waiter;
    if (w == nullptr)
        return;
    w->error = e.error;
    w->finish(timed_wait::end::served, wakes);
}

void nats_job_store::adopt_as_it_is(broker_event& e, wake_list& wakes) {
    job_document d = *e.document;
    const job_state state = d.state;
    const std::int64_t due = d.due;
    job_record& job = *adopt(d);
    if (is_final(state))
        return ended(e, wakes);
    job.due = due;
    const bool waits = state == job_state::scheduled || state == job_state::retryable;
    index().send_away(job, waits ? state : job_state::available);
}

void nats_job_store::heard_pause(const broker_event& e, wake_list& wakes) {
    queue_entry& queue = listener().stored_queue(e.queue);
    if (queue.paused == e.yes && (!e.yes || queue.paused_until == e.until))
        return;
    pause_request heard;
    heard.queue = &queue;
    heard.paused = e.yes;
    heard.until = e.until;
    listener().pause_settled(heard, nullptr, wakes);
}

/// A fetched job comes into the index.
void nats_job_store::arrive(broker_event& e, std::vector<job_id>& arrived, wake_list& wakes) {
    job_record* job = index().find(e.id);
    if (job != nullptr && !job->away)
        return; // it is being ended by us already
    if (job == nullptr && !e.document)
        return broker_.give_back(e.id, duration::zero(), false); // forgotten meanwhile
    const std::int64_t wall_now = listener().store_turn();
    const bool crashed = e.document && e.document->state == job_state::executing;
    std::int64_t due = job == nullptr ? 0 : job->due;
    job_state state = job == nullptr ? job_state::available : job->state;
    if (e.document) {
        due = e.document->due;
        state = crashed ? job_state::available : e.document->state;
    }
    try {
        if (job == nullptr)
            job = adopt(*e.document);
        else if (e.document)
            copy_document(std::move(*e.document), *job);
    } catch (const error& why) { // more names of queues or kinds than there may be
        broker_.give_back(e.id, refused_delay, false);
        return note(log_level::error, "job_refused", why.what(), wakes);
    }
    back_from_away(*job);
    const bool waits = due > wall_now && state != job_state::available;
    job->due = due;
    index().fetch(*job, waits ? state : job_state::available);
    if (waits && std::chrono::nanoseconds(due - wall_now) > options_.hold_delayed)
        return let_go(*job, state, std::chrono::nanoseconds(due - wall_now));
    if (!crashed)
        return arrived.push_back(e.id);
    settlement s;
    s.attempt = job->attempt;
    s.at = shared()->time->wall_now();
    s.has_error = s.failed = true;
    s.error_text = "lease expired: the engine that executed the job has gone silent";
    ++job->crashes;
    const bool quarantined = job->crashes >= options_.max_process_crashes;
    if (quarantined) {
        s.error_text =
            "quarantined: " + s.error_text + ", " + std::to_string(job->crashes) + " times";
        note(log_level::error, "job_quarantined",
             "job " + job->id.to_string() + ": " + s.error_text, wakes);
    }
    if (quarantined || job->attempt >= job->max_attempts) {
        s.state = job_state::discarded;
        return settle(*job, std::move(s), wakes);
    }
    record_error(*job, std::move(s)); // written with the next attempt
    arrived.push_back(e.id);
}

/// Engines are few, and their names long.
std::uint32_t nats_job_store::number_of(const std::string& engine) {
    const auto found = std::ranges::find(origins_, engine);
    if (found != origins_.end())
        return static_cast<std::uint32_t>(found - origins_.begin());
    origins_.push_back(engine);
    return static_cast<std::uint32_t>(origins_.size() - 1);
}

job_record* nats_job_store::adopt(job_document& d) {
    auto record = index().make_record();
    record->queue = &listener().stored_queue(d.queue);
    record->kind = &listener().stored_kind(d.kind);
    record->mark = number_of(d.origin);
    copy_document(std::move(d), *record);
    job_record& job = index().announce(std::move(record));
    index().admit_away(job, 0);
    ++away_;
    return &job;
}

void nats_job_store::offer_all(std::vector<job_id>& arrived, wake_list& wakes) {
    for (const job_id& id : std::exchange(arrived, {})) {
        job_record* const job = index().find(id);
        // The one before may have made the takers take this one, or let all of them go.
        if (job == nullptr || job->away || job->settling || job->state == job_state::executing)
            continue;
        const settlement nothing;
        listener().job_returned(*job, nothing, wakes);
    }
}

} // namespace lifeguard::detail
