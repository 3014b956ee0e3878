// The supervised coroutine of a worker: it starts the lanes, waits for what ends the worker, and
// sees to it that no job goes with it.

#include "worker/pool_core.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

namespace lifeguard::detail {

/// The time that a stopping worker gives its jobs.
class drain_deadline final : public deadline {
  public:
    drain_deadline(std::shared_ptr<pool_core> pool, std::shared_ptr<worker> w)
        : pool_(std::move(pool)), worker_(std::move(w)) {}

    void expired(time_point) override {
        wake_list wakes;
        {
            const std::lock_guard lock(pool_->mutex());
            worker_->drained = true;
            if (worker_->parked.is_parked())
                wakes.add(worker_->parked);
        }
        wakes.run();
    }

  private:
    const std::shared_ptr<pool_core> pool_;
    const std::shared_ptr<worker> worker_;
};

asio::awaitable<void> pool_core::run_worker(std::shared_ptr<worker> w) {
    const auto self = shared_from_this();
    co_await asio::this_coro::throw_if_cancelled(false);
    {
        std::vector<std::shared_ptr<lane>> lanes;
        {
            const std::lock_guard lock(mutex());
            start_worker(w, lanes);
        }
        for (const auto& l : lanes)
            spawn(l);
    }
    const auto drain = std::make_shared<drain_deadline>(self, w);

    // Parks until something has happened to the worker.
    auto park = [&](resumption r) {
        auto slot = r.get_cancellation_slot();
        if (slot.is_connected()) {
            slot.assign([this, w](asio::cancellation_type type) {
                wake_list wakes;
                {
                    const std::lock_guard lock(mutex());
                    const bool forced =
                        (type & asio::cancellation_type::terminal) != asio::cancellation_type::none;
                    (forced ? w->stop_forced : w->stop_asked) = true;
                    wake_worker(*w, wakes);
                }
                wakes.run();
            });
        }
        {
            const std::lock_guard lock(mutex());
            if (!jobs_->closed && !w->happened) {
                jobs_->parked.park(w->parked, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };

    for (;;) {
        bool draining = false;
        {
            wake_list wakes;
            std::unique_lock lock(mutex());
            jobs_->read_clock();
            w->happened = false;
            if (w->crash || w->stop_forced) {
                const bool wanted = w->stop_asked && !w->crash;
                const std::exception_ptr crash = w->crash;
                kill_worker(*w, wanted ? verdict_of_kill::given_back : verdict_of_kill::charged,
                            wakes);
                lock.unlock();
                wakes.run();
                shared().deadlines->disarm(*drain);
                if (crash)
                    std::rethrow_exception(crash);
                if (!wanted)
                    throw error(errc::killed, "worker '" + w->id + "'");
                co_return;
            }
            if (w->stop_asked && !w->stopping) {
                stop_worker(*w, wakes);
                draining = w->busy != 0;
            }
            if (w->drained)
                cancel_lanes(*w, wakes);
            const bool over = w->stopping && w->busy == 0;
            if (over)
                kill_worker(*w, verdict_of_kill::given_back, wakes);
            lock.unlock();
            wakes.run();
            if (over) {
                shared().deadlines->disarm(*drain);
                co_return;
            }
        }
        if (draining)
            shared().deadlines->arm(*drain, shared().time->now() + options_.drain_wait);
        // A request to stop that came before we first parked was emitted to nobody.
        const auto state = co_await asio::this_coro::cancellation_state;
        if (note_cancellation(*w, state.cancelled()))
            continue;
        co_await suspend(park);
    }
}

/// Whether that is news.
bool pool_core::note_cancellation(worker& w, asio::cancellation_type type) {
    const std::lock_guard lock(mutex());
    const bool forced = (type & asio::cancellation_type::terminal) != asio::cancellation_type::none;
    const bool asked = type != asio::cancellation_type::none;
    const bool news = (forced && !w.stop_forced) || (asked && !forced && !w.stop_asked);
    w.stop_forced = w.stop_forced || forced;
    w.stop_asked = w.stop_asked || (asked && !forced);
    return news;
}

void pool_core::start_worker(const std::shared_ptr<worker>& w,
                             std::vector<std::shared_ptr<lane>>& lanes) {
    wake_list none;
    jobs_->read_clock();
    w->alive = true;
    w->stopping = w->drained = w->stop_asked = w->stop_forced = w->happened = false;
    w->crash = nullptr;
    w->breaker = circuit_breaker(options_.breaker);
    ++w->incarnation;
    for (unsigned i = 0; i < options_.concurrency; ++i)
        lanes.push_back(make_lane(w));
}

std::shared_ptr<lane> pool_core::make_lane(const std::shared_ptr<worker>& w) {
    const asio::any_io_executor& on =
        options_.handler_executor ? options_.handler_executor : shared().executor;
    auto l = std::make_shared<lane>(shared_from_this(), w, new_strand(on));
    w->lanes.push_back(l);
    return l;
}

void pool_core::spawn(const std::shared_ptr<lane>& l) {
    asio::co_spawn(l->strand, lane::run(l),
                   asio::bind_cancellation_slot(l->signal.slot(), [l](std::exception_ptr e) {
                       l->pool->ended(*l);
                       if (e)
                           std::rethrow_exception(
                               e); // a lane catches what handlers throw: this is our bug
                   }));
}

void pool_core::wake_worker(worker& w, wake_list& wakes) {
    w.happened = true;
    if (w.parked.is_parked())
        wakes.add(w.parked);
}

/// No more jobs for this worker: its idle lanes end, the others when they have finished.
void pool_core::stop_worker(worker& w, wake_list& wakes) {
    w.stopping = true;
    leave_idle(w);
    give_back_assigned(w, wakes);
    for (lane* l : std::exchange(w.idle, {})) {
        l->ending = true;
        wakes.add(*l);
    }
    if (w.busy == 0)
        wake_worker(w, wakes);
}

void pool_core::give_back_assigned(worker& w, wake_list& wakes) {
    while (job_record* job = next_local(w))
        jobs_->give_back(*job, wakes);
    for (const auto& l : w.lanes)
        if (l->assigned != nullptr)
            jobs_->give_back(*std::exchange(l->assigned, nullptr), wakes);
}

/// The time to drain is over: running handlers are asked to stop, and their jobs go back uncharged.
void pool_core::cancel_lanes(worker& w, wake_list& wakes) {
    for (const auto& l : w.lanes) {
        if (l->job == nullptr || l->returning)
            continue;
        l->returning = true;
        wakes.defer([l, number = l->number] { l->cancel(number, asio::cancellation_type::total); });
    }
}

/// The worker is gone, now: its jobs are the queue's again, and its lanes are left to end by
/// themselves.
void pool_core::kill_worker(worker& w, verdict_of_kill verdict, wake_list& wakes) {
    w.stopping = true;
    w.alive = false;
    leave_idle(w);
    give_back_assigned(w, wakes);
    const auto lanes = std::exchange(w.lanes, {});
    w.idle.clear();
    w.busy = 0;
    for (const auto& l : lanes) {
        l->ending = true;
        if (l->is_parked())
            wakes.add(*l);
        if (l->job == nullptr)
            continue;
        l->abandoned = true;
        ++lanes_abandoned_;
        wakes.defer(
            [l, number = l->number] { l->cancel(number, asio::cancellation_type::terminal); });
        job_outcome lost;
        if (verdict == verdict_of_kill::charged) {
            ++w.failed;
            lost.what = job_outcome::kind::crashed;
            lost.text = "worker '" + w.id + "' was killed";
            lost.error = std::make_exception_ptr(error(errc::killed, lost.text));
        } else {
            lost.what = job_outcome::kind::returned;
        }
        jobs_->settle(*l->job, std::move(lost), wakes);
    }
    if (verdict == verdict_of_kill::charged)
        ++figures.killed_total;
    rest(wakes);
    log_worker(w, verdict == verdict_of_kill::charged ? "worker_killed" : "worker_stopped", wakes);
}

// --- supervision
// ----------------------------------------------------------------------------------------

child_spec pool_core::worker_spec(const std::shared_ptr<worker>& w) {
    child_spec spec(w->id, [self = shared_from_this(), w] { return self->run_worker(w); });
    const auto patience = options_.drain_wait + options_.cancel_grace;
    spec.shutdown = shutdown_policy::after(std::chrono::ceil<std::chrono::milliseconds>(patience));
    return spec;
}

supervisor pool_core::make_supervisor() {
    supervisor_options options;
    options.name = options_.name;
    options.intensity = options_.intensity;
    options.period = options_.period;
    options.time = shared().time;
    options.log = log_;
    std::vector<child_spec> children;
    {
        const std::lock_guard lock(mutex());
        // Overflow workers of an earlier run do not come back.
        std::erase_if(workers_, [](const auto& w) { return w->overflow; });
        overflow_ = 0;
        for (const auto& w : workers_)
            children.push_back(worker_spec(w));
    }
    supervisor made(shared().executor, std::move(options), std::move(children));
    const std::lock_guard lock(mutex());
    supervisor_ = made.share();
    return made;
}

std::optional<supervisor> pool_core::current_supervisor() {
    const std::lock_guard lock(mutex());
    auto shell = supervisor_.lock();
    if (!shell)
        return std::nullopt;
    return supervisor(std::move(shell));
}

// --- overflow
// -------------------------------------------------------------------------------------------

/// Jobs wait and everybody is busy: one more worker, if there may be one.
void pool_core::want_overflow(wake_list& wakes) {
    if (overflow_ >= options_.max_overflow || jobs_->closed)
        return;
    unsigned alive = 0;
    for (const auto& w : workers_) {
        if (!w->alive || w->stopping)
            continue;
        ++alive;
        if (w->busy == 0 && !w->idle.empty())
            return; // idle, but its breaker is open: more workers would only hammer on the same
                    // trouble
    }
    if (alive == 0 || alive < options_.size ||
        job_index::peek(queues_, options_.strict_order, filter_) == nullptr)
        return;
    ++overflow_;
    wakes.defer([self = shared_from_this()] { self->start_overflow(); });
}

void pool_core::start_overflow() {
    const auto supervisor_now = current_supervisor();
    std::shared_ptr<worker> w;
    {
        const std::lock_guard lock(mutex());
        if (!supervisor_now) {
            --overflow_;
            return;
        }
        w = std::make_shared<worker>(options_.name + "/overflow-" +
                                         std::to_string(++overflow_number_),
                                     true, options_.breaker);
        workers_.push_back(w);
    }
    child_spec spec(w->id, [self = shared_from_this(), w]() -> asio::awaitable<void> {
        return run_overflow(self, w);
    });
    spec.restart = restart_type::temporary;
    spec.shutdown = worker_spec(w).shutdown;
    asio::co_spawn(shared().executor, start_overflow_child(*supervisor_now, std::move(spec)),
                   [self = shared_from_this(), w](std::exception_ptr failed) {
                       if (failed)
                           self->forget_overflow(*w);
                   });
}

asio::awaitable<void> pool_core::start_overflow_child(supervisor s, child_spec spec) {
    co_await s.start_child(std::move(spec));
}

asio::awaitable<void> pool_core::run_overflow(std::shared_ptr<pool_core> self,
                                              std::shared_ptr<worker> w) {
    std::exception_ptr failed;
    try {
        co_await self->run_worker(w);
    } catch (...) {
        failed = std::current_exception();
    }
    self->forget_overflow(*w);
    if (failed)
        std::rethrow_exception(failed);
}

void pool_core::forget_overflow(worker& w) noexcept {
    const std::lock_guard lock(mutex());
    if (std::erase_if(workers_, [&](const auto& other) { return other.get() == &w; }) != 0)
        --overflow_;
}

void pool_core::context_shutdown() noexcept {
    // Strands must not outlive their context.
    std::vector<std::shared_ptr<lane>> lanes;
    {
        const std::lock_guard lock(mutex());
        for (const auto& w : workers_) {
            leave_idle(*w);
            w->idle.clear();
            for (auto& l : std::exchange(w->lanes, {}))
                lanes.push_back(std::move(l));
        }
        supervisor_.reset();
        deadline_.reset();
    }
    for (const auto& l : lanes)
        l->strand = asio::any_io_executor();
}

} // namespace lifeguard::detail
