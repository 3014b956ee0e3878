#include <lifeguard/engine.hpp>

#include "base/log_tee.hpp"
#include "base/saturate.hpp"
#include "queue/queue_core.hpp"
#include "supervision/supervisor_shell.hpp"
#include "supervision/validation.hpp"
#include "worker/pool_core.hpp"

#include <boost/asio/co_spawn.hpp>

#include <atomic>

namespace lifeguard {

class engine::core {
  public:
    core(const asio::any_io_executor& executor, engine_options options)
        : options_(std::move(options)),
          log_(std::make_shared<detail::log_tee>(options_.log ? options_.log
                                                              : stderr_log(log_level::warning))),
          runtime_(
              std::make_shared<detail::runtime>(executor, options_.time, log_, options_.metrics)),
          queue_(std::make_shared<detail::queue_core>(
              runtime_, options_.queue,
              (options_.make_store ? options_.make_store() : memory_store(options_.memory))
                  .release())) {
        runtime_->seed_names = options_.seed_names;
        for (const auto& [kind, command] : options_.commands)
            add_command(kind, command);
        queue_->open();
        if (options_.pools.empty())
            options_.pools.emplace_back();
        for (worker_pool_options& pool : options_.pools)
            add_pool(std::move(pool));
        root_ = make_root(executor);
        count_restarts();
    }

    void add_command(const std::string& kind, command_options command) {
        if (!command.time)
            command.time = runtime_->time;
        handler runs = command_handler(std::move(command));
        queue_->set_handler(kind, std::move(runs));
    }

    const worker_pool& pool(std::string_view name) const {
        for (const worker_pool& p : pools_)
            if (p.name() == name)
                return p;
        throw error(errc::no_such_pool, "pool '" + std::string(name) + "'");
    }

    const std::vector<worker_pool>& pools() const noexcept { return pools_; }
    const std::shared_ptr<detail::queue_core>& queue() const noexcept { return queue_; }
    const supervisor& root() const noexcept { return *root_; }
    const metrics_registry& metrics() const noexcept { return *runtime_->metrics; }
    detail::log_tee& log() const noexcept { return *log_; }

    void begin_run() { running_ = true; }
    bool stopping() const noexcept { return *stopping_; }

    void serve(child_spec spec) {
        if (running_)
            throw error(errc::already_started, "engine '" + options_.name + "'");
        const std::string id = spec.id;
        detail::validate(spec, supervisor_options());
        if (!root_->share()->add_first(std::move(spec)))
            throw error(errc::already_present, "child '" + id + "'");
    }

    void begin_stop() const {
        *stopping_ = true;
        begin_stop(pools_);
    }

  private:
    static void begin_stop(const std::vector<worker_pool>& pools) {
        for (worker_pool p : pools)
            p.begin_stop();
    }

    void add_pool(worker_pool_options options) {
        for (const worker_pool& other : pools_)
            if (other.name() == options.name)
                throw error(errc::duplicate_id, "pool '" + options.name + "'");
        pools_.emplace_back(job_queue(queue_), std::move(options), runtime_->log);
    }

    /// The queue's upkeep first: it is there before the pools come, and when they have gone.
    std::optional<supervisor> make_root(const asio::any_io_executor& executor) {
        supervisor_options options;
        options.name = options_.name;
        options.intensity = options_.intensity;
        options.period = options_.period;
        options.time = runtime_->time;
        options.log = runtime_->log;
        std::vector<child_spec> children;
        children.emplace_back("queue", [queue = queue_] { return queue->run_upkeep(); });
        for (const worker_pool& p : pools_)
            children.push_back(p.spec());
        supervisor root(executor, std::move(options), std::move(children));
        // The supervisor stops one pool after the other: those whose turn comes late shall not
        // begin jobs meanwhile, nor have their time to finish afterwards.
        root.share()->when_stopping([pools = pools_, stopping = stopping_] {
            *stopping = true;
            begin_stop(pools);
        });
        return root;
    }

    struct tally {
        std::atomic<std::uint64_t> restarts = 0;
        std::atomic<std::uint64_t> escalations = 0;
    };

    /// What happens to the children of the root: each is a part of the engine, and more than one
    /// worker's trouble.
    void count_restarts() {
        const auto seen = std::make_shared<tally>();
        const auto read = [&](const char* name, const char* help,
                              std::atomic<std::uint64_t> tally::* which) {
            metrics_.make_counter(name, help, {},
                                  [seen, which] { return static_cast<double>(*seen.*which); });
        };
        read("lifeguard_supervisor_restarts_total", "Restarts below the engine's root.",
             &tally::restarts);
        read("lifeguard_supervisor_escalations_total",
             "Pools and other supervisors below the root that gave up.", &tally::escalations);
        counting_ = root_->subscribe([seen](const supervisor_event& e) {
            using kind = supervisor_event::kind;
            if (e.what == kind::restart_scheduled)
                ++seen->restarts;
            if (e.what == kind::child_exited && e.reason.detail == "intensity_exceeded")
                ++seen->escalations;
        });
    }

