// What a pool writes to the log. Records are made under the lock and written after it.

#include "worker/pool_core.hpp"

namespace lifeguard::detail {
namespace {

std::string milliseconds_text(duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

std::string_view event_of(breaker_state now) noexcept {
    switch (now) {
    case breaker_state::closed:
        return "breaker_closed";
    case breaker_state::open:
        return "breaker_opened";
    case breaker_state::half_open:
        return "breaker_half_open";
    case breaker_state::forced_open:
        return "breaker_forced_open";
    case breaker_state::disabled:
        return "breaker_disabled";
    }
    return "breaker";
}

} // namespace

void pool_core::log(log_level level, std::string_view event, std::string message,
                    std::vector<std::pair<std::string_view, std::string>> fields,
                    wake_list& wakes) {
    if (!log_)
        return;
    log_record record;
    record.level = level;
    record.event = event; // a literal
    record.message = std::move(message);
    for (auto& [key, value] : fields)
        record.fields.push_back({key, std::move(value)});
    wakes.defer([sink = log_, record = std::move(record)] { sink.write(record); });
}

void pool_core::log_unstuck(const lane& l, time_point now, wake_list& wakes) {
    if (!log_)
        return;
    log(log_level::info, "unstuck", "job " + l.job->id.to_string() + " has stopped after all",
        {{"job", l.job->id.to_string()},
         {"running_ms", milliseconds_text(now - l.started_at)},
         {"worker", l.owner->id}},
        wakes);
}

void pool_core::log_failure(const lane& l, const job_outcome& outcome, wake_list& wakes) {
    if (!log_)
        return;
    const bool revoked = outcome.what == job_outcome::kind::revoked;
    log(log_level::warning, revoked ? "job_revoked" : "job_failed",
        l.job->kind->name + " " + l.job->id.to_string() + ": " + outcome.text,
        {{"job", l.job->id.to_string()},
         {"kind", l.job->kind->name},
         {"queue", l.job->queue->name},
         {"attempt", std::to_string(l.job->attempt)},
         {"reason", outcome.text},
         {"worker", l.owner->id}},
        wakes);
}

void pool_core::log_stuck(const lane& l, wake_list& wakes) {
    if (!log_)
        return;
    log(log_level::error, "stuck",
        "job " + l.job->id.to_string() + " ignores its cancellation; worker '" + l.owner->id +
            "' goes on without it",
        {{"job", l.job->id.to_string()},
         {"kind", l.job->kind->name},
         {"running_ms", milliseconds_text(jobs_->clock().now - l.started_at)},
         {"worker", l.owner->id}},
        wakes);
}

void pool_core::log_short_of_lanes(const worker& w, wake_list& wakes) {
    if (!log_)
        return;
    log(log_level::error, "short_of_lanes",
        std::to_string(lanes_abandoned_) + " handlers that were given up still run; worker '" +
            w.id + "' goes short of lanes until some of them end",
        {{"abandoned", std::to_string(lanes_abandoned_)}, {"worker", w.id}}, wakes);
}

void pool_core::log_breaker(const breaker_change& change, wake_list& wakes) {
    if (!log_)
        return;
    const bool of_worker = options_.breaker_scope == breaker_scope::worker;
    log(change.to == breaker_state::open ? log_level::error : log_level::info, event_of(change.to),
        "circuit breaker '" + change.name + "'",
        {{"pool", options_.name}, {of_worker ? "worker" : "breaker", change.name}}, wakes);
}

void pool_core::log_worker(const worker& w, log_level level, std::string_view event,
                           wake_list& wakes) {
    if (!log_)
        return;
    log(level, event, "worker '" + w.id + "'",
        {{"pool", options_.name}, {"worker", w.id}, {"incarnation", std::to_string(w.incarnation)}},
        wakes);
}

} // namespace lifeguard::detail
