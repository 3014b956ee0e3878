// What the queues write to the log. Records are made under the lock and written after it.

#include "queue/queue_core.hpp"

namespace lifeguard::detail {

void queue_core::log(log_level level, std::string_view event, std::string message,
                     std::vector<log_field> fields, wake_list& wakes) {
    if (!log_)
        return;
    log_record record;
    record.level = level;
    record.event = event; // a literal
    record.message = std::move(message);
    record.fields = std::move(fields);
    wakes.defer([to = log_, record = std::move(record)] { to.write(record); });
}

void queue_core::log_failed(const job_record& job, const std::string& why, wake_list& wakes) {
    if (!log_)
        return;
    log(log_level::warning, "job_failed", job.kind->name + " " + job.id.to_string() + ": " + why,
        {{"job", job.id.to_string()},
         {"kind", job.kind->name},
         {"queue", job.queue->name},
         {"attempt", std::to_string(job.attempt)},
         {"reason", why}},
        wakes);
}

void queue_core::log_discarded(const job_record& job, wake_list& wakes) {
    if (!log_)
        return;
    const bool known = job.errors && !job.errors->empty();
    log(log_level::info, "job_discarded",
        job.kind->name + " " + job.id.to_string() + " is given up",
        {{"job", job.id.to_string()},
         {"kind", job.kind->name},
         {"queue", job.queue->name},
         {"attempt", std::to_string(job.attempt)},
         {"reason", known ? job.errors->back().text : ""}},
        wakes);
}

void queue_core::log_pause(const queue_entry& queue, wake_list& wakes) {
    if (!log_)
        return;
    log(log_level::info, queue.paused ? "queue_paused" : "queue_resumed",
        "queue '" + queue.name + "'", {{"queue", queue.name}}, wakes);
}

} // namespace lifeguard::detail