    engine_options options_;
    const std::shared_ptr<detail::log_tee> log_;
    const std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
    std::atomic<bool> running_ = false;
    const std::shared_ptr<detail::runtime> runtime_;
    const std::shared_ptr<detail::queue_core> queue_;
    std::vector<worker_pool> pools_;
    std::optional<supervisor> root_;
    metrics_scope metrics_{runtime_->metrics};
    std::shared_ptr<void> counting_; // the subscription
};

engine::engine(asio::any_io_executor executor, engine_options options)
    : core_(std::make_shared<core>(executor, std::move(options))) {}

void engine::register_handler(const std::string& kind, handler h) {
    core_->queue()->set_handler(kind, std::move(h));
}

void engine::handle_command(const std::string& kind, command_options options) {
    core_->add_command(kind, std::move(options));
}

void engine::validate(const std::string& kind, validator check) {
    core_->queue()->set_validator(kind, std::move(check));
}

// None of the members is a coroutine itself: the handle may be gone when the coroutine begins.

asio::awaitable<void> engine::run() { return run(core_); }

asio::awaitable<void> engine::run(std::shared_ptr<core> self) {
    auto root = self->root();
    self->begin_run();
    std::exception_ptr failed;
    try {
        co_await root.run();
    } catch (...) {
        failed = std::current_exception();
    }
    // Nobody shall wait for workers that will not come.
    for (worker_pool p : self->pools())
        p.stop_accepting();
    if (failed)
        std::rethrow_exception(failed);
}

asio::awaitable<void> engine::stop() { return stop(core_); }

asio::awaitable<void> engine::stop(std::shared_ptr<core> self) {
    auto root = self->root();
    self->begin_stop(); // now, and not when the supervisor comes to it
    co_await root.stop();
}

namespace {

/// A stop that somebody waits for, and may get tired of.
class awaited_stop final : public detail::timed_wait {
  public:
    std::exception_ptr failed;
};

} // namespace

asio::awaitable<stop_answer> engine::stop_within(duration wait) { return stop_within(core_, wait); }

asio::awaitable<stop_answer> engine::stop_within(std::shared_ptr<core> self, duration wait) {
    const std::shared_ptr<detail::queue_core> queue = self->queue();
    const auto stopped = std::make_shared<awaited_stop>();
    auto done = [queue, stopped](const std::exception_ptr& failed) {
        detail::wake_list wakes;
        {
            const std::lock_guard lock(queue->shared().mutex);
            stopped->failed = failed;
            stopped->finish(detail::timed_wait::end::served, wakes);
        }
        wakes.run();
    };
    asio::co_spawn(queue->shared().executor, stop(self), std::move(done));
    const time_point until = detail::later(queue->shared().time->now(), wait);
    co_await queue->wait_until(*stopped, until);
    const std::lock_guard lock(queue->shared().mutex);
    switch (stopped->ended()) {
    case detail::timed_wait::end::served:
        if (stopped->failed)
            std::rethrow_exception(stopped->failed);
        co_return stop_answer::stopped;
    case detail::timed_wait::end::timed_out:
        co_return stop_answer::deadline;
    case detail::timed_wait::end::none:
    case detail::timed_wait::end::cancelled:
        break;
    }
    throw boost::system::system_error(asio::error::operation_aborted, "stop_within");
}

void engine::request_stop() {
    auto root = core_->root();
    core_->begin_stop();
    root.request_stop();
}

void engine::serve(child_spec spec) { core_->serve(std::move(spec)); }

bool engine::stopping() const noexcept { return core_->stopping(); }

std::shared_ptr<void> engine::on_log(std::function<void(const log_record&)> f) {
    return core_->log().on_record(std::move(f));
}

worker_pool engine::pool(std::string_view name) const { return core_->pool(name); }

std::vector<std::string> engine::pools() const {
    std::vector<std::string> names;
    for (const worker_pool& p : core_->pools())
        names.push_back(p.name());
    return names;
}

job_queue engine::queue() const { return job_queue(core_->queue()); }

supervisor engine::root() const { return core_->root(); }

asio::awaitable<std::string> engine::tree() const { return core_->root().tree(); }

std::string engine::metrics() const { return core_->metrics().to_prometheus(); }

std::optional<double> engine::metrics_value(std::string_view metric,
                                            const metric_labels& labels) const {
    return core_->metrics().value(metric, labels);
}

} // namespace lifeguard
