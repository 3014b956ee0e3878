#include "supervision/supervisor_core.hpp"

#include "supervision/reasons.hpp"

#include <algorithm>
#include <utility>

namespace lifeguard::detail {
namespace {

time_point later(time_point now, duration by) noexcept {
    return by < time_point::max() - now ? now + by : time_point::max();
}

} // namespace

supervisor_core::supervisor_core(const limits& l)
    : kill_grace_(l.kill_grace),
      abandoned_max_(l.abandoned_max),
      intensity_(l.intensity, l.period) {}

supervisor_core::~supervisor_core() { clear(); }

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

void supervisor_core::start_from(const child_list::iterator& next, time_point now) {
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
    if (last.told_to_end())
        report_exit(child, last);
    else
        emit(event::start_failed, context::start_error, &child, last.reason);
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

void supervisor_core::repeat_restart(supervised_child& child, unsigned incarnation,
                                     time_point now) {
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

// ---- odds and ends

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
