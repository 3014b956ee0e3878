#include <lifeguard/worker_pool.hpp>

#include "worker/pool_core.hpp"
#include "worker/pool_options.hpp"

namespace lifeguard {

using detail::execution;
using detail::pool_core;
using detail::queue_core;
using detail::result_waiter;
using detail::wake_list;

namespace {

void validate(const worker_pool_options& options) {
    if (const auto broken = detail::broken_rule_of(options))
        throw error(errc::invalid_option,
                    "pool '" + options.name + "', " + broken->field + ": " + broken->rule);
}

/// What links an execute to the engine ends with its frame, however that ends.
class executing {
  public:
    executing(pool_core& pool, execution& e) noexcept : pool_(pool), execution_(e) {}
    ~executing() {
        if (execution_.got == result_waiter::answer::finished)
            return; // the usual end: nothing is linked any more
        const std::lock_guard lock(pool_.mutex());
        execution_.answered();
        queue_core::remove_waiter(execution_);
        pool_.rest();
    }
    executing(const executing&) = delete;
    executing& operator=(const executing&) = delete;

  private:
    pool_core& pool_;
    execution& execution_;
};

/// Bounds how long the caller of an execute waits.
class execute_deadline final : public detail::deadline {
  public:
    execute_deadline(std::shared_ptr<pool_core> pool, execution& e)
        : pool_(std::move(pool)), execution_(&e) {}

    void expired(time_point) override {
        wake_list wakes;
        {
            const std::lock_guard lock(pool_->mutex());
            if (execution_ == nullptr || !execution_->is_parked())
                return;
            execution_->answered(); // the job is not to be withdrawn on behalf of nobody
            queue_core::remove_waiter(*execution_);
            execution_->got = result_waiter::answer::timed_out;
            wakes.add(*execution_);
        }
        wakes.run();
    }
    /// With the lock held.
    void forget() noexcept { execution_ = nullptr; }

