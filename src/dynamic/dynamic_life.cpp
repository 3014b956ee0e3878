// The life of a worker: one coroutine per incarnation, which performs when it is due and handles
// messages in between, one thing at a time.
#include "base/executors.hpp"
#include "base/one_line.hpp"
#include "base/saturate.hpp"
#include "dynamic/dynamic_turn.hpp"
#include "supervision/reasons.hpp"
#include <lifeguard/shielded.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace lifeguard::detail {

using asio::this_coro::throw_if_cancelled;

/// What a worker does next.
struct dynamic_core::task {
    task() = default; // no aggregate: g++ 12 destroys those twice

    enum class kind { stop, perform, message } what = kind::stop;
    std::shared_ptr<worker_message> message;
};

namespace {

/// The state in which the user's functions run, whatever those before them did to it.
asio::awaitable<void> prepare() {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await throw_if_cancelled(true);
}

/// `at`, or the first one after it.
time_point whole_millisecond(time_point at) noexcept {
    constexpr duration millisecond = std::chrono::milliseconds(1);
    const duration beyond = at.time_since_epoch() % millisecond;
    return beyond == duration::zero() ? at : later(at, millisecond - beyond);
}

} // namespace

asio::awaitable<void> dynamic_core::live(std::shared_ptr<dynamic_core> self,
                                         std::shared_ptr<dynamic_worker> w, child_context context) {
    co_await throw_if_cancelled(false);
    worker_cycle cycle(w->spec.payload, *w->spec.rhythm);
    const auto r = std::make_shared<worker_run>(self, w, std::move(cycle), context);
    struct presence { // of a frame that may be destroyed at any time
        worker_run& r;
        ~presence() {
            const std::lock_guard lock(r.core->runtime_->mutex);
            if (r.worker->current == &r)
                r.worker->current = nullptr;
        }
    } const here{*r};

    const bool wanted = self->begin(*r);
    context.ready();
    std::exception_ptr failed;
    try {
        co_await work(r);
    } catch (...) {
        failed = std::current_exception();
    }
    co_await throw_if_cancelled(false);
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool forced =
        (state.cancelled() & asio::cancellation_type::terminal) != asio::cancellation_type::none;
    const bool asked = context.stop_requested();
    exit_reason why = self->end(*r, asked, forced, failed);
    if (wanted)
        co_await say_goodbye(r, std::move(why));
    if (failed && !asked)
        std::rethrow_exception(failed);
}

asio::awaitable<void> dynamic_core::say_goodbye(std::shared_ptr<worker_run> r, exit_reason why) {
    const auto behaviour = r->core->behaviour();
    if (!behaviour || !behaviour->terminate)
        co_return;
    co_await shield();
    std::exception_ptr failed;
    try {
        co_await behaviour->terminate(why, r->worker->id, r->cycle.payload());
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed)
        r->core->callback_failed("terminate", failed);
}

/// Between two tasks: suspends until there may be something to do, because something is due, a
/// message has come, or it is asked to stop. Name one and `co_await suspend` it. A coroutine would
/// cost every idle worker a frame more.
class dynamic_core::sleep {
  public:
    explicit sleep(std::shared_ptr<worker_run> of) noexcept : run_(std::move(of)) {}

    void operator()(resumption resume) {
        dynamic_core& core = *run_->core;
        slot_ = resume.get_cancellation_slot();
        if (slot_.is_connected())
            slot_.assign([weak = std::weak_ptr<worker_run>(run_)](asio::cancellation_type) {
                const auto alive = weak.lock(); // the slot is ours, by way of our context
                if (!alive)
                    return;
                turn t(*alive->core);
                alive->woken = true;
                if (alive->life.is_parked())
                    t.wakes.add(alive->life);
            });
        {
            const std::lock_guard lock(core.runtime_->mutex);
            const bool mail = is_current(*run_) && !run_->worker->mailbox.empty();
            // The flag is raised before the signal is emitted, and that waits until we are parked.
            if (!run_->woken && !mail && !run_->context.stop_requested() && !core.closed_) {
                core.parked_.park(run_->life, std::move(resume));
                return;
            }
        }
        asio::post(std::move(resume));
    }

    void over() {
        if (slot_.is_connected())
            slot_.clear();
    }

  private:
    const std::shared_ptr<worker_run> run_;
    asio::cancellation_slot slot_;
};

