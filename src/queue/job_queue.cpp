#include <lifeguard/job_queue.hpp>

#include "queue/locate.hpp"
#include "queue/queue_core.hpp"
#include "queue/waiting_guard.hpp"

#include <algorithm>

namespace lifeguard {

using detail::job_record;
using detail::queue_core;
using detail::result_waiter;
using detail::wake_list;

namespace {

// The coroutines own the core: a handle may be a temporary, gone before its operation starts.

asio::awaitable<void> remove_job(std::shared_ptr<queue_core> core, job_id id) {
    core->refuse_when_shared("removing jobs");
    detail::plain_waiter waiter(result_waiter::event::changed);
    detail::waiting_guard guard(*core, waiter);
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    core->read_clock();
    job_record* job = core->index().find(id);
    if (job == nullptr || (job->settling && job->state != job_state::executing))
        throw error(errc::not_found, "job " + id.to_string()); // or about to be gone
    if (job->state == job_state::executing)
        throw error(errc::executing, "job " + id.to_string());
    queue_core::add_waiter(*job, waiter);
    core->remove(*job, wakes);
    guard.answered = waiter.got != result_waiter::answer::none;
    lock.unlock();
    wakes.run();
    if (!guard.answered)
        co_await core->wait(waiter);
    queue_core::throw_unless_stored(waiter, id);
}

asio::awaitable<json> await_result(std::shared_ptr<queue_core> core, job_id id) {
    detail::plain_waiter waiter(result_waiter::event::finished);
    detail::waiting_guard guard(*core, waiter);
    std::unique_lock lock(core->shared().mutex);
    job_record* job = core->index().find(id);
    if (job == nullptr && core->store().is_shared()) {
        lock.unlock();
        co_await detail::locate(core, id);
        lock.lock();
        job = core->index().find(id);
    }
    if (job == nullptr)
        throw error(errc::not_found, "job " + id.to_string());
    core->add_result_waiter(*job, waiter);
    guard.answered = waiter.got != result_waiter::answer::none;
    lock.unlock();
    if (!guard.answered)
        co_await core->wait(waiter);
    co_return queue_core::result_of(std::move(waiter), id);
}

} // namespace

job_queue::job_queue(asio::any_io_executor executor, store jobs, queue_options options,
                     std::shared_ptr<time_source> time)
    : core_(std::make_shared<queue_core>(
          std::make_shared<detail::runtime>(executor, std::move(time), nullptr, nullptr), options,
          jobs.release())) {
    core_->open();
}

asio::awaitable<void> job_queue::run() { return core_->run_upkeep(); }

asio::awaitable<void> job_queue::remove(job_id id) { return remove_job(core_, id); }

asio::awaitable<json> job_queue::result(job_id id) { return await_result(core_, id); }

asio::awaitable<void> job_queue::pause(std::string queue, duration length) {
    return queue_core::set_pause(core_, std::move(queue), true, length);
}

asio::awaitable<void> job_queue::resume(std::string queue) {
    return queue_core::set_pause(core_, std::move(queue), false, duration::zero());
}

void job_queue::set_draining(bool on) { core_->set_draining(on); }

queue_status job_queue::status(const std::string& queue) const {
    const std::lock_guard lock(core_->shared().mutex);
    return core_->status_of(queue);
}

std::optional<job_info> job_queue::find(job_id id) const {
    const std::lock_guard lock(core_->shared().mutex);
    const job_record* job = core_->index().find(id);
    if (job == nullptr)
        return std::nullopt;
    return core_->describe(*job);
}

asio::awaitable<job_page> job_queue::list(list_options options) {
    return queue_core::list(core_, std::move(options));
}

std::optional<job_explanation> job_queue::explain(job_id id) const {
    const std::lock_guard lock(core_->shared().mutex);
    core_->read_clock();
    const job_record* job = core_->index().find(id);
    if (job == nullptr)
        return std::nullopt;
    return core_->explain(*job);
}

queue_counts job_queue::counts(const std::string& queue) const {
    const std::lock_guard lock(core_->shared().mutex);
    return core_->counts_of(queue);
}

std::vector<std::string> job_queue::queues() const {
    std::vector<std::string> names;
    {
        const std::lock_guard lock(core_->shared().mutex);
        core_->for_each_queue([&](const detail::queue_entry& q) { names.push_back(q.name); });
    }
    std::ranges::sort(names);
    return names;
}

} // namespace lifeguard
