#include "queue/queue_core.hpp"
#include <lifeguard/json.hpp>

namespace lifeguard::detail {

job_info queue_core::summarize(const job_record& job) const {
    job_info info;
    info.id = job.id;
    info.kind = job.kind->name;
    info.queue = job.queue->name;
    info.state = job.state;
    info.priority = job.priority;
    info.attempt = job.attempt;
    info.max_attempts = job.max_attempts;
    info.deliveries = job.delivery;
    info.created_at = job.created_at;
    const bool waits = job.state == job_state::scheduled || job.state == job_state::retryable;
    info.run_at = waits ? wall_time(std::chrono::duration_cast<wall_time::duration>(
                              std::chrono::nanoseconds(job.due)))
                        : job.created_at;
    if (job.attempted_at != wall_time())
        info.attempted_at = job.attempted_at;
    if (is_final(job.state))
        info.finished_at = job.finished_at;
    info.waits_for_handler = job.state == job_state::available && job.kind->handlers == 0;
    if (const auto said = progress_.find(job.id);
        said != progress_.end() && job.state == job_state::executing)
        info.progress = said->second;
    return info;
}

job_info queue_core::describe(const job_record& job) const {
    job_info info = summarize(job);
    info.payload = job.payload;
    info.timeout = job.timeout;
    if (job.unique)
        info.unique_key = job.unique->key;
    if (job.state == job_state::completed && !job.result_lent)
        // A handler's strings may be anything.
        info.result = job.result.dump(-1, ' ', false, json::error_handler_t::replace);
    if (job.errors)
        info.errors = *job.errors;
    info.cancel_asked = job.state == job_state::executing && job.cancel_asked;
    return info;
}

queue_counts queue_core::counts_of(const std::string& name) const {
    queue_counts c;
    const auto found = queues_.find(name);
    if (found == queues_.end())
        return c;
    const queue_entry& queue = *found->second;
    c.scheduled = queue.count(job_state::scheduled);
    c.available = queue.count(job_state::available);
    c.executing = queue.count(job_state::executing);
    c.retryable = queue.count(job_state::retryable);
    c.completed = queue.count(job_state::completed);
    c.cancelled = queue.count(job_state::cancelled);
    c.discarded = queue.count(job_state::discarded);
    for (const auto& lane : queue.lanes)
        if (lane->kind->handlers == 0)
            for (const place_list& jobs : lane->by_priority)
                c.waiting_for_handler += jobs.size();
    c.waiting_for_handler += store_->left_to_others(queue);
    return c;
}

} // namespace lifeguard::detail