asio::awaitable<void> dynamic_core::work(std::shared_ptr<worker_run> r) {
    co_await build_payload(r);
    sleep until_needed(r);
    for (;;) {
        co_await throw_if_cancelled(false);
        task next;
        if (r->core->take_task(*r, next)) {
            // Who always finds something to do shall not keep others from the thread.
            const auto strand = co_await asio::this_coro::executor;
            co_await asio::post(strand, asio::use_awaitable);
        } else {
            do {
                co_await suspend(until_needed);
                until_needed.over();
            } while (!r->core->take_task(*r, next));
        }
        switch (next.what) {
        case task::kind::stop:
            co_return;
        case task::kind::perform:
            co_await perform(r);
            break;
        case task::kind::message:
            if (next.message->call)
                co_await handle_call(r, next.message);
            else
                co_await handle_cast(r, next.message);
            break;
        }
    }
}

// --- begin and end

bool dynamic_core::is_current(const worker_run& r) noexcept {
    return r.worker->current == &r && r.worker->now == worker_record::phase::running;
}

bool dynamic_core::begin(worker_run& r) {
    turn t(*this);
    dynamic_worker& w = *r.worker;
    ++w.incarnation;
    ++totals_.starts_total;
    totals_.restarts_total += std::exchange(w.crashed, false) ? 1U : 0U;
    w.current = &r;
    w.busy = true; // until it asks for something to do
    const bool wanted = registry_.began(w, t);
    registry_.load_changed(w);
    return wanted;
}

/// Takes it off the map where it will not come again. Answers why it has ended.
exit_reason dynamic_core::end(worker_run& r, bool asked, bool forced,
                              const std::exception_ptr& failed) {
    runtime_->deadlines->disarm(r);
    turn t(*this);
    dynamic_worker& w = *r.worker;
    const bool current = is_current(r);
    if (w.current == &r) {
        w.current = nullptr;
        w.busy = false;
        registry_.load_changed(w);
    }
    const bool ends = w.now == worker_record::phase::ending;
    if (!ends && asked && current) { // by its supervisor, which ends
        t.failure_of_gone = std::make_exception_ptr(not_running());
        registry_.lost(w, t);
    }
    if (forced)
        return reason_of(exit_reason::kind::killed);
    if (ends)
        return w.why;
    if (asked)
        return reason_of(exit_reason::kind::shutdown);
    ++totals_.crashes_total;
    w.crashed = true;
    return reason_of(exit_reason::kind::error, describe(failed), failed);
}

asio::awaitable<void> dynamic_core::build_payload(std::shared_ptr<worker_run> r) {
    dynamic_core& core = *r->core;
    const auto behaviour = core.behaviour();
    {
        const std::lock_guard lock(core.runtime_->mutex);
        if (!is_current(*r) || !behaviour)
            co_return;
    }
    std::optional<json> built;
    if (behaviour->init) {
        co_await prepare();
        built = co_await behaviour->init(r->worker->id, r->cycle.payload());
        co_await throw_if_cancelled(false);
    }
    turn t(core);
    const time_point now = core.runtime_->time->now();
    if (built)
        r->cycle.start(std::move(*built), now);
    else
        r->cycle.start(now);
}

// --- what to do next

/// A perform that is due goes before messages; it is followed by an interval, so they have theirs.
/// False: there is nothing to do.
bool dynamic_core::take_task(worker_run& r, task& next) {
    turn t(*this);
    dynamic_worker& w = *r.worker;
    r.woken = false;
    next.what = task::kind::stop;
    if (r.context.stop_requested() || closed_)
        return true;
    if (!is_current(r))
        return false; // it will be stopped
    const time_point now = runtime_->time->now();
    if (r.cycle.is_due(now) && behaviour_->perform) {
        next.what = task::kind::perform;
        r.cycle.begin_perform(now);
    } else {
        while (!w.mailbox.empty() && next.what == task::kind::stop) {
            auto first = std::move(w.mailbox.front());
            w.mailbox.pop_front();
            if (first->call && first->call->is_settled())
                continue; // its caller has gone
            next.what = task::kind::message;
            next.message = std::move(first);
        }
        w.waiting = w.mailbox.size();
    }
    w.busy = next.what != task::kind::stop;
    registry_.load_changed(w);
    arm(r);
    return w.busy;
}

/// In whole milliseconds: ten thousand workers with a second each would wake the thread ten
/// thousand times otherwise, which costs more than what they do.
void dynamic_core::arm(worker_run& r) {
    const auto at = r.cycle.wake_at();
    if (at && behaviour_->perform)
        runtime_->deadlines->arm(r, whole_millisecond(*at));
    else
        runtime_->deadlines->disarm(r);
}

void worker_run::expired(time_point now) { core->run_due(*this, now); }

