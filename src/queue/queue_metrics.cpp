#include "queue/queue_core.hpp"

#include <algorithm>

namespace lifeguard::detail {
namespace {

constexpr job_state all_states[] = {
    job_state::scheduled, job_state::available, job_state::executing, job_state::retryable,
    job_state::completed, job_state::cancelled, job_state::discarded};

/// How long the job that comes first in its lane and priority, and has been there longest of those,
/// can be taken already. Zero when there is none.
duration age_of_oldest(const queue_entry& queue, time_point now) {
    time_point oldest = now;
    for (const auto& lane : queue.lanes)
        for (const place_list& list : lane->by_priority)
            if (!list.empty())
                oldest = std::min(oldest, list.front().available_since);
    return now - oldest;
}

} // namespace

void queue_core::open() {
    context_hooks::of(runtime_->executor).add(weak_from_this());
    const auto counter_of = [this](const char* name, const char* help,
                                   std::uint64_t figures::* which) {
        metrics_->make_counter(name, help, {}, [weak = weak_from_this(), which]() -> double {
            const auto self = weak.lock();
            if (!self)
                return 0;
            const std::lock_guard lock(self->runtime_->mutex);
            return static_cast<double>(self->counts.*which);
        });
    };
    metrics_.emplace(runtime_->metrics);
    metrics_->make_counter(
        "lifeguard_metrics_refused_total", "Metrics that the registry was too full for.", {},
        [weak = weak_from_this()]() -> double {
            const auto self = weak.lock();
            return self ? static_cast<double>(self->runtime_->metrics_refused) : 0;
        });
    counter_of("lifeguard_jobs_pushed_total", "Jobs that were stored.", &figures::pushed);
    counter_of("lifeguard_jobs_completed_total", "Jobs that were completed.", &figures::completed);
    counter_of("lifeguard_jobs_discarded_total", "Jobs that were given up.", &figures::discarded);
    counter_of("lifeguard_jobs_cancelled_total", "Jobs that were withdrawn.", &figures::cancelled);
    counter_of("lifeguard_attempts_failed_total", "Attempts that failed.", &figures::failed);
    counter_of("lifeguard_lease_timeouts_total", "Leases that ran out.", &figures::lease_timeouts);
    std::vector<log_record> said;
    {
        const std::lock_guard lock(runtime_->mutex);
        read_clock();
        said = store_->open(*this, runtime_, weak_from_this());
    }
    const logger log(runtime_->log);
    for (const log_record& record : said)
        log.write(record);
}

/// With the lock held; the callbacks take it when they are read.
void queue_core::describe_metrics(const queue_entry& queue) try {
    metrics_->make_gauge("lifeguard_queue_paused", "1 while nobody takes from the queue.",
                         {{"queue", queue.name}}, [weak = weak_from_this(), entry = &queue] {
                             const auto self = weak.lock();
                             if (!self)
                                 return 0.0;
                             const std::lock_guard lock(self->runtime_->mutex);
                             return entry->paused ? 1.0 : 0.0;
                         });
    metrics_->make_gauge(
        "lifeguard_queue_oldest_seconds", "How long the oldest available job has been available.",
        {{"queue", queue.name}}, [weak = weak_from_this(), entry = &queue] {
            const auto self = weak.lock();
            if (!self)
                return 0.0;
            const time_point now = self->runtime_->time->now();
            const std::lock_guard lock(self->runtime_->mutex);
            return std::chrono::duration<double>(age_of_oldest(*entry, now)).count();
        });
    for (const job_state state : all_states) {
        metrics_->make_gauge("lifeguard_jobs", "Jobs by state.",
                             {{"queue", queue.name}, {"state", std::string(name_of(state))}},
                             [weak = weak_from_this(), entry = &queue, state]() -> double {
                                 const auto self = weak.lock();
                                 if (!self)
                                     return 0;
                                 const std::lock_guard lock(self->runtime_->mutex);
                                 return static_cast<double>(entry->count(state));
                             });
    }
} catch (const error&) {
    ++runtime_->metrics_refused; // the registry is full: this queue has no gauges, and works
}

} // namespace lifeguard::detail
