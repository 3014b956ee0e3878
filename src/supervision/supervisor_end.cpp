// The part of supervisor_core that decides what follows when an incarnation has come to its end.
#include "base/assert.hpp"
#include "supervision/reasons.hpp"
#include "supervision/supervisor_core.hpp"

#include <algorithm>
#include <utility>

namespace lifeguard::detail {

void supervisor_core::ended(supervised_child& child, unsigned incarnation, child_end end,
                            time_point now) {
    if (incarnation != child.incarnation || !child.is_alive()) {
        LIFEGUARD_ASSERT(figures_.abandoned_live != 0, "only what was abandoned comes late");
        --figures_.abandoned_live;
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
        return reason_of(exit_reason::kind::shutdown,
                         end.what == kind::exit_shutdown ? std::move(end.detail) : "");
    if (child.now == phase::starting && end.what == kind::returned)
        return failure(errc::start_failed, "it ended before it was ready");
    if (end.what == kind::exit_shutdown)
        return reason_of(exit_reason::kind::shutdown, std::move(end.detail), std::move(end.cause));
    return reason_of(exit_reason::kind::normal);
}

void supervisor_core::gone(supervised_child& child, exit_reason reason, bool ignored,
                           time_point now) {
    const child_ptr keep(&child);
    clear_deadline(child);
    last_moments last{.reason = std::move(reason),
                      .was = child.now,
                      .step = std::exchange(child.step, stop_step::none),
                      .purpose = std::exchange(child.purpose, stop_purpose::none),
                      .work = {}};
    if (const auto work = std::move(child.work))
        last.work = std::move(*work);
    set_phase(child, phase::down);
    if (last.step != stop_step::none) {
        const duration latency = now - last.work.asked_at;
        figures_.stop_latency_max = std::max(figures_.stop_latency_max, latency);
        stop_latency_.add(latency);
    }

    if (last.was == phase::running)
        after_run(child, last, now);
    else if (ignored && !last.told_to_end())
        start_ignored(child, last, now);
    else
        start_refused(child, last, now);
}

void supervisor_core::report_exit(supervised_child& child, const last_moments& last) {
    const bool expected =
        last.reason.what == exit_reason::kind::shutdown || forced_ ||
        (last.reason.what == exit_reason::kind::killed && child.shutdown.is_brutal());
    const context when = !last.told_to_end() ? context::child_terminated
                         : expected          ? context::shutdown
                                             : context::shutdown_error;
    count(last.reason);
    emit(event::child_exited, when, &child, last.reason);
}

void supervisor_core::after_run(supervised_child& child, last_moments& last, time_point now) {
    report_exit(child, last);
    const bool by_itself = !last.told_to_end() && mode_ != mode::stopping;
    const bool wanted = child.restart == restart_type::permanent ||
                        (child.restart == restart_type::transient && last.reason.abnormal());
    if (by_itself && wanted)
        return options_.restart_delay ? restart_later(child, now) : restart(child, now);
    stay_down(child, last, false, now);
    if (by_itself && child.significant)
        end_with(child, now);
}

/// A significant child has ended for good, and with it perhaps the supervisor.
void supervisor_core::end_with(const supervised_child& significant, time_point now) {
    const bool enough =
        options_.auto_shutdown == auto_shutdown::any_significant ||
        (options_.auto_shutdown == auto_shutdown::all_significant && significant_ == 0);
    if (!enough || is_ending())
        return;
    outcome_.why = reason_of(exit_reason::kind::shutdown, "auto_shutdown: " + significant.id);
    begin_stop(outcome::auto_shutdown, now);
}

void supervisor_core::stay_down(supervised_child& child, last_moments& last, bool forget,
                                time_point now) {
    for (const ticket t : last.work.terminators)
        answer(t);
    if (mode_ == mode::ended)
        return;
    const bool in_turn = turn_ == &child;
    const auto next = std::next(children_.iterator_to(child));
    if (forget || child.restart == restart_type::temporary || is_simple())
        remove(child);
    resubmit(std::move(last.work.waiting), now);
    if (mode_ != mode::stopping && mode_ != mode::regrouping)
        return;
    if (in_turn)
        stop_before(next, now);
    else if (turn_ == nullptr && alive_ == 0)
        finish();
}

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

} // namespace lifeguard::detail
