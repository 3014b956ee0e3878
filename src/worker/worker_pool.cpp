#include <lifeguard/worker_pool.hpp>

#include "worker/pool_core.hpp"

namespace lifeguard {

using detail::execution;
using detail::pool_core;
using detail::queue_core;
using detail::result_waiter;
using detail::wake_list;

namespace {

void require(bool ok, const worker_pool_options& options, const char* field, const char* rule) {
    if (!ok)
        throw error(errc::invalid_option, "pool '" + options.name + "', " + field + ": " + rule);
}

void validate(const worker_pool_options& o) {
    require(!o.name.empty(), o, "name", "must not be empty");
    require(o.size + o.max_overflow > 0, o, "size", "a pool without workers runs nothing");
    require(o.size <= 10000, o, "size", "must be 10,000 at most");
    require(o.max_overflow <= 10000, o, "max_overflow", "must be 10,000 at most");
    require(o.pull_size >= 1 && o.pull_size <= 1000, o, "pull_size", "must be 1 to 1,000");
    require(o.concurrency >= 1 && o.concurrency <= 10000, o, "concurrency", "must be 1 to 10,000");
    require(o.process_timeout > duration::zero(), o, "process_timeout", "must be positive");
    require(o.checkout_wait >= duration::zero(), o, "checkout_wait", "must not be negative");
    require(o.drain_wait >= duration::zero(), o, "drain_wait", "must not be negative");
    require(o.cancel_grace >= duration::zero(), o, "cancel_grace", "must not be negative");
    require(o.stuck_threshold >= duration::zero(), o, "stuck_threshold", "must not be negative");
    require(!o.priority || (*o.priority >= priority_first && *o.priority <= priority_last), o,
            "priority", "must be 0 to 9");
    require(o.period > duration::zero(), o, "period", "must be positive");
    const circuit_breaker checks(o.breaker);
}

/// What links an execute to the engine ends with its frame, however that ends.
class executing {
  public:
    executing(pool_core& pool, execution& e) noexcept : pool_(pool), execution_(e) {}
    ~executing() {
        if (execution_.got == result_waiter::answer::finished && !execution_.waits_for_worker())
            return; // the usual end: nothing is linked any more
        wake_list wakes;
        {
            const std::lock_guard lock(pool_.mutex());
            pool_.leave_checkout(execution_, wakes);
            queue_core::remove_waiter(execution_);
        }
        wakes.run();
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
            execution_->started(); // the job goes on: it is not to be withdrawn on behalf of nobody
            queue_core::remove_waiter(*execution_);
            execution_->got = result_waiter::answer::timed_out;
            wakes.add(*execution_);
        }
        wakes.run();
    }
    void forget() {
        const std::lock_guard lock(pool_->mutex());
        execution_ = nullptr;
    }

  private:
    const std::shared_ptr<pool_core> pool_;
    execution* execution_;
};

} // namespace

worker_pool::worker_pool(job_queue jobs, worker_pool_options options,
                         std::shared_ptr<log_sink> log) {
    validate(options);
    core_ = std::make_shared<pool_core>(jobs.core(), std::move(options), std::move(log));
    core_->open();
}

asio::awaitable<void> worker_pool::run() {
    auto supervises = core_->make_supervisor();
    co_await supervises.run();
}

child_spec worker_pool::spec() const {
    child_spec spec(core_->options().name,
                    [core = core_] { return child_body(core->make_supervisor()); });
    spec.type = child_type::supervisor;
    return spec;
}

asio::awaitable<json> worker_pool::execute(new_job job, execute_options options) {
    const auto core = core_;
    queue_core& jobs = core->jobs();
    jobs.check(job);

    execution waiter;
    waiter.takes_result = !options.keep_result;
    const executing guard(*core, waiter);
    job_id id;
    std::exception_ptr refused;
    std::shared_ptr<execute_deadline> patience;

    // Submits the job and parks under one lock: a worker may be done with it before the caller
    // sleeps.
    auto submit = [&](detail::resumption r) {
        auto slot = r.get_cancellation_slot();
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
            if (parks)
                jobs.parked.park(waiter, std::move(r));
        }
        if (!parks)
            asio::post(std::move(r));
        wakes.run();
    };
    if (options.execute_wait > duration::zero()) {
        patience = std::make_shared<execute_deadline>(core, waiter);
        core->shared().deadlines->arm(*patience, core->shared().time->now() + options.execute_wait);
    }
    co_await detail::suspend(submit);
    if (patience) {
        patience->forget();
        core->shared().deadlines->disarm(*patience);
    }
    if (refused)
        std::rethrow_exception(refused);
    if (waiter.exhausted)
        throw error(errc::pool_exhausted,
                    "pool '" + core->options().name + "': job " + id.to_string());
    if (waiter.error)
        std::rethrow_exception(waiter.error);
    co_return queue_core::result_of(std::move(waiter), id);
}

asio::awaitable<job_id> worker_pool::submit(new_job job) {
    if (job.queue.empty()) {
        job.queue = core_->first_queue();
    } else {
        const std::lock_guard lock(core_->mutex());
        core_->queue_for(job);
    }
    return queue().push(std::move(job));
}

asio::awaitable<job_id> worker_pool::submit_json(std::string text) {
    return submit(parse_job(text, core_->jobs().options().limits).value());
}

asio::awaitable<json> worker_pool::result(job_id id) { return queue().result(id); }

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

asio::awaitable<void> worker_pool::kill(std::string worker_id) {
    const auto core = core_;
    auto running = core->current_supervisor();
    if (!running)
        throw error(errc::no_such_pool, "pool '" + core->options().name + "'");
    co_await running->kill_child(std::move(worker_id));
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
