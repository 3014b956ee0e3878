// Executes: admitted, refused, assigned, and withdrawn when no worker comes in time.

#include "worker/pool_core.hpp"

namespace lifeguard::detail {

queue_entry& pool_core::queue_for(const new_job& job) {
    if (job.queue.empty())
        return *queues_.front();
    for (queue_entry* queue : queues_)
        if (queue->name == job.queue)
            return *queue;
    throw error(errc::no_such_queue, "queue '" + job.queue + "' of pool '" + options_.name + "'");
}

job_id pool_core::submit(new_job&& job, const execute_options& how, execution& e,
                         wake_list& wakes) {
    jobs_->read_clock();
    refuse_when_stopped();
    // Whoever executes wants this very job to run.
    const auto by = jobs_->identify(job, false);
    if (const job_record* twin = jobs_->find_twin(job, by))
        throw error(errc::duplicate_id, "job " + twin->id.to_string() + " is like it");
    auto record = jobs_->admit(std::move(job), queue_for(job), 1, false, by);
    refuse_when_tripped(*record->kind);
    refuse_when_busy(how, *record);
    const job_id id = record->id;
    queue_core::add_waiter(*record, e);
    executions_.push_back(e);
    jobs_->push(std::move(record), wakes);
    return id;
}

/// The job of an execute is stored: if no worker starts it in time it will be withdrawn.
void pool_core::await_worker(execution& e, const job_record& job, duration checkout_wait) {
    const moment& at = jobs_->clock();
    const bool taken = job.state == job_state::executing;
    if (taken && job.holder == nullptr)
        return; // by a coroutine that waited in `job_queue::take`
    const duration wait = checkout_wait < duration::zero() ? options_.checkout_wait : checkout_wait;
    const std::chrono::nanoseconds early(job.state == job_state::scheduled ? job.due - at.wall_ns()
                                                                           : 0);
    await_checkout(e, later(later(at.now, early), wait));
    // Assigned to an idle lane is as good as started, and needs no alarm; should the lane lose it,
    // who takes it back sets one.
    if (!taken || static_cast<worker&>(*job.holder).keeps_any())
        arm_checkouts();
}

void pool_core::refuse_when_stopped() const {
    if (stopped_)
        throw error(errc::stopped, "pool '" + options_.name + "'");
}

void pool_core::await_checkout(execution& e, time_point until) {
    e.checkout_until = until;
    // Nearly all wait equally long, so the newest belongs at the end.
    auto at = checkouts_.end();
    while (at != checkouts_.begin() && std::prev(at)->checkout_until > until)
        --at;
    checkouts_.insert(at, e);
}

void pool_core::withdraw_late(wake_list& wakes) {
    const time_point now = jobs_->clock().now;
    while (!checkouts_.empty() && checkouts_.front().checkout_until <= now) {
        execution& e = checkouts_.front();
        checkouts_.pop_front();
        job_record& job = *e.job;
        if (job.settling && !job.away)
            continue;                          // somebody else ends it
        if (job.state == job_state::executing) // taken by a worker that has not come to it
            let_go(static_cast<worker&>(*job.holder), job);
        e.exhausted = true;
        ++figures.exhausted_total;
        jobs_->withdraw(job, "no worker was free in time", wakes);
    }
    arm_checkouts();
}

void pool_core::let_go(worker& w, job_record& job) noexcept {
    const auto its =
        std::ranges::find_if(w.lanes, [&](const auto& l) { return l->assigned == &job; });
    if (its != w.lanes.end())
        (*its)->assigned = nullptr;
    else
        unkeep(w, job);
}

void pool_core::arm_checkouts() {
    if (!checkouts_.empty())
        arm(checkouts_.front().checkout_until);
}

void pool_core::stop_accepting() {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        stopped_ = true;
        while (!executions_.empty()) {
            execution& e = executions_.front();
            executions_.pop_front();
            if (!e.is_parked())
                continue; // answered, and on its way
            e.started();
            queue_core::remove_waiter(e);
            e.got = result_waiter::answer::closed;
            wakes.add(e);
        }
        rest();
    }
    wakes.run();
}

} // namespace lifeguard::detail
