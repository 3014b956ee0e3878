// The part of supervisor_core that stops children: ask, force, abandon (conformance rule M-03).
#include "supervision/reasons.hpp"
#include "supervision/supervisor_core.hpp"

#include <algorithm>

namespace lifeguard::detail {

// ---- all children

void supervisor_core::stop(time_point now) {
    if (!is_ending())
        begin_stop(outcome::stopped, now);
}

void supervisor_core::force(time_point now) {
    if (forced_ || mode_ == mode::ended)
        return;
    forced_ = true;
    if (mode_ == mode::stopping)
        stop_together(now);
    else
        begin_stop(outcome::stopped, now);
}

void supervisor_core::begin_stop(outcome how, time_point now) {
    outcome_.how = how;
    mode_ = mode::stopping;
    resubmit(std::exchange(waiting_, {}), now);
    if (forced_ || is_simple())
        stop_together(now);
    else
        stop_before(children_.end(), now);
}

/// One by one, in reverse: all children when the supervisor ends, else those to be started again.
void supervisor_core::stop_before(child_list::iterator end, time_point now) {
    const bool some = mode_ == mode::regrouping && group_begin_ != nullptr;
    const auto begin = some ? children_.iterator_to(*group_begin_) : children_.begin();
    while (end != begin) {
        supervised_child& child = *--end;
        if (child.is_alive()) {
            turn_ = &child;
            return ask(child, stop_purpose::shutdown, now);
        }
        put_down(child);
    }
    if (is_ending())
        return finish();
    mode_ = mode::starting;
    start_from(begin, now);
}

/// At once, with one deadline for all: children without an order, or all when they are forced.
void supervisor_core::stop_together(time_point now) {
    turn_ = nullptr;
    const shutdown_policy patience =
        children_.empty() ? shutdown_policy::infinity() : children_.front().shutdown;
    for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
        if (!child->is_alive())
            put_down(*child);
        else if (!forced_ && !patience.is_brutal() &&
                 mark_asked(*child, stop_purpose::shutdown, now))
            clear_deadline(*child);
    }
    if (alive_ == 0)
        finish();
    else if (forced_ || patience.grace() == duration::zero())
        force_together(now);
    else if (!patience.is_infinite())
        set_shared_deadline(now, patience.grace());
}

void supervisor_core::force_together(time_point now) {
    for (auto child = children_.rbegin(); child != children_.rend(); ++child)
        if (child->is_alive() && mark_forced(*child, stop_purpose::shutdown, now))
            clear_deadline(*child);
    set_shared_deadline(now, options_.kill_grace);
}

void supervisor_core::shared_deadline_passed(time_point now) {
    const auto waits = [](const supervised_child& c) {
        return c.is_alive() && c.step != stop_step::forced;
    };
    if (std::ranges::any_of(children_, waits))
        return force_together(now);
    for (auto next = children_.begin(); mode_ != mode::ended && next != children_.end();) {
        supervised_child& child = *next++;
        if (child.is_alive() && !child.nested)
            abandon(child, now);
    }
}

void supervisor_core::finish() {
    mode_ = mode::ended;
    turn_ = nullptr;
    if (std::exchange(shared_deadline_, 0) != 0)
        actions_.emplace_back(action::clear_deadline{});
    switch (outcome_.how) {
    case outcome::stopped:
        emit(event::ended, context::none, nullptr, reason_of(exit_reason::kind::shutdown));
        break;
    case outcome::gave_up:
        emit(event::ended, context::none, nullptr,
             reason_of(exit_reason::kind::shutdown, "intensity_exceeded"));
        break;
    case outcome::auto_shutdown:
        emit(event::ended, context::none, nullptr, outcome_.why);
        break;
    case outcome::start_failed:
        emit(event::ended, context::start_error, nullptr, outcome_.why);
        break;
    }
    actions_.emplace_back(std::move(outcome_));
    remove_all();
    template_.reset();
}

// ---- one child

/// Asks it to stop. False when it is stopping already.
bool supervisor_core::mark_asked(supervised_child& child, stop_purpose purpose, time_point now) {
    child.purpose = std::max(child.purpose, purpose);
    if (child.is_stopping())
        return false;
    work_of(child).asked_at = now;
    child.step = stop_step::asked;
    actions_.emplace_back(action::request_stop{child_ptr(&child)});
    return true;
}

/// Cancels it by force. False when that was done before.
bool supervisor_core::mark_forced(supervised_child& child, stop_purpose purpose, time_point now) {
    child.purpose = std::max(child.purpose, purpose);
    if (child.step == stop_step::forced)
        return false;
    if (child.step == stop_step::none)
        work_of(child).asked_at = now;
    child.step = stop_step::forced;
    ++figures_.force_cancel_total;
    actions_.emplace_back(action::force{child_ptr(&child)});
    return true;
}

void supervisor_core::ask(supervised_child& child, stop_purpose purpose, time_point now) {
    if (child.shutdown.is_brutal() && !child.is_stopping())
        return cancel(child, purpose, now);
    if (!mark_asked(child, purpose, now))
        return;
    if (child.shutdown.is_infinite())
        clear_deadline(child);
    else if (child.shutdown.grace() == duration::zero())
        cancel(child, purpose, now);
    else
        set_deadline(child, now, child.shutdown.grace());
}

void supervisor_core::cancel(supervised_child& child, stop_purpose purpose, time_point now) {
    if (!mark_forced(child, purpose, now))
        return;
    if (child.nested)
        clear_deadline(child);
    else
        set_deadline(child, now, options_.kill_grace);
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

void supervisor_core::deadline_passed(supervised_child* child, std::uint64_t deadline,
                                      time_point now) {
    if (child == nullptr) {
        if (deadline != shared_deadline_)
            return;
        shared_deadline_ = 0;
        return shared_deadline_passed(now);
    }
    if (!child->work || child->work->deadline != deadline)
        return;
    child->work->deadline = 0;
    if (child->now == phase::restarting) // it has waited for its restart long enough
        return submit(repeat_of(*child), now);
    switch (child->step) {
    case stop_step::none:
        return cancel(*child, stop_purpose::start_timeout, now);
    case stop_step::asked:
        return cancel(*child, child->purpose, now);
    case stop_step::forced:
        return abandon(*child, now);
    }
}

} // namespace lifeguard::detail