  private:
    const std::shared_ptr<pool_core> pool_;
    execution* execution_;
};

asio::awaitable<void> run_pool(std::shared_ptr<pool_core> core) {
    auto supervises = core->make_supervisor();
    co_await supervises.run();
    core->stop_accepting();
}

asio::awaitable<json> execute_in(std::shared_ptr<pool_core> core, new_job job,
                                 execute_options options) {
    queue_core& jobs = core->jobs();
    jobs.check(job);

    execution waiter(*core, options);
    const executing guard(*core, waiter);
    job_id id;
    std::exception_ptr refused;
    std::shared_ptr<execute_deadline> patience;
    if (options.execute_wait > duration::zero())
        patience = std::make_shared<execute_deadline>(core, waiter);
    asio::cancellation_slot slot;

    // Submits the job and parks under one lock: a worker may be done with it before the caller
    // sleeps.
    auto submit = [&](detail::resumption r) {
        slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign(jobs.detach_on_cancel(waiter));
        wake_list wakes;
        bool parks = false;
        {
            const std::lock_guard lock(core->mutex());
            try {
                id = core->submit(std::move(job), options, waiter, wakes);
                parks = waiter.got == result_waiter::answer::none;
            } catch (...) {
                refused = std::current_exception();
            }
            if (parks) {
                jobs.parked.park(waiter, std::move(r));
                if (patience)
                    core->shared().deadlines->arm(
                        *patience, detail::later(jobs.clock().now, options.execute_wait));
            }
        }
        if (!parks)
            asio::post(std::move(r)); // NOLINT(bugprone-use-after-move): it has not been parked
        wakes.run();
    };
    co_await detail::suspend(submit);
    if (slot.is_connected())
        slot.clear(); // its handler refers to this frame
    if (patience) {
        {
            const std::lock_guard lock(core->mutex());
            patience->forget();
        }
        core->shared().deadlines->disarm(*patience);
    }
    if (refused)
        std::rethrow_exception(refused);
    // A job that others share may have been begun before it could be withdrawn.
    const bool begun =
        waiter.got == result_waiter::answer::finished && waiter.state != job_state::cancelled;
    if (waiter.exhausted && !begun)
        throw error(errc::pool_exhausted,
                    "pool '" + core->options().name + "': job " + id.to_string());
    if (waiter.got == result_waiter::answer::closed)
        throw error(errc::stopped, "pool '" + core->options().name + "': job " + id.to_string());
    if (waiter.error)
        std::rethrow_exception(waiter.error);
    co_return queue_core::result_of(std::move(waiter), id);
}

asio::awaitable<job_id> submit_to(std::shared_ptr<pool_core> core, new_job job) {
    {
        const std::lock_guard lock(core->mutex());
        core->refuse_when_stopped();
        job.queue = core->queue_for(job).name;
    }
    job_queue queue(core->shared_jobs());
    co_return co_await queue.push(std::move(job));
}

asio::awaitable<job_id> submit_text(std::shared_ptr<pool_core> core, std::string text) {
    new_job job = parse_job(text, core->jobs().options().limits).value();
    co_return co_await submit_to(std::move(core), std::move(job));
}

asio::awaitable<json> result_from(std::shared_ptr<pool_core> core, job_id id) {
    job_queue queue(core->shared_jobs());
    co_return co_await queue.result(id);
}

asio::awaitable<void> kill_in(std::shared_ptr<pool_core> core, std::string worker_id) {
    auto running = core->current_supervisor();
    if (!running)
        throw error(errc::no_such_pool, "pool '" + core->options().name + "'");
    co_await running->kill_child(std::move(worker_id));
}

} // namespace

worker_pool::worker_pool(const job_queue& jobs, worker_pool_options options,
                         std::shared_ptr<log_sink> log) {
    validate(options);
    core_ = std::make_shared<pool_core>(jobs.core(), std::move(options), std::move(log));
    core_->open();
}

// None of the members is a coroutine itself: the handle may be gone when the coroutine begins.

asio::awaitable<void> worker_pool::run() { return run_pool(core_); }

child_spec worker_pool::spec() const {
    child_spec spec(core_->options().name,
                    [core = core_] { return child_body(core->make_supervisor()); });
    spec.type = child_type::supervisor;
    return spec;
}

asio::awaitable<json> worker_pool::execute(new_job&& job, execute_options options) {
    return execute_in(core_, std::move(job), options);
}

asio::awaitable<json> worker_pool::execute(const new_job& job, execute_options options) {
    return execute_in(core_, job, options);
}

asio::awaitable<job_id> worker_pool::submit(new_job job) {
    return submit_to(core_, std::move(job));
}

asio::awaitable<job_id> worker_pool::submit_json(std::string text) {
    return submit_text(core_, std::move(text));
}

asio::awaitable<json> worker_pool::result(job_id id) { return result_from(core_, id); }

pool_status worker_pool::status() const { return core_->status(); }

std::vector<worker_status> worker_pool::workers() const {
    const std::lock_guard lock(core_->mutex());
    core_->jobs().read_clock();
    std::vector<worker_status> all;
    for (const auto& w : core_->workers())
        all.push_back(core_->describe(*w));
    return all;
}

worker_status worker_pool::worker(const std::string& id) const {
    const std::lock_guard lock(core_->mutex());
    core_->jobs().read_clock();
    const auto w = core_->find(id);
    if (!w)
        throw error(errc::not_found, "worker '" + id + "'");
    return core_->describe(*w);
}

std::vector<breaker_status> worker_pool::breakers() const {
    const std::lock_guard lock(core_->mutex());
    core_->jobs().read_clock();
    return core_->breakers();
}

void worker_pool::control_breaker(const std::string& name, breaker_command command) {
    core_->control_breaker(name, command);
}

asio::awaitable<void> worker_pool::kill(std::string worker_id) {
    return kill_in(core_, std::move(worker_id));
}

void worker_pool::stop_accepting() { core_->stop_accepting(); }

void worker_pool::begin_stop() { core_->begin_stop(); }

void worker_pool::resize(unsigned size) {
    worker_pool_options wanted = core_->options();
    wanted.size = size;
    validate(wanted);
    core_->resize(size);
}

std::vector<std::string> worker_pool::over_limit(std::uint64_t limit) const {
    std::vector<std::string> ids;
    for (const worker_status& w : workers())
        if (w.restarts > limit)
            ids.push_back(w.id);
    return ids;
}

const std::string& worker_pool::name() const noexcept { return core_->options().name; }

job_queue worker_pool::queue() const { return job_queue(core_->shared_jobs()); }

} // namespace lifeguard
