// The part of supervisor_core that brings children back: whom, when, and when to give up.
#include "supervision/reasons.hpp"
#include "supervision/supervisor_core.hpp"

#include <utility>

namespace lifeguard::detail {

child_request supervisor_core::repeat_of(supervised_child& child) {
    child_request repeat;
    repeat.what = child_request::kind::repeat;
    repeat.child.reset(&child);
    repeat.incarnation = child.incarnation;
    return repeat;
}

/// A child that is down is to run again, and with it whom the strategy says.
void supervisor_core::restart(supervised_child& child, time_point now) {
    if (is_grouped() && mode_ != mode::running) {
        // As in OTP, where the news of its end would wait for the others to be started.
        set_phase(child, phase::restarting);
        waiting_.push_back(repeat_of(child));
        return;
    }
    if (!intensity_.charge(now))
        return give_up(now);
    ++child.restarts;
    emit(event::restart_scheduled, context::none, &child);
    if (is_grouped())
        restart_group(child, now);
    else
        respawn(child, now);
}

/// Stops all children, or those behind the one that ended, and starts them again with it.
void supervisor_core::restart_group(supervised_child& cause, time_point now) {
    mode_ = mode::regrouping;
    group_begin_ = options_.strategy == strategy::one_for_all ? nullptr : &cause;
    stop_before(children_.end(), now);
}

/// Starts a child on the supervisor's own account.
void supervisor_core::respawn(supervised_child& child, time_point now) {
    if (!child.lost || figures_.abandoned_live <= options_.abandoned_max)
        return spawn(child, start_cause::automatic, now);
    emit(event::start_failed, context::start_error, &child,
         failure(errc::start_failed, std::to_string(figures_.abandoned_live) +
                                         " abandoned incarnations still live (abandoned_max)"));
    restart_failed(child, now);
}

/// Tries again, behind the calls that wait; those that would start after it wait for that, too.
void supervisor_core::restart_failed(supervised_child& child, time_point now) {
    restart_later(child, now);
    if (turn_ == &child && mode_ == mode::starting)
        settle(now);
}

void supervisor_core::restart_later(supervised_child& child, time_point now) {
    set_phase(child, phase::restarting);
    if (options_.restart_delay)
        set_deadline(child, now,
                     delays_.next(&child, *options_.restart_delay, options_.period, now));
    else
        actions_.emplace_back(action::repeat_restart{child_ptr(&child), child.incarnation});
}

void supervisor_core::handle_repeat(child_request& request, time_point now) {
    supervised_child& child = *request.child;
    if (child.now != phase::restarting || child.incarnation != request.incarnation)
        return; // somebody started it meanwhile, or nobody wants it any more
    set_phase(child, phase::down);
    restart(child, now);
}

void supervisor_core::give_up(time_point now) {
    emit(event::gave_up, context::shutdown, nullptr,
         reason_of(exit_reason::kind::shutdown, "intensity_exceeded"));
    begin_stop(outcome::gave_up, now);
}

} // namespace lifeguard::detail
