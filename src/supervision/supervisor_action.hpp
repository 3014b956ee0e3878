#pragma once

#include "supervision/supervised_child.hpp"
#include <lifeguard/error.hpp>
#include <lifeguard/supervisor.hpp>

#include <any>
#include <optional>
#include <variant>
#include <vector>

/// What a supervisor_core wants done. To be carried out in order.
namespace lifeguard::detail::action {

/// Start a new coroutine for the child; its number is `incarnation`.
struct spawn {
    child_ptr child;
};

/// Ask its coroutine to stop: total cancellation.
struct request_stop {
    child_ptr child;
};

/// Cancel its coroutine by force: terminal cancellation.
struct force {
    child_ptr child;
};

/// Forget its coroutine, which will not end. It is counted until it does.
struct abandon {
    child_ptr child;
};

/// Call `deadline_passed(child, deadline)` at `at`. A child has one deadline at most, and so have
/// those that stop together.
struct set_deadline {
    child_ptr child; ///< empty: of those that stop together
    std::uint64_t deadline;
    time_point at;
};

struct clear_deadline {
    child_ptr child;
};

/// Submit a `repeat` of the child once the calls that came before have been submitted.
struct repeat_restart {
    child_ptr child;
    unsigned incarnation;
};

/// The answer to a request. `code` is empty when it was done.
struct answer {
    ticket to;
    std::optional<errc> code;
    std::exception_ptr cause; ///< of start_failed
    child_ptr child;          ///< that was to be started; empty of other requests
    unsigned incarnation = 0; ///< of what was started; 0 when that was ignored
    std::any info = {};       ///< that it gave
};

struct emit {
    supervisor_event::kind what;
    supervisor_event::context when;
    child_ptr child; ///< empty for the supervisor's own events
    unsigned incarnation;
    exit_reason reason;
};

/// The children have started: the initial ones, or those that were restarted together.
struct started {};

/// The supervisor has ended, and so have its children.
struct finished {
    enum class outcome { stopped, auto_shutdown, gave_up, start_failed };
    outcome how = outcome::stopped;
    std::string failed_child; ///< the one of the initial list that did not start
    exit_reason why;          ///< it did not
};

} // namespace lifeguard::detail::action

namespace lifeguard::detail {

using supervisor_action =
    std::variant<action::spawn, action::request_stop, action::force, action::abandon,
                 action::set_deadline, action::clear_deadline, action::repeat_restart,
                 action::answer, action::emit, action::started, action::finished>;
using supervisor_actions = std::vector<supervisor_action>;

} // namespace lifeguard::detail
