#include "http/job_json.hpp"

namespace lifeguard::detail::web {
namespace {

void write_head(json_writer& w, const job_info& job) {
    w.member("id", job.id)
        .member("kind", job.kind)
        .member("queue", job.queue)
        .member("state", name_of(job.state))
        .member("priority", job.priority)
        .member("attempt", job.attempt)
        .member("max_attempts", job.max_attempts)
        .member("created_at", job.created_at)
        .member("run_at", job.run_at)
        .member("attempted_at", job.attempted_at)
        .member("finished_at", job.finished_at)
        .member("waits_for_handler", job.waits_for_handler)
        .member("cancel_asked", job.cancel_asked);
    w.key("progress").text(job.progress.empty() ? "null" : job.progress);
}

} // namespace

void write_job_line(json_writer& w, const job_info& job) {
    w.begin_object();
    write_head(w, job);
    w.end_object();
}

void write_job(json_writer& w, const job_info& job) {
    w.begin_object();
    write_head(w, job);
    w.key("payload").text(job.payload);
    if (job.timeout == duration::zero())
        w.key("timeout_ms").text("null");
    else
        w.member("timeout_ms", std::chrono::ceil<std::chrono::milliseconds>(job.timeout).count());
    w.member("unique", job.unique_key.has_value());
    if (job.unique_key.value_or("").empty())
        w.key("unique_key").text("null");
    else
        w.member("unique_key", *job.unique_key);
    w.key("result").text(job.result.empty() ? "null" : job.result);
    w.key("errors").begin_array();
    for (const attempt_error& e : job.errors)
        w.begin_object()
            .member("attempt", e.attempt)
            .member("at", e.at)
            .member("text", e.text)
            .end_object();
    w.end_array().end_object();
}

void write_taken(json_writer& w, const taken_job& job, time_point now, wall_time wall) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(job.lease_until - now);
    w.begin_object()
        .member("id", job.id)
        .member("token", job.token)
        .member("kind", job.kind)
        .member("queue", job.queue)
        .member("priority", job.priority)
        .member("attempt", job.attempt)
        .member("lease_ms", left.count())
        .member("lease_until", wall_time(wall + left));
    w.key("payload").text(job.payload).end_object();
}

void write_queue(json_writer& w, const std::string& name, const queue_counts& counts,
                 const queue_status& status) {
    w.begin_object()
        .member("name", name)
        .member("paused", status.paused)
        .member("paused_until", status.paused_until)
        .member("draining", status.draining)
        .member("scheduled", counts.scheduled)
        .member("available", counts.available)
        .member("executing", counts.executing)
        .member("retryable", counts.retryable)
        .member("completed", counts.completed)
        .member("cancelled", counts.cancelled)
        .member("discarded", counts.discarded)
        .member("waiting_for_handler", counts.waiting_for_handler)
        .end_object();
}

} // namespace lifeguard::detail::web
