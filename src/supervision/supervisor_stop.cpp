// The part of supervisor_core that stops children: ask, force, abandon (conformance rule M-03).
#include "supervision/reasons.hpp"
#include "supervision/supervisor_core.hpp"

#include <algorithm>

namespace lifeguard::detail {

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

void supervisor_core::deadline_passed(supervised_child& child, std::uint64_t deadline,
                                      time_point now) {
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

} // namespace lifeguard::detail
