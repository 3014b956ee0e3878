// The tree of a manager: the state service, and behind it the supervisor of the workers.
#include "dynamic/dynamic_turn.hpp"
#include "dynamic/validate_rhythm.hpp"
#include <lifeguard/shielded.hpp>

namespace lifeguard::detail {

using asio::this_coro::throw_if_cancelled;

namespace {

constexpr const char* workers_id = "workers";

std::optional<supervisor> handle_of(const std::weak_ptr<supervisor::shell>& running) {
    auto shell = running.lock();
    if (!shell)
        return std::nullopt;
    return supervisor(std::move(shell));
}

} // namespace

/// Answers the restarts that have been asked for so far when it ends, however that happens.
class dynamic_core::restart_guard {
  public:
    explicit restart_guard(dynamic_core& core) : core_(core) {
        const std::lock_guard lock(core_.runtime_->mutex);
        core_.restarts_ = false;
        callers_.swap(core_.restarters_);
    }
    restart_guard(const restart_guard&) = delete;
    restart_guard& operator=(const restart_guard&) = delete;
    ~restart_guard() {
        turn t(core_);
        for (auto& s : callers_)
            t.settle(std::move(s), failed);
    }

    std::exception_ptr failed =
        std::make_exception_ptr(error(errc::stopped, "the manager was stopped while it restarted"));

