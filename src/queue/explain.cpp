// Why a job does not run.

#include "queue/queue_core.hpp"
#include "queue/rfc3339.hpp"

#include <algorithm>
#include <bit>

namespace lifeguard {

std::string_view name_of(wait_reason reason) noexcept {
    switch (reason) {
    case wait_reason::finished:
        return "finished";
    case wait_reason::executing:
        return "executing";
    case wait_reason::changing:
        return "changing";
    case wait_reason::scheduled:
        return "scheduled";
    case wait_reason::retryable:
        return "retryable";
    case wait_reason::queue_paused:
        return "queue_paused";
    case wait_reason::no_handler:
        return "no_handler";
    case wait_reason::no_worker:
        return "no_worker";
    case wait_reason::breaker_open:
        return "breaker_open";
    case wait_reason::behind_others:
        return "behind_others";
    case wait_reason::next_in_line:
        return "next_in_line";
    }
    return "unknown";
}

namespace detail {
namespace {

/// Nobody waits for the lock while a million are counted.
constexpr std::size_t ahead_max = 10'000;

wall_time wall(std::int64_t ns) {
    return wall_time(std::chrono::duration_cast<wall_time::duration>(std::chrono::nanoseconds(ns)));
}

/// How many jobs of its queue that can run would be taken before this one; up to `ahead_max`.
std::size_t count_ahead(const job_record& job) {
    std::size_t ahead = 0;
    for (const auto& lane : job.queue->lanes) {
        if (lane->kind->handlers == 0)
            continue;
        for (int p = priority_first; p < job.priority; ++p)
            ahead += lane->by_priority[static_cast<std::size_t>(p)].size();
        for (const job_record& other : lane->by_priority[job.priority]) {
            if (other.sequence >= job.sequence || ahead >= ahead_max)
                break;
            ++ahead;
        }
    }
    return std::min(ahead, ahead_max);
}

std::string until_text(const std::optional<wall_time>& until) {
    return until ? " until " + format_rfc3339(*until) : std::string();
}

} // namespace

wall_time queue_core::wall_of(time_point t) const noexcept {
    return at_.wall + std::chrono::duration_cast<wall_time::duration>(t - at_.now);
}

/// Whether somebody could have it now, but for others that are before it.
bool queue_core::explain_takers(const job_record& job, job_explanation& e) {
    bool any = false;
    time_point until = time_point::max();
    for (taker* const t : job.queue->takers) {
        const auto seen = t->outlook_for(job);
        if (!seen)
            continue;
        if (seen->taken)
            return true;
        any = true;
        until = std::min(until, seen->breaker_until);
    }
    if (!any) {
        e.why = wait_reason::no_worker;
        e.text = "no running pool takes such jobs from queue '" + job.queue->name + "'";
        return false;
    }
    e.why = wait_reason::breaker_open;
    if (until != time_point::max())
        e.until = wall_of(until);
    e.text = "the circuit breakers that could admit it are open" + until_text(e.until);
    return false;
}

job_explanation queue_core::explain(const job_record& job) {
    job_explanation e;
    const auto say = [&](wait_reason why, std::string text) {
        e.why = why;
        e.text = std::move(text);
        return e;
    };
    if (is_final(job.state))
        return say(wait_reason::finished, "it is " + std::string(name_of(job.state)));
    if (job.settling)
        return say(wait_reason::changing, "what becomes of it is being stored");
    switch (job.state) {
    case job_state::executing:
        if (job.holder != nullptr) {
            e.holder = job.holder->holder_name();
            return say(wait_reason::executing,
                       "worker '" + e.holder + "' " + (job.started ? "runs it" : "has taken it"));
        }
        e.until = wall_of(time_point(std::chrono::nanoseconds(job.due)));
        return say(wait_reason::executing, "it is leased by its token" + until_text(e.until));
    case job_state::scheduled:
        e.until = wall(job.due);
        return say(wait_reason::scheduled, "it is scheduled for " + format_rfc3339(*e.until));
    case job_state::retryable:
        e.until = wall(job.due);
        return say(wait_reason::retryable,
                   "it has failed, and is tried again at " + format_rfc3339(*e.until));
    case job_state::available:
    case job_state::completed:
    case job_state::cancelled:
    case job_state::discarded:
        break;
    }
    if (job.queue->paused) {
        if (job.queue->paused_until != 0)
            e.until = wall(job.queue->paused_until);
        return say(wait_reason::queue_paused,
                   "queue '" + job.queue->name + "' is paused" + until_text(e.until));
    }
    if (job.kind->handlers == 0)
        return say(wait_reason::no_handler, "no handler for kind '" + job.kind->name + "'");
    if (!explain_takers(job, e))
        return e;
    e.ahead = count_ahead(job);
    if (e.ahead == 0)
        return say(wait_reason::next_in_line, "it is the next, and waits for a free worker");
    return say(wait_reason::behind_others,
               (e.ahead == ahead_max ? "at least " : "") + std::to_string(e.ahead) +
                   (e.ahead == 1 ? " job is" : " jobs are") + " ahead of it");
}

} // namespace detail
} // namespace lifeguard
