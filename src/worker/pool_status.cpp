// What a pool tells about itself.

#include "worker/pool_core.hpp"

namespace lifeguard::detail {

namespace {

bool is_open(const circuit_breaker& breaker, time_point now) noexcept {
    const breaker_state s = breaker.state(now);
    return s == breaker_state::open || s == breaker_state::forced_open;
}

} // namespace

std::uint64_t pool_core::total(std::uint64_t pool_status::* which) {
    const std::lock_guard lock(mutex());
    return figures.*which;
}

pool_status pool_core::status() {
    const std::lock_guard lock(mutex());
    const time_point now = jobs_->read_clock().now;
    pool_status s = figures;
    s.name = options_.name;
    s.size = static_cast<unsigned>(size_);
    s.max_overflow = options_.max_overflow;
    for (const auto& w : workers_) {
        s.restarts_total += w->incarnation > 1 ? w->incarnation - 1 : 0;
        if (!w->alive)
            continue;
        ++s.workers;
        s.overflow += w->overflow ? 1 : 0;
        ++(w->busy == 0 ? s.idle : s.busy);
        s.breakers_open += is_open(w->breaker, now) ? 1 : 0;
    }
    breakers_.for_each(
        [&](const circuit_breaker& shared) { s.breakers_open += is_open(shared, now) ? 1 : 0; });
    s.running = !supervisor_.expired() && s.workers != 0;
    for (const queue_entry* queue : queues_) {
        s.available += queue->count(job_state::available);
        s.executing += queue->count(job_state::executing);
    }
    s.callers_waiting = checkouts_.size();
    s.lanes_abandoned = lanes_abandoned_;
    return s;
}

worker_status pool_core::describe(const worker& w) {
    const circuit_breaker* const common = breakers_.common();
    const circuit_breaker& breaker = common != nullptr ? *common : w.breaker;
    worker_status s;
    s.id = w.id;
    s.alive = w.alive;
    s.overflow = w.overflow;
    for (const queue_entry* queue : queues_)
        s.queues.push_back(queue->name);
    s.priority = options_.priority;
    s.breaker = breaker.state(jobs_->clock().now);
    s.busy = w.busy;
    s.assigned = static_cast<unsigned>(w.assigned());
    s.incarnation = w.incarnation;
    s.restarts = w.incarnation > 1 ? w.incarnation - 1 : 0;
    s.pulled = w.pulled;
    s.processed = w.processed;
    s.failed = w.failed;
    s.acked = w.acked;
    s.last_error = w.last_error;
    s.last_error_at = w.last_error_at;
    s.breaker_opened = breaker.opened_total();
    s.breaker_successes = breaker.counts().successes;
    for (const auto& l : w.lanes)
        if (l->job != nullptr)
            s.jobs.push_back(l->job->id);
    return s;
}

} // namespace lifeguard::detail