void dynamic_core::run_due(worker_run& r, time_point now) {
    turn t(*this);
    if (r.worker->current != &r)
        return;
    if (const auto elapsed = r.cycle.overdue(now))
        report_slow(r, *elapsed, t.wakes);
    r.woken = true;
    if (r.life.is_parked())
        t.wakes.add(r.life);
}

void dynamic_core::report_slow(worker_run& r, duration elapsed, wake_list& wakes) {
    ++totals_.slow_performs_total;
    slow_perform slow{.id = r.worker->id,
                      .elapsed = elapsed,
                      .interval = r.cycle.rhythm().interval,
                      .lull = r.cycle.rhythm().lull,
                      .payload = r.cycle.payload()};
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count();
    log(wakes, log_level::warning, "perform_slow",
        "'" + one_line(slow.id) + "' has performed for " + std::to_string(ms) + " ms",
        {{"worker", slow.id}, {"elapsed_ms", std::to_string(ms)}});
    if (!behaviour_ || !behaviour_->handle_timeout)
        return;
    wakes.defer([self = shared_from_this(), behaviour = behaviour_, slow = std::move(slow)] {
        self->home_->post([self, behaviour, slow] {
            try {
                behaviour->handle_timeout(slow);
            } catch (...) {
                self->callback_failed("handle_timeout", std::current_exception());
            }
        });
    });
}

// --- doing it

asio::awaitable<void> dynamic_core::perform(std::shared_ptr<worker_run> r) {
    const auto behaviour = r->core->behaviour(); // kept beyond the context's end
    co_await prepare();
    worker_outcome outcome = co_await behaviour->perform(r->worker->id, r->cycle.payload());
    r->core->after_perform(*r, std::move(outcome));
}

asio::awaitable<void> dynamic_core::handle_call(std::shared_ptr<worker_run> r,
                                                std::shared_ptr<worker_message> m) {
    const auto behaviour = r->core->behaviour(); // kept beyond the context's end
    co_await prepare();
    worker_reply answer;
    std::exception_ptr failed;
    try {
        answer = co_await behaviour->call(r->worker->id, m->body, r->cycle.payload());
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) {
        // One that was cut short is answered by the message's end.
        if (!r->context.stop_requested())
            m->call->fail(failed);
        std::rethrow_exception(failed);
    }
    r->core->after_message(*r, std::move(answer.then));
    m->call->answer(std::move(answer.reply));
}

asio::awaitable<void> dynamic_core::handle_cast(std::shared_ptr<worker_run> r,
                                                std::shared_ptr<worker_message> m) {
    const auto behaviour = r->core->behaviour(); // kept beyond the context's end
    co_await prepare();
    worker_outcome outcome = co_await behaviour->cast(r->worker->id, m->body, r->cycle.payload());
    r->core->after_message(*r, std::move(outcome));
}

void dynamic_core::after_perform(worker_run& r, worker_outcome outcome) {
    turn t(*this);
    const auto then = r.cycle.end_perform(outcome, runtime_->time->now());
    follow(t, r, then, outcome);
}

void dynamic_core::after_message(worker_run& r, worker_outcome outcome) {
    turn t(*this);
    const auto then = r.cycle.end_message(outcome, runtime_->time->now());
    follow(t, r, then, outcome);
}

/// Removes or moves the worker when that is what its outcome says, and nobody said otherwise
/// meanwhile.
void dynamic_core::follow(turn& t, worker_run& r, worker_cycle::then then,
                          worker_outcome& outcome) {
    dynamic_worker& w = *r.worker;
    if (then == worker_cycle::then::stays || !is_current(r) || r.context.stop_requested())
        return;
    if (then == worker_cycle::then::halts) {
        registry_.del(w, reason_of(exit_reason::kind::normal), t);
        refuse_mail(w, errc::not_found, t.wakes);
        return;
    }
    if (outcome.id().empty())
        throw error(errc::invalid_option,
                    whose() + ": '" + one_line(w.id) + "' cannot be replaced: the new id is empty");
    if (outcome.id() == w.id) {
        worker_outcome in_place = worker_outcome::replace(std::move(outcome.content()));
        r.cycle.end_message(in_place, runtime_->time->now());
        return;
    }
    worker_rhythm rhythm = r.cycle.rhythm();
    rhythm.first_perform.reset(); // or two that replace each other would never rest
    worker_spec spec(std::move(outcome.content()), rhythm);
    registry_.del(w, reason_of(exit_reason::kind::shutdown, "replaced by " + outcome.id()), t);
    refuse_mail(w, errc::not_found, t.wakes);
    registry_.put(outcome.id(), std::move(spec), worker_registry::put_mode::move, t);
}

} // namespace lifeguard::detail
