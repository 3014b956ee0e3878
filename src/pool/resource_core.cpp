#include "pool/resource_core.hpp"

#include "base/saturate.hpp"
#include "pool/resource_turn.hpp"

namespace lifeguard::detail {

/// Wakes the pool when the next of those who wait has waited long enough.
class resource_core::checkout_timer final : public deadline {
  public:
    explicit checkout_timer(std::weak_ptr<resource_core> pool) noexcept : pool_(std::move(pool)) {}
    void expired(time_point) override {
        if (const auto pool = pool_.lock())
            pool->checkouts_due();
    }

  private:
    const std::weak_ptr<resource_core> pool_;
};

/// What links a waiting coroutine to the pool ends with its frame, however that ends.
class resource_core::place_in_line {
  public:
    place_in_line(resource_core& pool, checkout_waiter& w) noexcept : pool_(pool), waiter_(w) {}
    ~place_in_line() {
        if (waiter_.ended != checkout_waiter::end::none && !waiter_.got)
            return; // nothing is linked
        turn t(pool_);
        if (static_cast<pool_hook&>(waiter_).is_linked())
            pool_.accounting_.give_up(waiter_);
        if (waiter_.got)
            pool_.accounting_.checkin(*waiter_.got, t);
    }
    place_in_line(const place_in_line&) = delete;
    place_in_line& operator=(const place_in_line&) = delete;

