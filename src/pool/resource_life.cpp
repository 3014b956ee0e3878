// The coroutines of a resource pool: the life of each resource, and the server that starts them.

#include "base/saturate.hpp"
#include "pool/resource_core.hpp"
#include "pool/resource_turn.hpp"
#include <lifeguard/shielded.hpp>

#include <boost/asio/co_spawn.hpp>

namespace lifeguard::detail {
namespace {

asio::awaitable<void> start_child(supervisor s, child_spec spec) {
    co_await s.start_child(std::move(spec));
}

asio::awaitable<void> terminate_child(supervisor s, std::string id) {
    co_await s.terminate_child(std::move(id));
}

std::optional<supervisor> handle_of(const std::weak_ptr<supervisor::shell>& running) {
    auto shell = running.lock();
    if (!shell)
        return std::nullopt;
    return supervisor(std::move(shell));
}

exit_reason shutdown_reason() {
    exit_reason why;
    why.what = exit_reason::kind::shutdown;
    return why;
}

exit_reason reason_of(const std::exception_ptr& failed) {
    exit_reason why;
    if (failed) {
        why.what = exit_reason::kind::error;
        why.detail = describe(failed);
        why.cause = failed;
    }
    return why;
}

} // namespace

// --- supervision

supervisor resource_core::make_supervisor() {
    const auto self = shared_from_this();
    supervisor_options options;
    options.name = options_.name;
    // As in PoolToy: a server without its resources, or resources without their server, are of no
    // use.
    options.strategy = strategy::one_for_all;
    options.intensity = options_.intensity;
    options.period = options_.period;
    options.time = runtime_->time;
    options.log = options_.log;

    std::vector<child_spec> children;
    children.emplace_back("resources", [self](const child_context& context) {
        supervisor_options resources;
        resources.name = "resources";
        resources.intensity = 0; // they are temporary: the server decides about others
        resources.time = self->runtime_->time;
        resources.log = self->options_.log;
        supervisor made(context.executor(), std::move(resources));
        {
            const std::lock_guard lock(self->runtime_->mutex);
            self->resources_ = made.share();
        }
        return child_body(std::move(made));
    });
    children.back().type = child_type::supervisor;
    children.back().shutdown = shutdown_policy::infinity();
    children.emplace_back("server", [self] { return serve(self); });

    supervisor made(runtime_->executor, std::move(options), std::move(children));
    auto at_end = made.subscribe([weak = weak_from_this()](const supervisor_event& event) {
        if (event.what != supervisor_event::kind::ended)
            return;
        if (const auto alive = weak.lock())
            alive->close();
    });
    const std::lock_guard lock(runtime_->mutex);
    if (running_)
        throw error(errc::already_started, "pool '" + options_.name + "'");
    running_ = true;
    stopped_ = false;
    pool_ = made.share();
    at_end_.swap(at_end);
    return made;
}

std::optional<supervisor> resource_core::current_supervisor() {
    const std::lock_guard lock(runtime_->mutex);
    return handle_of(pool_);
}

std::optional<supervisor> resource_core::resources_supervisor() {
    const std::lock_guard lock(runtime_->mutex);
    return handle_of(resources_);
}

// --- the server

asio::awaitable<void> resource_core::serve(std::shared_ptr<resource_core> self) {
    co_await asio::this_coro::throw_if_cancelled(false);
    struct serving {
        resource_core& core;
        ~serving() { core.end_serving(); }
    };
    const serving guard{*self};
    self->begin_serving();

    auto park = [&](resumption r) {
        auto slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign([self](asio::cancellation_type) {
                turn t(*self);
                if (self->server_.is_parked())
                    t.wakes.add(self->server_);
            });
        {
            const std::lock_guard lock(self->runtime_->mutex);
            if (!self->gives_up_ && !self->closed_) {
                self->parked_.park(self->server_, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await suspend(park);
    const std::lock_guard lock(self->runtime_->mutex);
    if (self->gives_up_)
        throw error(errc::intensity_exceeded,
                    "pool '" + self->options_.name + "': too many resources died");
}

void resource_core::begin_serving() {
    turn t(*this);
    serving_ = true;
    ++server_number_;
    gives_up_ = false;
    accounting_.open(t);
    untried_ = std::min<std::size_t>(unlaunched_, accounting_.size()); // others are overflow
    first_until_ = number_ + untried_;
    tell_ready(t.wakes);
}

void resource_core::end_serving() noexcept {
    const std::lock_guard lock(runtime_->mutex);
    serving_ = false;
    unlaunched_ = 0;
    accounting_.close();
}

/// Starts what the accounting asked for, each in a child of its own.
void resource_core::launch() {
    std::vector<std::shared_ptr<pooled_resource>> fresh;
    std::shared_ptr<supervisor::shell> resources;
    {
        const std::lock_guard lock(runtime_->mutex);
        resources = resources_.lock();
        for (; resources && unlaunched_ != 0; --unlaunched_) {
            fresh.push_back(std::make_shared<pooled_resource>(
                shared_from_this(), options_.name + "/" + std::to_string(++number_),
                server_number_));
            fresh.back()->is_first = number_ <= first_until_;
        }
    }
    for (const auto& p : fresh) {
        child_spec spec(p->id, [self = shared_from_this(), p] { return live(self, p); });
        spec.restart = restart_type::temporary;
        spec.shutdown = shutdown_policy::after(options_.shutdown);
        // When the supervisor refuses it has ended, and so has what the accounting knows of.
        asio::co_spawn(runtime_->executor, start_child(supervisor(resources), std::move(spec)),
                       [](const std::exception_ptr&) {});
    }
}

void resource_core::terminate(const std::string& id) {
    if (const auto resources = resources_supervisor())
        asio::co_spawn(runtime_->executor, terminate_child(*resources, id),
                       [](const std::exception_ptr&) {}); // it has ended already
}

// --- the life of a resource

asio::awaitable<void> resource_core::live(std::shared_ptr<resource_core> self,
                                          std::shared_ptr<pooled_resource> p) {
    using asio::this_coro::throw_if_cancelled;
    co_await throw_if_cancelled(false);
    std::exception_ptr failed;
    if (co_await bring_up(self, p)) {
        co_await throw_if_cancelled(true);
        try {
            if (self->functions_.run)
                co_await self->functions_.run(p->object.get());
            else
                co_await stay(self, p);
        } catch (...) {
            failed = std::current_exception();
        }
        co_await throw_if_cancelled(false);
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool asked = state.cancelled() != asio::cancellation_type::none;
    const exit_reason why = self->ended(*p, asked, failed);
    if (p->object && self->functions_.stop) {
        co_await shield();
        co_await self->functions_.stop(p->object.get(), why);
    }
    if (failed && !asked)
        std::rethrow_exception(failed);
}

/// Starts the resource, again and again until it works. False: it is not needed any more.
asio::awaitable<bool> resource_core::bring_up(std::shared_ptr<resource_core> self,
                                              std::shared_ptr<pooled_resource> p) {
    using asio::this_coro::throw_if_cancelled;
    for (;;) {
        std::exception_ptr failed;
        co_await throw_if_cancelled(true);
        try {
            p->object = co_await self->functions_.start();
            if (!p->object)
                throw error(errc::start_failed, p->id + ": nothing was started");
        } catch (...) {
            failed = std::current_exception();
        }
        co_await throw_if_cancelled(false);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            co_return false;
        if (!failed) {
            self->started(*p);
            co_return true;
        }
        const auto pause = self->start_failed(*p, failed);
        if (!pause)
            co_return false;
        self->runtime_->deadlines->arm(*p, later(self->runtime_->time->now(), *pause));
        co_await sleep(self, p);
        const auto now = co_await asio::this_coro::cancellation_state;
        if (now.cancelled() != asio::cancellation_type::none)
            co_return false;
    }
}

/// The life of a resource that has none of its own: it is pinged now and then.
asio::awaitable<void> resource_core::stay(std::shared_ptr<resource_core> self,
                                          std::shared_ptr<pooled_resource> p) {
    const bool pings = self->functions_.ping && self->options_.ping_interval > duration::zero();
    for (;;) {
        if (pings)
            self->runtime_->deadlines->arm(
                *p, later(self->runtime_->time->now(), self->options_.ping_interval));
        co_await sleep(self, p);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            co_return;
        if (!self->take_for_ping(*p))
            continue;
        co_await self->functions_.ping(p->object.get());
        self->checkin(*p);
    }
}

/// Returns when the resource's deadline has come, or somebody asks it to stop.
asio::awaitable<void> resource_core::sleep(std::shared_ptr<resource_core> self,
                                           std::shared_ptr<pooled_resource> p) {
    auto park = [&](resumption r) {
        auto slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign([self, p](asio::cancellation_type) { self->wake_life(*p); });
        {
            const std::lock_guard lock(self->runtime_->mutex);
            if (!p->woken && !self->closed_) {
                self->parked_.park(p->life, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await suspend(park);
    const std::lock_guard lock(self->runtime_->mutex);
    p->woken = false;
}

void resource_core::started(pooled_resource& p) {
    turn t(*this);
    failures_ = 0;
    ++totals_.started_total;
    if (is_current(p))
        accounting_.started(p, t);
    tried(p, t.wakes);
}

/// How long to wait before the next try; nothing when there shall be none.
std::optional<duration> resource_core::start_failed(pooled_resource& p,
                                                    const std::exception_ptr& why) {
    turn t(*this);
    ++totals_.start_failures_total;
    tried(p, t.wakes);
    log(t.wakes, log_level::warning, "start_failed", p.id + " could not be started",
        {{"resource", p.id}, {"reason", describe(why)}});
    if (!is_current(p) || !accounting_.start_failed()) {
        p.at = pooled::place::out;
        return std::nullopt;
    }
    return options_.start_retry.delay(++failures_, 0.5);
}

void resource_core::tried(pooled_resource& p, wake_list& wakes) {
    if (!std::exchange(p.is_first, false) || !is_current(p))
        return;
    --untried_;
    tell_ready(wakes);
}

void resource_core::tell_ready(wake_list& wakes) {
    const bool is_ready = serving_ && untried_ == 0;
    if (await_ready_.empty() || !(is_ready || stopped_ || closed_))
        return;
    wakes.defer([all = std::exchange(await_ready_, {})] {
        for (const auto& r : all)
            r->arrive();
    });
}

asio::awaitable<void> resource_core::ready(std::shared_ptr<resource_core> self) {
    const auto told = std::make_shared<reply>();
    {
        turn t(*self);
        self->await_ready_.push_back(told);
        self->tell_ready(t.wakes);
    }
    co_await reply::wait(told);
    const std::lock_guard lock(self->runtime_->mutex);
    if (self->stopped_ || self->closed_)
        throw self->error_about(checkout_waiter::end::stopped, duration::zero());
}

bool resource_core::take_for_ping(pooled_resource& p) {
    const std::lock_guard lock(runtime_->mutex);
    if (p.at != pooled::place::idle)
        return false;
    accounting_.take(p);
    return true;
}

exit_reason resource_core::ended(pooled_resource& p, bool asked, const std::exception_ptr& failed) {
    runtime_->deadlines->disarm(p);
    turn t(*this);
    const exit_reason why = p.why ? *p.why : asked ? shutdown_reason() : reason_of(failed);
    if (!is_current(p) || p.at == pooled::place::out)
        return why;
    if (p.at == pooled::place::starting) {
        tried(p, t.wakes);
        p.at = pooled::place::out;
        accounting_.start_lost(t);
        return why;
    }
    ++totals_.deaths_total;
    charge_death(t.wakes);
    if (!gives_up_) // or nobody is to be served any more
        accounting_.died(p, t);
    return why;
}

void resource_core::charge_death(wake_list& wakes) {
    if (!options_.deaths_max || deaths_.charge(runtime_->time->now()))
        return;
    gives_up_ = true;
    if (server_.is_parked())
        wakes.add(server_);
}

void resource_core::context_shutdown() noexcept {
    std::vector<resumption> gone;
    wake_list wakes;
    {
        const std::lock_guard lock(runtime_->mutex);
        closed_ = true;
        gone = parked_.clear();
        tell_ready(wakes); // they may wait in another context
    }
    wakes.run();
    gone.clear(); // unwinds frames, which may take the lock
    timer_.reset();
}

} // namespace lifeguard::detail
