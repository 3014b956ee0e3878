// Who takes which jobs: workers pull their share, lanes run it, idle ones take from busy ones.

#include "worker/pool_core.hpp"

namespace lifeguard::detail {

/// How many jobs a worker should take at once: its share of what is ready, so that none sits on
/// jobs while others idle.
std::size_t pool_core::share(worker& w) {
    std::size_t ready = 0;
    for (const queue_entry* queue : queues_)
        ready += queue->takeable();
    if (ready == 0)
        return 0;
    const std::size_t idle = idle_count_ + (static_cast<idle_hook&>(w).is_linked() ? 0 : 1);
    return std::min<std::size_t>(options_.pull_size, (ready + idle - 1) / idle);
}

/// A job for each lane, and what one worker takes in advance.
std::size_t pool_core::appetite() const noexcept {
    const bool takes =
        draining_ == draining::no && !homeless_ &&
        std::ranges::any_of(workers_, [](const auto& w) { return w->alive && !w->stopping; });
    return takes ? options_.concurrency * (size_ + overflow_) + options_.pull_size - 1 : 0;
}

bool pool_core::takes(const kind_entry& kind) const noexcept {
    return appetite() != 0 && kind.handlers != 0;
}

unsigned pool_core::priorities() const noexcept {
    return filter_.priority < 0 ? taker::priorities()
                                : 1U << static_cast<unsigned>(filter_.priority);
}

void pool_core::appetite_changed() {
    for (queue_entry* const queue : queues_)
        jobs_->appetite_changed(*queue);
}

bool pool_core::pull(worker& w) {
    std::size_t due = share(w);
    if (breakers_.in_trouble() || !w.breaker.is_closed()) {
        // Nothing in advance: a probe that waits behind another one keeps its place from the rest.
        const std::size_t has = w.busy + w.assigned();
        due =
            std::min(due, options_.concurrency - std::min<std::size_t>(options_.concurrency, has));
    }
    if (due == 0)
        return false;
    const std::size_t most = room(w, due);
    std::size_t got = 0;
    for (; got < most; ++got) {
        job_record* job = jobs_->index().take(queues_, options_.strict_order, filter());
        if (job == nullptr)
            break;
        job->holder = &w;
        keep(w, *job);
    }
    w.pulled += got;
    return got != 0;
}

void pool_core::keep(worker& w, job_record& job, bool bound) {
    job.bound = bound;
    (bound ? w.bound : w.local).push_back(job);
    unstarted_ += bound ? 0 : 1;
}

void pool_core::unkeep(worker& w, job_record& job) noexcept {
    place_list& its = job.bound ? w.bound : w.local;
    its.erase(its.iterator_to(job));
    unstarted_ -= job.bound ? 0 : 1;
}

job_record* pool_core::next_local(worker& w) {
    if (!w.keeps_any())
        return nullptr;
    const bool bound_is_next =
        !w.bound.empty() &&
        (w.local.empty() || w.bound.front().sequence < w.local.front().sequence);
    job_record& job = (bound_is_next ? w.bound : w.local).front();
    unkeep(w, job);
    return &job;
}

bool pool_core::begin(lane& l, job_record& job, wake_list& wakes) {
    const time_point now = jobs_->clock().now;
    worker& w = *l.owner;
    const duration timeout =
        job.timeout == duration::zero() ? options_.process_timeout : job.timeout;
    const time_point due = later(now, timeout);
    circuit_breaker& breaker = breaker_for(w, *job.kind);
    // A lane answers for its probe, at the latest when it gives its handler up.
    const auto permit = breaker.admit(now, later(due, options_.stuck_threshold) - now);
    if (!permit)
        return false;
    note_change(breaker, wakes);
    jobs_->start(job);
    job_index::pin(job);
    job.holder = &l;
    l.job = &job;
    l.handle = jobs_->find_handler(*job.kind);
    l.stamp = {job.attempt, job.max_attempts, job.delivery};
    ++l.number;
    l.breaker = &breaker;
    l.permit = *permit;
    l.started_at = now;
    l.timeout = timeout;
    l.reached = lane::step::running;
    l.due = due;
    if (l.due < l.armed_at)
        l.arm();
    ++figures.timeouts_armed;
    metrics_->waited(now - job.available_since);
    ++w.busy;
    return true;
}

pool_core::next pool_core::advance(lane& l, wake_list& wakes) {
    worker& w = *l.owner;
    if (l.abandoned || l.ending || w.stopping)
        return next::end;
    job_record* job = std::exchange(l.assigned, nullptr);
    if (job == nullptr)
        job = next_local(w);
    if (job == nullptr && pull(w)) {
        job = next_local(w);
        if (!w.idle.empty())
            hand_out(w, wakes);
    }
    for (; job != nullptr; job = next_local(w)) {
        if (begin(l, *job, wakes))
            return next::run;
        // The breaker has opened, or probes already: others shall have what this worker has taken.
        give_back(*job, wakes);
        if (options_.breaker_scope != breaker_scope::kind)
            give_back_local(w, wakes);
    }
    return next::idle;
}

bool pool_core::park(lane& l, resumption& r, wake_list& wakes) {
    worker& w = *l.owner;
    if (l.abandoned || l.ending || w.stopping || l.assigned != nullptr)
        return false;
    const bool waits_for_breaker = tripped(w);
    // Something may have come since the lane looked, and jobs that others have taken in advance are
    // better off here.
    if (!waits_for_breaker && (w.keeps_any() || pull(w) || (steal_for(w, wakes) && pull(w)))) {
        l.assigned = next_local(w);
        return false;
    }
    jobs_->parked.park(l, std::move(r));
    w.idle.push_back(&l);
    if (w.overflow && w.busy == 0 && w.idle.size() == w.lanes.size()) {
        w.leaves = true;
        stop_worker(w, wakes);
    } else if (waits_for_breaker) {
        trip(w);
    } else {
        join_idle(w);
    }
    return true;
}

void pool_core::join_idle(worker& w) noexcept {
    if (static_cast<idle_hook&>(w).is_linked())
        return;
    idle_.push_back(w);
    ++idle_count_;
}

void pool_core::leave_idle(worker& w) noexcept {
    auto& hook = static_cast<idle_hook&>(w);
    if (!hook.is_linked())
        return;
    hook.unlink();
    --idle_count_;
}

/// Gives the worker's jobs to its idle lanes.
void pool_core::hand_out(worker& w, wake_list& wakes) {
    while (!w.idle.empty() && w.keeps_any()) {
        lane& l = *w.idle.back();
        w.idle.pop_back();
        l.assigned = next_local(w);
        wakes.add(l);
    }
    if (w.idle.empty())
        leave_idle(w);
}

void pool_core::offer(wake_list& wakes) {
    while (!idle_.empty()) {
        worker& w = idle_.front();
        if (tripped(w)) {
            trip(w);
            continue;
        }
        if (!pull(w))
            return; // nothing that we can run now
        hand_out(w, wakes);
    }
    want_overflow(wakes);
}

/// Takes back a job that another worker has taken and not started, so that this idle one can have
/// it.
bool pool_core::steal_for(worker& w, wake_list& wakes) {
    if (unstarted_ == 0)
        return false;
    for (const auto& other : workers_) {
        if (other.get() == &w || other->local.empty() || other->busy == 0)
            continue;
        job_record& job = other->local.front();
        unkeep(*other, job);
        give_back(job, wakes);
        return true;
    }
    return false;
}

/// The worker's breaker is open: it takes nothing until a probe may run. While one does, its end
/// decides.
void pool_core::trip(worker& w) {
    leave_idle(w);
    if (w.breaker.state(jobs_->clock().now) == breaker_state::open)
        arm(w.breaker.open_until());
}

/// What was taken and not started is the queue's again.
void pool_core::give_back(job_record& job, wake_list& wakes) {
    jobs_->give_back(job, wakes);
    arm_checkouts();
}

void pool_core::give_back_local(worker& w, wake_list& wakes) {
    while (job_record* job = next_local(w))
        give_back(*job, wakes);
}

/// The queue has been paused: what waits for a lane, or has one that has not begun it, goes back.
void pool_core::queue_paused(queue_entry& queue, wake_list& wakes) {
    for (const auto& w : workers_) {
        for (place_list* const its : {&w->local, &w->bound}) {
            for (auto at = its->begin(); at != its->end();) {
                job_record& job = *at++;
                if (job.queue != &queue)
                    continue;
                unkeep(*w, job);
                give_back(job, wakes);
            }
        }
        for (const auto& l : w->lanes)
            if (l->assigned != nullptr && l->assigned->queue == &queue)
                give_back(*std::exchange(l->assigned, nullptr), wakes);
    }
}

} // namespace lifeguard::detail