  private:
    resource_core& pool_;
    checkout_waiter& waiter_;
};

resource_core::resource_core(const asio::any_io_executor& executor, resource_pool_options options,
                             resource_functions functions)
    : options_(std::move(options)),
      functions_(std::move(functions)),
      runtime_(std::make_shared<runtime>(executor, options_.time, options_.log, options_.metrics)),
      log_(options_.log),
      accounting_(options_.size, options_.max_overflow, options_.order, options_.waiting),
      deaths_(options_.deaths_max.value_or(0), options_.period) {}

void resource_core::open() {
    timer_ = std::make_shared<checkout_timer>(weak_from_this());
    context_hooks::of(runtime_->executor).add(weak_from_this());
    describe_metrics();
}

// --- checking out

leased_resource resource_core::take_idle(std::string_view task) {
    const std::lock_guard lock(runtime_->mutex);
    pooled* const p = accounting_.checkout();
    return p == nullptr ? leased_resource() : lend(static_cast<pooled_resource&>(*p), task);
}

leased_resource resource_core::lend(pooled_resource& p, std::string_view task) {
    ++totals_.checkouts_total;
    if (options_.overrun_warning > duration::zero())
        watch_lease(p, task);
    return {std::static_pointer_cast<pooled_resource>(p.shared_from_this()), p.object.get()};
}

checkout_waiter::end resource_core::refusal(bool unless_full) const noexcept {
    if (stopped_ || closed_)
        return checkout_waiter::end::stopped;
    if (unless_full && accounting_.is_full())
        return checkout_waiter::end::full;
    if (accounting_.waiting() >= options_.waiters_max)
        return checkout_waiter::end::too_many;
    return checkout_waiter::end::none;
}

asio::awaitable<leased_resource> resource_core::check_out(std::shared_ptr<resource_core> self,
                                                          checkout_options options,
                                                          bool unless_full) {
    if (leased_resource idle = self->take_idle(options.task))
        co_return idle;
    const duration timeout =
        options.timeout < duration::zero() ? self->options_.checkout_timeout : options.timeout;
    checkout_waiter waiter;
    const place_in_line place(*self, waiter);
    asio::cancellation_slot slot;
    auto wait = [&](resumption r) {
        slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign([&](asio::cancellation_type) {
                turn t(*self);
                self->refuse(waiter, checkout_waiter::end::cancelled, t.wakes);
            });
        {
            turn t(*self);
            if (pooled* const p = self->accounting_.checkout()) {
                t.grant(waiter, *p);
            } else if (waiter.ended = self->refusal(unless_full); waiter.waits()) {
                self->accounting_.wait(waiter, t);
                self->await_turn(waiter, timeout);
                self->parked_.park(waiter, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await suspend(wait);
    if (slot.is_connected())
        slot.clear(); // its handler refers to this frame
    if (waiter.ended == checkout_waiter::end::full)
        co_return leased_resource();
    if (waiter.ended != checkout_waiter::end::served)
        throw self->error_about(waiter.ended, timeout);
    const std::lock_guard lock(self->runtime_->mutex);
    co_return self->lend(*std::exchange(waiter.got, nullptr), options.task);
}

void resource_core::await_turn(checkout_waiter& w, duration timeout) {
    w.until = later(runtime_->time->now(), timeout);
    // Nearly all wait equally long, so the newest belongs at the end.
    auto at = checkouts_.end();
    while (at != checkouts_.begin() && std::prev(at)->until > w.until)
        --at;
    checkouts_.insert(at, w);
    arm_checkouts();
}

/// Under the lock, so that two threads cannot arm in another order than they decided in.
void resource_core::arm_checkouts() {
    if (checkouts_.empty() || checkouts_.front().until >= armed_at_ || !timer_)
        return;
    armed_at_ = checkouts_.front().until;
    runtime_->deadlines->arm(*timer_, armed_at_);
}

void resource_core::checkouts_due() {
    turn t(*this);
    const time_point now = runtime_->time->now();
    armed_at_ = time_point::max();
    while (!checkouts_.empty() && checkouts_.front().until <= now) {
        ++totals_.timeouts_total;
        refuse(checkouts_.front(), checkout_waiter::end::timed_out, t.wakes);
    }
    arm_checkouts();
}

/// Nothing for who waits; no effect when that has been decided otherwise.
void resource_core::refuse(checkout_waiter& w, checkout_waiter::end how, wake_list& wakes) {
    if (!w.waits())
        return;
    w.ended = how;
    if (!w.is_parked())
        return; // about to wait, and will see it
    accounting_.give_up(w);
    static_cast<checkout_hook&>(w).unlink();
    wakes.add(w);
}

error resource_core::error_about(checkout_waiter::end how, duration waited) const {
    const std::string pool = "pool '" + options_.name + "'";
    switch (how) {
    case checkout_waiter::end::timed_out: {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(waited).count();
        return {errc::timeout, pool + ": no resource within " + std::to_string(ms) + " ms"};
    }
    case checkout_waiter::end::too_many:
        return {errc::limit_reached,
                pool + ": waiters_max: " + std::to_string(options_.waiters_max) + " wait already"};
    case checkout_waiter::end::cancelled:
        throw boost::system::system_error(asio::error::operation_aborted, pool);
    case checkout_waiter::end::none:
    case checkout_waiter::end::served:
    case checkout_waiter::end::full:
    case checkout_waiter::end::stopped:
        break;
    }
    return {errc::no_such_pool, pool + " has been stopped"};
}

void resource_core::refuse_all() {
    turn t(*this);
    stopped_ = true;
    while (!checkouts_.empty())
        refuse(checkouts_.front(), checkout_waiter::end::stopped, t.wakes);
    tell_ready(t.wakes);
}

void resource_core::close() {
    refuse_all();
    if (const auto timer = timer_)
        runtime_->deadlines->disarm(*timer); // it would only keep the context running
    std::shared_ptr<void> at_end;
    const std::lock_guard lock(runtime_->mutex);
    running_ = false;
    armed_at_ = time_point::max();
    pool_.reset();
    at_end.swap(at_end_);
}

// --- checking in

void resource_core::checkin(pooled_resource& p) noexcept {
    turn t(*this);
    accounting_.checkin(p, t);
}

void resource_core::recycle(pooled_resource& p, exit_reason why) noexcept {
    turn t(*this);
    if (p.at != pooled::place::leased)
        return; // it has died meanwhile
    ++totals_.recycled_total;
    ask_to_end(p, std::move(why), t.wakes);
    accounting_.died(p, t);
}

bool resource_core::is_alive(const pooled_resource& p) noexcept {
    const std::lock_guard lock(runtime_->mutex);
    return p.at == pooled::place::leased;
}

void resource_core::ask_to_end(pooled_resource& p, exit_reason why, wake_list& wakes) {
    if (p.why)
        return;
    p.why = std::move(why);
    wakes.defer([self = shared_from_this(), id = p.id] { self->terminate(id); });
}

// --- overruns

void resource_core::watch_lease(pooled_resource& p, std::string_view task) {
    if (!p.watch)
        p.watch = std::make_shared<lease_watch>(
            std::static_pointer_cast<pooled_resource>(p.shared_from_this()));
    p.watch->task = task;
    p.watch->since = runtime_->time->now();
    p.watch->warnings = 0;
    runtime_->deadlines->arm(*p.watch, later(p.watch->since, options_.overrun_warning));
}

void resource_core::lease_overdue(pooled_resource& p, time_point now) {
    turn t(*this);
    lease_watch& watch = *p.watch;
    const auto due = [&] {
        return later(watch.since, options_.overrun_warning * (watch.warnings + 1));
    };
    if (p.at != pooled::place::leased || now < due())
        return; // of an earlier lease
    ++totals_.overruns_total;
    ++watch.warnings;
    const bool last = options_.overrun_limit != 0 && watch.warnings >= options_.overrun_limit;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - watch.since);
    log(t.wakes, log_level::warning, last ? "overrun_limit" : "overrun",
        p.id + " has been leased for " + std::to_string(ms.count()) + " ms" +
            (last ? ", and is taken away" : ""),
        {{"resource", p.id},
         {"task", std::string(watch.task)},
         {"runtime_ms", std::to_string(ms.count())}});
    if (!last) {
        runtime_->deadlines->arm(watch, due());
        return;
    }
    ++totals_.recycled_total;
    exit_reason overrun;
    overrun.what = exit_reason::kind::error;
    overrun.detail = "overrun";
    ask_to_end(p, std::move(overrun), t.wakes);
    accounting_.died(p, t);
}

void lease_watch::expired(time_point now) {
    if (const auto p = resource.lock())
        p->core->lease_overdue(*p, now);
}

void pooled_resource::expired(time_point) { core->wake_life(*this); }

void resource_core::wake_life(pooled_resource& p) {
    turn t(*this);
    p.woken = true;
    if (p.life.is_parked())
        t.wakes.add(p.life);
}

// --- looking and changing

resource_pool_status resource_core::status() {
    using state = resource_pool_status::state;
    const std::lock_guard lock(runtime_->mutex);
    resource_pool_status s = totals_;
    s.idle = accounting_.idle();
    s.overflow = accounting_.overflow();
    s.leased = accounting_.leased();
    s.waiting = accounting_.waiting();
    s.starting = accounting_.starting();
    s.size = accounting_.size();
    s.max_overflow = accounting_.max_overflow();
    if (!serving_)
        s.state_now = state::stopped;
    else if (s.idle > 0)
        s.state_now = state::ready;
    else
        s.state_now = s.overflow < s.max_overflow ? state::overflow : state::full;
    return s;
}

void resource_core::resize(unsigned size, unsigned max_overflow) {
    turn t(*this);
    accounting_.resize(size, max_overflow, t);
}

void resource_core::describe_metrics() {
    metrics_.emplace(runtime_->metrics, metric_labels{{"pool", options_.name}});
    const auto reader = [weak = weak_from_this()](auto of) -> std::function<double()> {
        return [weak, of]() -> double {
            const auto alive = weak.lock();
            return alive ? static_cast<double>(of(alive->status())) : 0;
        };
    };
    using status = resource_pool_status;
    metrics_->make_gauge("lifeguard_resources", "Resources of a pool.", {{"state", "idle"}},
                         reader([](const status& s) { return s.idle; }));
    metrics_->make_gauge("lifeguard_resources", "Resources of a pool.", {{"state", "leased"}},
                         reader([](const status& s) { return s.leased; }));
    metrics_->make_gauge("lifeguard_resource_waiters", "Coroutines that wait for a resource.", {},
                         reader([](const status& s) { return s.waiting; }));
    metrics_->make_counter("lifeguard_checkouts_total", "Leases of resources.", {},
                           reader([](const status& s) { return s.checkouts_total; }));
    metrics_->make_counter("lifeguard_checkout_timeouts_total", "Checkouts that waited in vain.",
                           {}, reader([](const status& s) { return s.timeouts_total; }));
    metrics_->make_counter("lifeguard_resource_deaths_total", "Resources that died.", {},
                           reader([](const status& s) { return s.deaths_total; }));
}

void resource_core::log(wake_list& wakes, log_level level, std::string_view event,
                        std::string message, std::vector<log_field> fields) const {
    if (!log_)
        return;
    log_record record;
    record.level = level;
    record.event = event;
    record.message = std::move(message);
    record.fields = std::move(fields);
    record.fields.push_back({"pool", options_.name});
    wakes.defer([sink = log_, record = std::move(record)] { sink.write(record); });
}

} // namespace lifeguard::detail
