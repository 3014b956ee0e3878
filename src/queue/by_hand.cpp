// What people do with jobs: run them again, and run them now.

#include "queue/change_waiters.hpp"
#include "queue/queue_core.hpp"

#include <algorithm>

namespace lifeguard {
namespace detail {

void queue_core::revive(job_record& job, wake_list& wakes) {
    settlement s;
    s.attempt = job.attempt;
    s.at = at_.wall;
    if (job.attempt >= job.max_attempts)
        s.max_attempts = std::max(job.attempt, job.attempt + 1);
    s.asked_for = true;
    store_->settle(job, std::move(s), wakes);
}

namespace {

void throw_if_any(const std::exception_ptr& failure) {
    if (failure)
        std::rethrow_exception(failure);
}

asio::awaitable<job_state> retry_job(std::shared_ptr<queue_core> core, job_id id) {
    core->refuse_when_shared("retrying by hand");
    for (;;) {
        change_waiters changes(*core);
        bool ours = false;
        {
            wake_list wakes;
            std::unique_lock lock(core->shared().mutex);
            core->read_clock();
            job_record* const job = core->index().find(id);
            if (job == nullptr)
                throw error(errc::not_found, "job " + id.to_string());
            ours = !job->settling; // otherwise its state is looked at again
            if (ours && (job->state == job_state::available || job->state == job_state::executing))
                co_return job->state;
            changes.add(*job, result_waiter::event::changed);
            if (ours)
                core->revive(*job, wakes);
            lock.unlock();
            wakes.run();
        }
        co_await changes.wait();
        if (!ours)
            continue;
        throw_if_any(changes.failure());
        co_return job_state::available;
    }
}

bool is_kickable(const job_record& job) noexcept {
    return !job.settling &&
           (job.state == job_state::discarded || job.state == job_state::scheduled);
}

asio::awaitable<void> kick_job(std::shared_ptr<queue_core> core, job_id id) {
    core->refuse_when_shared("kicking jobs");
    change_waiters changes(*core);
    {
        wake_list wakes;
        std::unique_lock lock(core->shared().mutex);
        core->read_clock();
        job_record* const job = core->index().find(id);
        if (job == nullptr || !is_kickable(*job))
            throw error(errc::not_found, "job " + id.to_string() + " is not there to be kicked");
        changes.add(*job, result_waiter::event::changed);
        core->revive(*job, wakes);
        lock.unlock();
        wakes.run();
    }
    co_await changes.wait();
    throw_if_any(changes.failure());
}

/// The discarded jobs of a queue that are to be kicked, or when there are none its scheduled ones.
std::vector<job_record*> kicked(queue_core& core, const std::string& name, std::size_t jobs_max) {
    std::vector<job_record*> all;
    const queue_entry* const queue = core.find_queue(name);
    if (queue == nullptr)
        return all;
    const job_state from =
        queue->count(job_state::discarded) != 0 ? job_state::discarded : job_state::scheduled;
    const std::size_t most = std::min(jobs_max, queue->count(from));
    if (most == 0)
        return all;
    const auto choose = [&](job_record& job) {
        if (job.queue == queue && job.state == from && is_kickable(job))
            all.push_back(&job);
        return all.size() < most;
    };
    if (from == job_state::discarded)
        core.index().visit_discarded(choose);
    else
        core.index().visit_schedule(choose);
    return all;
}

asio::awaitable<std::size_t> kick_queue(std::shared_ptr<queue_core> core, std::string queue,
                                        std::size_t jobs_max) {
    core->refuse_when_shared("kicking jobs");
    if (jobs_max == 0 || jobs_max > batch_max)
        throw error(errc::invalid_option, "jobs_max: must be 1 to 10,000");
    change_waiters changes(*core);
    {
        wake_list wakes;
        std::unique_lock lock(core->shared().mutex);
        core->read_clock();
        for (job_record* job : kicked(*core, queue, jobs_max)) {
            changes.add(*job, result_waiter::event::changed);
            core->revive(*job, wakes);
        }
        lock.unlock();
        wakes.run();
    }
    co_await changes.wait();
    const std::size_t stored = changes.stored();
    if (stored == 0)
        throw_if_any(changes.failure());
    co_return stored;
}

} // namespace
} // namespace detail

asio::awaitable<job_state> job_queue::retry(job_id id) { return detail::retry_job(core_, id); }

asio::awaitable<std::size_t> job_queue::kick(std::string queue, std::size_t jobs_max) {
    return detail::kick_queue(core_, std::move(queue), jobs_max);
}

asio::awaitable<void> job_queue::kick(job_id id) { return detail::kick_job(core_, id); }

} // namespace lifeguard