  private:
    dynamic_core& core_;
    std::vector<std::shared_ptr<completion>> callers_;
};

// --- a run of the manager

supervisor dynamic_core::make_supervisor() {
    const auto self = shared_from_this();
    supervisor_options options;
    options.name = options_.name;
    options.strategy = strategy::rest_for_one;
    options.intensity = options_.intensity;
    options.period = options_.period;
    options.time = runtime_->time;
    options.log = options_.log;
    // When the workers' supervisor gives up, so does the manager: its limits are the same.
    options.auto_shutdown = auto_shutdown::any_significant;

    std::vector<child_spec> children;
    children.emplace_back(
        "state", [self](child_context context) { return serve(self, std::move(context)); });
    children.back().waits_for_ready = true;
    children.emplace_back(workers_id, [self](const child_context& context) {
        return child_body(self->make_workers(context));
    });
    children.back().type = child_type::supervisor;
    children.back().restart = restart_type::transient;
    children.back().significant = true;

    const asio::any_io_executor home = home_->strand();
    if (!home)
        throw not_running();
    supervisor made(home, std::move(options), std::move(children));
    auto events = made.subscribe([weak = weak_from_this()](const supervisor_event& event) {
        const auto alive = weak.lock();
        if (!alive)
            return;
        if (event.what == supervisor_event::kind::ended)
            alive->close();
        else if (event.what == supervisor_event::kind::child_started && event.child == workers_id)
            alive->workers_started();
    });
    const std::lock_guard lock(runtime_->mutex);
    if (running_ && !manager_.expired())
        throw error(errc::already_started, whose());
    running_ = true;
    stopped_ = false;
    gave_up_ = false;
    manager_ = made.share();
    manager_events_.swap(events);
    return made;
}

asio::awaitable<void> dynamic_core::run(std::shared_ptr<dynamic_core> self) {
    supervisor manager = self->make_supervisor();
    co_await manager.run();
    const std::lock_guard lock(self->runtime_->mutex);
    if (self->gave_up_)
        throw exit_shutdown("intensity_exceeded");
}

asio::awaitable<void> dynamic_core::stop(std::shared_ptr<dynamic_core> self) {
    auto manager = self->current_supervisor();
    if (!manager)
        co_return;
    {
        const std::lock_guard lock(self->runtime_->mutex);
        self->stopped_ = true;
    }
    co_await manager->stop();
}

asio::awaitable<std::string> dynamic_core::tree(std::shared_ptr<dynamic_core> self) {
    const auto manager = self->current_supervisor();
    if (!manager)
        throw self->not_running();
    co_return co_await manager->tree();
}

std::optional<supervisor> dynamic_core::current_supervisor() {
    const std::lock_guard lock(runtime_->mutex);
    return handle_of(manager_);
}

/// The manager has ended.
void dynamic_core::close() {
    workers_ended();
    {
        restart_guard unanswered(*this);
        unanswered.failed = std::make_exception_ptr(not_running());
    }
    std::shared_ptr<void> events; // ends without the lock
    const std::lock_guard lock(runtime_->mutex);
    running_ = false;
    state_ = manager_state::unknown;
    manager_.reset();
    events.swap(manager_events_);
}

// --- the workers' supervisor

/// Throws what `children_specs` throws.
supervisor dynamic_core::make_workers(const child_context& context) {
    workers_ended(); // those of a supervisor that was killed
    const auto behaves = behaviour();
    std::map<std::string, worker_spec> specs;
    if (behaves && behaves->children_specs)
        specs = behaves->children_specs();
    if (specs.size() > options_.workers_max)
        throw error(errc::limit_reached,
                    whose() + ": workers_max: children_specs has " + std::to_string(specs.size()));
    supervisor_options options;
    options.name = workers_id;
    options.intensity = options_.intensity;
    options.period = options_.period;
    options.time = runtime_->time;
    options.log = options_.log;

    std::vector<std::shared_ptr<dynamic_worker>> workers;
    std::vector<child_spec> children;
    for (auto& [id, spec] : specs) {
        if (!spec.rhythm)
            spec.rhythm = options_.rhythm;
        validate(*spec.rhythm, whose() + ": '" + id + "'");
        workers.push_back(std::make_shared<dynamic_worker>(id, std::move(spec)));
        children.push_back(spec_of(workers.back()));
    }
    supervisor made(context.executor(), std::move(options), std::move(children));
    auto events = made.subscribe([weak = weak_from_this()](const supervisor_event& event) {
        const auto alive = weak.lock();
        if (!alive)
            return;
        if (event.what == supervisor_event::kind::gave_up) {
            const std::lock_guard lock(alive->runtime_->mutex);
            alive->gave_up_ = true;
        } else if (event.what == supervisor_event::kind::ended) {
            alive->workers_ended();
        }
    });
    const std::lock_guard lock(runtime_->mutex);
    for (auto& w : workers)
        registry_.add(std::move(w));
    is_up_ = false;
    workers_ = made.share();
    workers_events_.swap(events);
    return made;
}

void dynamic_core::workers_started() {
    turn t(*this);
    is_up_ = true;
    wake_service(t);
}

/// Whoever is still on the map comes no more.
void dynamic_core::workers_ended() {
    std::vector<std::shared_ptr<worker_record>> gone;
    std::shared_ptr<void> events;
    turn t(*this); // ends first
    t.failure_of_gone = std::make_exception_ptr(not_running());
    gone = registry_.clear(t);
    is_up_ = false;
    workers_.reset();
    events.swap(workers_events_);
}

// --- the state service

asio::awaitable<void> dynamic_core::serve(std::shared_ptr<dynamic_core> self,
                                          child_context context) {
    co_await announce_starting(self);
    context.ready();
    for (;;) {
        co_await throw_if_cancelled(false);
        occasion next = co_await next_occasion(self, context);
        if (next == occasion::stop)
            break;
        co_await throw_if_cancelled(true);
        if (next == occasion::up) {
            const state_answer answer = co_await announce(self, manager_state::up);
            if (answer == state_answer::restart) {
                self->charge_restart();
                next = occasion::restart;
            }
        }
        if (next == occasion::restart)
            co_await start_over(self);
    }
    co_await shield(); // it may take its time
    co_await announce_down(self);
}

/// Tells the user, who may ask for a restart.
asio::awaitable<state_answer> dynamic_core::announce(std::shared_ptr<dynamic_core> self,
                                                     manager_state now) {
    {
        const std::lock_guard lock(self->runtime_->mutex);
        self->state_ = now;
    }
    const auto behaves = self->behaviour();
    if (!behaves || !behaves->handle_state_change)
        co_return state_answer::ok;
    co_return co_await behaves->handle_state_change(now);
}

/// Nothing has been started yet, so to be asked for a restart is to begin anew.
asio::awaitable<void> dynamic_core::announce_starting(std::shared_ptr<dynamic_core> self) {
    for (;;) {
        const state_answer answer = co_await announce(self, manager_state::starting);
        if (answer == state_answer::ok)
            co_return;
        self->charge_restart();
    }
}

asio::awaitable<void> dynamic_core::announce_down(std::shared_ptr<dynamic_core> self) {
    std::exception_ptr failed;
    try {
        co_await announce(self, manager_state::down);
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed)
        self->callback_failed("handle_state_change", failed);
}

/// A behaviour that asks for a restart each time must not keep the program busy for ever.
void dynamic_core::charge_restart() {
    const std::lock_guard lock(runtime_->mutex);
    if (!answered_.charge(runtime_->time->now()))
        throw error(errc::intensity_exceeded,
                    whose() + ": handle_state_change asked for too many restarts");
}

/// All workers stop, and those of `children_specs` start. What it throws is a crash of the service,
/// and the supervisor tries again within its limits.
asio::awaitable<void> dynamic_core::start_over(std::shared_ptr<dynamic_core> self) {
    restart_guard callers(*self);
    auto manager = self->current_supervisor();
    if (!manager)
        throw self->not_running();
    try {
        co_await manager->terminate_child(workers_id);
        co_await announce_down(self);
        co_await announce_starting(self);
        co_await manager->restart_child(workers_id);
        callers.failed = nullptr;
    } catch (...) {
        callers.failed = std::current_exception();
        throw;
    }
}

asio::awaitable<dynamic_core::occasion>
dynamic_core::next_occasion(std::shared_ptr<dynamic_core> self, child_context context) {
    asio::cancellation_slot slot;
    auto park = [&](resumption r) {
        slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign([self](asio::cancellation_type) {
                turn t(*self);
                self->wake_service(t);
            });
        {
            const std::lock_guard lock(self->runtime_->mutex);
            if (!self->is_up_ && !self->restarts_ && !self->closed_ && !context.stop_requested()) {
                self->parked_.park(self->service_, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await suspend(park);
    if (slot.is_connected())
        slot.clear();
    const std::lock_guard lock(self->runtime_->mutex);
    if (self->closed_ || context.stop_requested())
        co_return occasion::stop;
    if (std::exchange(self->is_up_, false))
        co_return occasion::up;
    co_return occasion::restart;
}

void dynamic_core::wake_service(turn& t) {
    if (service_.is_parked())
        t.wakes.add(service_);
}

// --- restarts by hand

asio::awaitable<void> dynamic_core::restart(std::shared_ptr<dynamic_core> self) {
    auto s = std::make_shared<completion>();
    {
        turn t(*self);
        if (!self->running_ || self->stopped_ || self->closed_)
            throw self->not_running();
        self->restarters_.push_back(s);
        self->restarts_ = true;
        self->wake_service(t);
    }
    co_await wait_for(std::move(s));
}

} // namespace lifeguard::detail
