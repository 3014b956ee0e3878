// The supervised coroutine of a worker: it starts the lanes, waits for what ends the worker, and
// sees to it that no job goes with it.

#include "base/stop_request.hpp"
#include "worker/pool_core.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

namespace lifeguard::detail {

asio::awaitable<void> pool_core::run_worker(std::shared_ptr<worker> w) {
    const auto self = shared_from_this();
    co_await asio::this_coro::throw_if_cancelled(false);
    start_worker(w);

    asio::cancellation_slot slot;
    // Parks until something has happened to the worker.
    auto park = [&](resumption r) {
        slot = r.get_cancellation_slot();
        if (slot.is_connected() && !slot.has_handler()) {
            slot.assign([self, w](asio::cancellation_type type) {
                wake_list wakes;
                {
                    const std::lock_guard lock(self->mutex());
                    note_cancellation(*w, type);
                    self->wake_worker(*w, wakes);
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

    fate how = fate::lives;
    for (;;) {
        // A request to stop that came before we first parked was emitted to nobody.
        const auto state = co_await asio::this_coro::cancellation_state;
        how = look_after(*w, state.cancelled());
        if (how != fate::lives)
            break;
        co_await suspend(park);
    }
    if (slot.is_connected())
        slot.clear();
    if (how == fate::crashed)
        std::rethrow_exception(std::exchange(w->crash, nullptr));
    if (how == fate::killed)
        throw error(errc::killed, "worker '" + w->id + "'");
}

namespace {

bool set_by_hand(const circuit_breaker& breaker) noexcept {
    const breaker_state now = breaker.state(time_point::min());
    return now == breaker_state::forced_open || now == breaker_state::disabled;
}

} // namespace

void pool_core::start_worker(const std::shared_ptr<worker>& w) {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        jobs_->read_clock();
        w->alive = true;
        w->stopping = draining_ != draining::no || w->leaves;
        w->given_up = draining_ == draining::given_up;
        w->stop_asked = w->stop_forced = w->happened = false;
        w->crash = nullptr;
        if (!set_by_hand(w->breaker)) {
            w->breaker.reset();
            w->breaker.take_change(); // nobody's news: it has not recovered, its worker is new
        }
        arm_breakers();
        ++w->incarnation;
        log_worker(*w, log_level::info, "worker_started", wakes);
        if (!w->stopping)
            complete_lanes(w, wakes);
        appetite_changed();
    }
    wakes.run();
}

void pool_core::note_cancellation(worker& w, asio::cancellation_type type) noexcept {
    using asio::cancellation_type;
    if ((type & cancellation_type::terminal) != cancellation_type::none)
        w.stop_forced = true;
    else if (type != cancellation_type::none)
        w.stop_asked = true;
}

pool_core::fate pool_core::fate_of(const worker& w) const noexcept {
    if (w.crash)
        return fate::crashed;
    if (w.stop_forced)
        return w.stop_asked ? fate::stopped : fate::killed;
    // In a stop of the whole pool everybody waits for his turn: supervisors stop children in order.
    const bool may_end = w.stop_asked || (w.leaves && w.overflow && draining_ == draining::no);
    return may_end && w.stopping && (w.busy == 0 || w.given_up) ? fate::stopped : fate::lives;
}

/// Does what has come up for a worker, and says whether it goes on.
pool_core::fate pool_core::look_after(worker& w, asio::cancellation_type asked) {
    wake_list wakes;
    fate how = fate::lives;
    {
        const std::lock_guard lock(mutex());
        jobs_->read_clock();
        w.happened = false;
        note_cancellation(w, asked);
        // Workers are only asked to stop when their pool is, or when they retire.
        if (w.stop_asked && !w.retires && draining_ == draining::no)
            drain(wakes);
        if (w.stop_asked && !w.stopping)
            stop_worker(w, wakes);
        how = fate_of(w);
        if (how != fate::lives)
            end_worker(w, how, wakes);
        else if (w.leaves && !w.overflow && !w.retires && w.busy == 0)
            wakes.defer([self = shared_from_this(), who = find(w.id)] { self->retire(who); });
        w.retires = w.retires || (w.leaves && !w.overflow && w.busy == 0);
    }
    wakes.run();
    return how;
}

/// Makes the lanes that the worker is short of. While too many that were given up still run it has
/// to do without: who ignores cancellation shall not eat memory for ever.
void pool_core::complete_lanes(const std::shared_ptr<worker>& w, wake_list& wakes) {
    const asio::any_io_executor& on =
        options_.handler_executor ? options_.handler_executor : shared().executor;
    while (w->lanes.size() < options_.concurrency && !homeless_) {
        if (lanes_abandoned_ >= options_.abandoned_max) {
            short_of_lanes_ = true;
            log_short_of_lanes(*w, wakes);
            return;
        }
        auto l = std::make_shared<lane>(shared_from_this(), w, new_strand(on));
        w->lanes.push_back(l);
        wakes.defer([l] { l->pool->spawn(l); });
    }
}

void pool_core::spawn(const std::shared_ptr<lane>& l) {
    asio::co_spawn(l->strand, lane::run(l),
                   asio::bind_cancellation_slot(l->signal.slot(), [l](const std::exception_ptr& e) {
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
    give_back_local(w, wakes);
    for (const auto& l : w.lanes)
        if (l->assigned != nullptr)
            give_back(*std::exchange(l->assigned, nullptr), wakes);
}

/// The pool's supervisor has begun to stop its workers, one after the other. They all stop taking
/// jobs and share the time to finish: otherwise those whose turn comes late would go on working,
/// and a stop would take as long as the sum of what each may take.
void pool_core::drain(wake_list& wakes) {
    draining_ = draining::waits;
    for (const auto& w : workers_)
        if (w->alive && !w->stopping)
            stop_worker(*w, wakes);
    appetite_changed();
    drained_at_ = later(jobs_->clock().now, options_.drain_wait);
    if (drain_deadline_)
        shared().deadlines->arm(*drain_deadline_, drained_at_);
}

void pool_core::begin_stop() {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        jobs_->read_clock();
        const bool alive = std::ranges::any_of(workers_, [](const auto& w) { return w->alive; });
        if (alive && draining_ == draining::no)
            drain(wakes);
    }
    wakes.run();
}

/// The time to finish is over, and later the time to clean up.
void pool_core::on_drained() {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        const time_point now = jobs_->read_clock().now;
        if (now < drained_at_ || !drain_deadline_)
            return; // an alarm of an earlier stop
        if (draining_ == draining::waits) {
            draining_ = draining::cancelled;
            for (const auto& w : workers_)
                cancel_lanes(*w, wakes);
            drained_at_ = later(now, options_.cancel_grace);
            shared().deadlines->arm(*drain_deadline_, drained_at_);
        } else if (draining_ == draining::cancelled) {
            draining_ = draining::given_up;
            for (const auto& w : workers_) {
                w->given_up = true;
                wake_worker(*w, wakes);
            }
        }
    }
    wakes.run();
}

/// The time to drain is over: running handlers are asked to stop, and their jobs go back uncharged.
void pool_core::cancel_lanes(worker& w, wake_list& wakes) {
    for (const auto& l : w.lanes) {
        if (l->job == nullptr || l->returning)
            continue;
        l->returning = true;
        wakes.defer([l, number = l->number] { l->cancel(number, stop_request); });
    }
}

/// The worker is gone, now: its jobs are the queue's again, and its lanes are left to end by
/// themselves.
void pool_core::end_worker(worker& w, fate how, wake_list& wakes) {
    w.stopping = true;
    w.alive = false;
    leave_idle(w);
    switch (how) {
    case fate::killed:
        ++figures.killed_total;
        log_worker(w, log_level::warning, "worker_killed", wakes);
        break;
    case fate::crashed:
        log_worker(w, log_level::warning, "worker_crashed", wakes);
        break;
    case fate::stopped:
    case fate::lives:
        log_worker(w, log_level::info, "worker_stopped", wakes);
        break;
    }
    give_back_assigned(w, wakes);
    const auto lanes = std::exchange(w.lanes, {});
    w.idle.clear();
    for (const auto& l : lanes) {
        l->ending = true;
        if (l->is_parked())
            wakes.add(*l);
        if (l->job != nullptr)
            abandon(*l, how, wakes);
    }
    w.busy = 0;
    appetite_changed();
    rest();
}

/// The lane goes on to the end of its handler, without its job.
void pool_core::abandon(lane& l, fate how, wake_list& wakes) {
    const auto self = std::static_pointer_cast<lane>(l.shared_from_this());
    job_outcome lost;
    if (how == fate::stopped) {
        lost.what = job_outcome::kind::returned;
    } else {
        lost.what = job_outcome::kind::crashed;
        lost.text = "worker '" + l.owner->id + (how == fate::killed ? "' was killed" : "' crashed");
        lost.error = std::make_exception_ptr(error(errc::killed, lost.text));
    }
    count_attempt(*l.owner, l, lost, wakes);
    tell_breaker(l, breaker_verdict::excluded, nullptr, wakes);
    l.abandoned = true;
    ++lanes_abandoned_;
    wakes.defer(
        [self, number = l.number] { self->cancel(number, asio::cancellation_type::terminal); });
    const bool was_probing = breakers_.in_trouble();
    jobs_->settle(*l.job, std::move(lost), wakes);
    if (was_probing)
        offer(wakes); // another one may
}

} // namespace lifeguard::detail
