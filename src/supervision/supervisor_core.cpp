#include "supervision/supervisor_core.hpp"

#include <algorithm>
#include <utility>

namespace lifeguard::detail {
namespace {

time_point later(time_point now, duration by) noexcept {
    return by < time_point::max() - now ? now + by : time_point::max();
}

exit_reason reason_of(exit_reason::kind what, std::string detail = {}, std::exception_ptr cause = {}) {
    exit_reason reason;
    reason.what = what;
    reason.detail = std::move(detail);
    reason.cause = std::move(cause);
    return reason;
}

exit_reason failure(errc code, std::string detail) {
    auto cause = std::make_exception_ptr(error(code, detail));
    return reason_of(exit_reason::kind::error, std::move(detail), std::move(cause));
}

} // namespace

supervisor_core::supervisor_core(const limits& l)
    : kill_grace_(l.kill_grace), abandoned_max_(l.abandoned_max), intensity_(l.intensity, l.period) {}

supervisor_core::~supervisor_core() {
    clear();
}

bool supervisor_core::add(child_ptr child) {
    if (!index_.insert(child.get()).second)
        return false;
    if (child->type == child_type::supervisor)
        ++supervisors_;
    children_.push_back(*child.detach());
    return true;
}

void supervisor_core::remove(supervised_child& child) {
    index_.erase(&child);
    children_.erase(children_.iterator_to(child));
    if (child.type == child_type::supervisor)
        --supervisors_;
    intrusive_ptr_release(&child);
}

void supervisor_core::clear() noexcept {
    // Start functions may own anything, also whoever owns this core.
    const auto waiting = std::move(waiting_);
    const auto actions = std::move(actions_);
    waiting_.clear();
    actions_.clear();
    remove_all();
}

void supervisor_core::remove_all() noexcept {
    index_.clear();
    children_.clear_and_dispose([](supervised_child* c) { intrusive_ptr_release(c); });
}

supervised_child* supervisor_core::find(std::string_view id) const {
    const auto found = index_.find(id);
    return found == index_.end() ? nullptr : *found;
}

child_counts supervisor_core::counts() const noexcept {
    return {.specs = index_.size(),
            .active = alive_,
            .supervisors = supervisors_,
            .workers = index_.size() - supervisors_};
}

// ---- starting

void supervisor_core::start(time_point now) {
    if (mode_ != mode::idle)
        return;
    mode_ = mode::starting;
    start_from(children_.begin(), now);
}

void supervisor_core::start_from(child_list::iterator next, time_point now) {
    if (next != children_.end())
        return spawn(*next, start_cause::initial, now);
    mode_ = mode::running;
    actions_.emplace_back(action::started());
    resubmit(std::exchange(waiting_, {}), now);
}

void supervisor_core::spawn(supervised_child& child, start_cause cause, time_point now) {
    child.now = phase::starting;
    child.cause = cause;
    child.lost = false;
    child.nested = false;
    ++child.incarnation;
    ++alive_;
    if (child.start_timeout > duration::zero())
        set_deadline(child, now, child.start_timeout);
    actions_.emplace_back(action::spawn{child_ptr(&child)});
}

void supervisor_core::started(supervised_child& child, unsigned incarnation, std::any info,
                              time_point now) {
    if (incarnation != child.incarnation || child.now != phase::starting)
        return;
    child.now = phase::running;
    if (!child.is_stopping())
        clear_deadline(child);
    emit(event::child_started, context::none, &child);
    if (child.work && child.work->starter != 0)
        actions_.emplace_back(action::answer{.to = std::exchange(child.work->starter, 0),
                                             .code = {},
                                             .cause = {},
                                             .incarnation = incarnation,
                                             .info = std::move(info)});
    if (!child.is_stopping())
        child.work.reset();
    if (child.cause == start_cause::initial && mode_ == mode::starting)
        start_from(std::next(children_.iterator_to(child)), now);
}

void supervisor_core::start_ignored(supervised_child& child, last_moments& last, time_point now) {
    --child.incarnation; // it did not run
    answer(last.work.starter);
    const auto next = std::next(children_.iterator_to(child));
    const bool in_turn = child.cause == start_cause::initial && mode_ == mode::starting;
    stay_down(child, last, false, now);
    if (in_turn)
        start_from(next, now);
}

void supervisor_core::start_refused(supervised_child& child, last_moments& last, time_point now) {
    if (last.told_to_end()) {
        count(last.reason);
        emit(event::child_exited, context::shutdown, &child, last.reason);
    } else {
        emit(event::start_failed, context::start_error, &child, last.reason);
    }
    const bool ending = mode_ == mode::stopping;
    answer(last.work.starter, ending ? errc::no_such_supervisor : errc::start_failed,
           last.reason.cause);
    if (!last.told_to_end() && !ending) {
        if (child.cause == start_cause::automatic)
            return retry_later(child);
        if (child.cause == start_cause::initial) {
            outcome_.how = action::finished::outcome::start_failed;
            outcome_.failed_child = child.id;
            outcome_.why = last.reason;
            begin_stop(now);
        }
    }
    stay_down(child, last, child.cause == start_cause::start_call, now);
}

// ---- restarting

void supervisor_core::restart(supervised_child& child, time_point now) {
    if (!intensity_.charge(now))
        return give_up(now);
    ++child.restarts;
    emit(event::restart_scheduled, context::none, &child);
    if (child.lost && figures_.abandoned_live > abandoned_max_) {
        emit(event::start_failed, context::start_error, &child,
             failure(errc::start_failed, std::to_string(figures_.abandoned_live) +
                                             " abandoned incarnations still live (abandoned_max)"));
        return retry_later(child);
    }
    spawn(child, start_cause::automatic, now);
}

void supervisor_core::retry_later(supervised_child& child) {
    child.now = phase::restarting;
    actions_.emplace_back(action::repeat_restart{child_ptr(&child), child.incarnation});
}

void supervisor_core::repeat_restart(supervised_child& child, unsigned incarnation, time_point now) {
    if (child.now != phase::restarting || incarnation != child.incarnation ||
        mode_ == mode::stopping || mode_ == mode::ended)
        return;
    child.now = phase::down;
    restart(child, now);
}

void supervisor_core::give_up(time_point now) {
    outcome_.how = action::finished::outcome::gave_up;
    emit(event::gave_up, context::shutdown, nullptr,
         reason_of(exit_reason::kind::shutdown, "intensity_exceeded"));
    begin_stop(now);
}

// ---- stopping

void supervisor_core::stop(time_point now) {
    if (mode_ != mode::stopping && mode_ != mode::ended)
        begin_stop(now);
}

void supervisor_core::force(time_point now) {
    if (forced_ || mode_ == mode::ended)
        return;
    forced_ = true;
    if (mode_ == mode::stopping)
        stop_all_by_force(now);
    else
        begin_stop(now);
}

void supervisor_core::begin_stop(time_point now) {
    mode_ = mode::stopping;
    resubmit(std::exchange(waiting_, {}), now);
    if (forced_)
        stop_all_by_force(now);
    else
        stop_before(children_.end(), now);
}

void supervisor_core::stop_all_by_force(time_point now) {
    for (auto child = children_.rbegin(); child != children_.rend(); ++child)
        if (child->is_alive())
            cancel(*child, stop_purpose::shutdown, now);
    if (alive_ == 0)
        finish();
}

void supervisor_core::stop_before(child_list::iterator end, time_point now) {
    while (end != children_.begin()) {
        supervised_child& child = *--end;
        if (child.is_alive()) {
            stopping_ = &child;
            return ask(child, stop_purpose::shutdown, now);
        }
        child.now = phase::down; // perhaps it was to be restarted
    }
    finish();
}

void supervisor_core::finish() {
    mode_ = mode::ended;
    stopping_ = nullptr;
    switch (outcome_.how) {
    case action::finished::outcome::stopped:
        emit(event::ended, context::none, nullptr, reason_of(exit_reason::kind::shutdown));
        break;
    case action::finished::outcome::gave_up:
        emit(event::ended, context::none, nullptr,
             reason_of(exit_reason::kind::shutdown, "intensity_exceeded"));
        break;
    case action::finished::outcome::start_failed:
        emit(event::ended, context::start_error, nullptr, outcome_.why);
        break;
    }
    actions_.emplace_back(std::move(outcome_));
    remove_all();
}

void supervisor_core::ask(supervised_child& child, stop_purpose purpose, time_point now) {
    child.purpose = std::max(child.purpose, purpose);
    if (child.is_stopping())
        return;
    if (child.shutdown.is_brutal())
        return cancel(child, purpose, now);
    work_of(child).asked_at = now;
    child.step = stop_step::asked;
    actions_.emplace_back(action::request_stop{child_ptr(&child)});
    if (child.shutdown.is_infinite())
        clear_deadline(child);
    else if (child.shutdown.grace() == duration::zero())
        cancel(child, purpose, now);
    else
        set_deadline(child, now, child.shutdown.grace());
}

void supervisor_core::cancel(supervised_child& child, stop_purpose purpose, time_point now) {
    child.purpose = std::max(child.purpose, purpose);
    if (child.step == stop_step::forced)
        return;
    if (child.step == stop_step::none)
        work_of(child).asked_at = now;
    child.step = stop_step::forced;
    ++figures_.force_cancel_total;
    actions_.emplace_back(action::force{child_ptr(&child)});
    if (child.nested)
        clear_deadline(child);
    else
        set_deadline(child, now, kill_grace_);
}

void supervisor_core::abandon(supervised_child& child, time_point now) {
    ++figures_.abandoned_total;
    ++figures_.abandoned_live;
    figures_.abandoned_max = std::max(figures_.abandoned_max, figures_.abandoned_live);
    child.lost = true;
    actions_.emplace_back(action::abandon{child_ptr(&child)});
    exit_reason reason = reason_of(exit_reason::kind::killed);
    reason.abandoned = true;
    emit(event::child_abandoned, context::none, &child, reason);
    gone(child, std::move(reason), false, now);
}

void supervisor_core::deadline_passed(supervised_child& child, std::uint64_t deadline, time_point now) {
    if (!child.work || child.work->deadline != deadline)
        return;
    child.work->deadline = 0;
    switch (child.step) {
    case stop_step::none:
        return cancel(child, stop_purpose::start_timeout, now);
    case stop_step::asked:
        return cancel(child, child.purpose, now);
    case stop_step::forced:
        return abandon(child, now);
    }
}

// ---- the end of an incarnation

void supervisor_core::ended(supervised_child& child, unsigned incarnation, child_end end, time_point now) {
    if (incarnation != child.incarnation || !child.is_alive()) {
        --figures_.abandoned_live; // only what was abandoned comes late
        return;
    }
    const bool ignored = end.what == child_end::kind::ignored;
    gone(child, judge(child, std::move(end)), ignored, now);
}

exit_reason supervisor_core::judge(const supervised_child& child, child_end end) const {
    using kind = child_end::kind;
    if (child.purpose == stop_purpose::start_timeout)
        return failure(errc::timeout, "it did not start within start_timeout");
    if (child.step == stop_step::forced)
        return reason_of(exit_reason::kind::killed);
    if (end.what == kind::failed || (end.what == kind::cancelled && !child.is_stopping()))
        return reason_of(exit_reason::kind::error, std::move(end.detail), std::move(end.cause));
    if (child.is_stopping())
        return reason_of(exit_reason::kind::shutdown, end.what == kind::exit_shutdown ? std::move(end.detail) : "");
    if (child.now == phase::starting && end.what == kind::returned)
        return failure(errc::start_failed, "it ended before it was ready");
    if (end.what == kind::exit_shutdown)
        return reason_of(exit_reason::kind::shutdown, std::move(end.detail), std::move(end.cause));
    return reason_of(exit_reason::kind::normal);
}

void supervisor_core::gone(supervised_child& child, exit_reason reason, bool ignored, time_point now) {
    const child_ptr keep(&child);
    clear_deadline(child);
    last_moments last{.reason = std::move(reason),
                      .was = child.now,
                      .step = std::exchange(child.step, stop_step::none),
                      .purpose = std::exchange(child.purpose, stop_purpose::none),
                      .work = {}};
    if (const auto work = std::move(child.work))
        last.work = std::move(*work);
    child.now = phase::down;
    --alive_;
    if (last.step != stop_step::none)
        figures_.stop_latency_max = std::max(figures_.stop_latency_max, now - last.work.asked_at);

    if (last.was == phase::running)
        after_run(child, last, now);
    else if (ignored && !last.told_to_end())
        start_ignored(child, last, now);
    else
        start_refused(child, last, now);
}

void supervisor_core::after_run(supervised_child& child, last_moments& last, time_point now) {
    const bool expected = last.reason.what == exit_reason::kind::shutdown || forced_ ||
                          (last.reason.what == exit_reason::kind::killed && child.shutdown.is_brutal());
    const context when = !last.told_to_end() ? context::child_terminated
                         : expected          ? context::shutdown
                                             : context::shutdown_error;
    count(last.reason);
    emit(event::child_exited, when, &child, last.reason);

    const bool wanted = child.restart == restart_type::permanent ||
                        (child.restart == restart_type::transient && last.reason.abnormal());
    if (!wanted || last.told_to_end() || mode_ == mode::stopping)
        return stay_down(child, last, false, now);
    restart(child, now);
}

void supervisor_core::stay_down(supervised_child& child, last_moments& last, bool forget, time_point now) {
    for (const ticket t : last.work.terminators)
        answer(t);
    if (mode_ == mode::ended)
        return;
    const bool in_turn = stopping_ == &child;
    const auto next = std::next(children_.iterator_to(child));
    if (forget || child.restart == restart_type::temporary)
        remove(child);
    resubmit(std::move(last.work.waiting), now);
    if (mode_ != mode::stopping)
        return;
    if (forced_ && alive_ == 0)
        finish();
    else if (!forced_ && in_turn)
        stop_before(next, now);
}

// ---- odds and ends

void supervisor_core::count(const exit_reason& reason) noexcept {
    switch (reason.what) {
    case exit_reason::kind::normal:
        ++figures_.stops_normal;
        break;
    case exit_reason::kind::shutdown:
        ++figures_.stops_shutdown;
        break;
    case exit_reason::kind::error:
        ++figures_.stops_error;
        break;
    case exit_reason::kind::killed:
        ++figures_.stops_killed;
        break;
    }
}

child_work& supervisor_core::work_of(supervised_child& child) {
    if (!child.work)
        child.work = std::make_unique<child_work>();
    return *child.work;
}

void supervisor_core::set_deadline(supervised_child& child, time_point now, duration after) {
    const std::uint64_t deadline = ++deadlines_;
    work_of(child).deadline = deadline;
    actions_.emplace_back(action::set_deadline{child_ptr(&child), deadline, later(now, after)});
}

void supervisor_core::clear_deadline(supervised_child& child) {
    if (child.work && std::exchange(child.work->deadline, 0) != 0)
        actions_.emplace_back(action::clear_deadline{child_ptr(&child)});
}

void supervisor_core::answer(ticket to, std::optional<errc> code, std::exception_ptr cause) {
    if (to != 0)
        actions_.emplace_back(action::answer{.to = to, .code = code, .cause = std::move(cause)});
}

void supervisor_core::emit(event what, context when, supervised_child* child, exit_reason reason) {
    actions_.emplace_back(action::emit{.what = what,
                                       .when = when,
                                       .child = child_ptr(child),
                                       .incarnation = child ? child->incarnation : 0,
                                       .reason = std::move(reason)});
}

} // namespace lifeguard::detail
