#pragma once

#include <lifeguard/backoff.hpp>
#include <lifeguard/child_spec.hpp>
#include <lifeguard/exit_reason.hpp>
#include <lifeguard/time_source.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <any>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lifeguard {

class log_sink;
class loop_watchdog;
class name_registry;

/// Which siblings are restarted with a child that failed (OTP's words).
enum class strategy {
    one_for_one,        ///< none
    one_for_all,        ///< all
    rest_for_one,       ///< those behind it in start order
    simple_one_for_one, ///< none; the children are made from one template, see `start_child`
};

/// Whether the supervisor ends, as after a stop, when significant children have ended by themselves
/// and are not restarted.
enum class auto_shutdown {
    never,
    any_significant, ///< at the first
    all_significant, ///< when none is left
};

/// Validated by the supervisor's constructor; the error names the field.
struct supervisor_options {
    /// Names the supervisor in reports, logs and the tree.
    std::string name = "supervisor";

    lifeguard::strategy strategy = lifeguard::strategy::one_for_one;

    /// More than `intensity` restarts within `period` and the supervisor gives up: it stops its
    /// children and ends. Zero gives up at the first. Default to 1 in 5 s, as in OTP.
    unsigned intensity = 1;
    duration period = std::chrono::seconds(5);

    lifeguard::auto_shutdown auto_shutdown = lifeguard::auto_shutdown::never;

    /// A failed child waits before it is restarted, longer each time; it starts anew when it has
    /// run for `period`. Each restart is charged when it is made. Empty: at once, as in OTP.
    std::optional<backoff> restart_delay;

    /// How long a child cancelled by force may take to end before it is abandoned. Defaults to 1 s.
    duration kill_grace = std::chrono::seconds(1);

    /// With so many abandoned incarnations still alive, one more counts as a failed restart.
    /// Defaults to 64.
    std::size_t abandoned_max = 64;

    /// Empty: the machine's clocks.
    std::shared_ptr<time_source> time;

    /// Where children with a `registered_name` are to be found. Empty: there must be none.
    std::shared_ptr<name_registry> names;

    /// Finds children that hold their thread. Empty: nobody looks.
    std::shared_ptr<loop_watchdog> watchdog;

    /// Gets a line for every crash, restart and surrender. Empty: none.
    std::shared_ptr<log_sink> log;
};

/// One event in a supervisor's life, in causal order.
struct supervisor_event {
    enum class kind {
        child_started,
        child_exited,
        restart_scheduled,
        start_failed,
        child_abandoned,
        gave_up,
        ended,
    };
    /// What the supervisor was doing when a child ended or failed to start (OTP's report contexts).
    enum class context { none, start_error, child_terminated, shutdown, shutdown_error };

    kind what = kind::child_started;
    context when = context::none;
    std::string supervisor;
    std::string child;        ///< empty for the supervisor's own events
    unsigned incarnation = 0; ///< restart_scheduled: the one that has ended
    exit_reason reason;
    time_point at;
};

/// "supervisor 'top': child 'a' (incarnation 2) child_terminated: error(boom)". One line.
std::string to_string(const supervisor_event& event);

struct child_info {
    enum class state { not_started, starting, running, stopping, restarting };
    std::string id;
    state state_now = state::not_started;
    child_type type = child_type::worker;
    restart_type restart = restart_type::permanent;
    unsigned incarnation = 0; ///< 0 until it ran for the first time
    std::uint64_t restarts = 0;
};

/// As OTP's count_children.
struct child_counts {
    std::size_t specs = 0;
    std::size_t active = 0;
    std::size_t supervisors = 0;
    std::size_t workers = 0;
    friend bool operator==(const child_counts&, const child_counts&) = default;
};

/// What had to be done to stop children (conformance rule M-05).
struct stop_figures {
    std::uint64_t stops_normal = 0;
    std::uint64_t stops_shutdown = 0;
    std::uint64_t stops_error = 0;
    std::uint64_t stops_killed = 0;
    std::uint64_t force_cancel_total = 0;
    std::uint64_t abandoned_total = 0;
    std::uint64_t abandoned_live = 0;
    std::uint64_t abandoned_max = 0; ///< the highest abandoned_live so far
    // From the request to the end; the percentiles may be up to a quarter too high.
    duration stop_latency_p50 = duration::zero();
    duration stop_latency_p99 = duration::zero();
    duration stop_latency_max = duration::zero();
    std::uint64_t observer_errors = 0; ///< exceptions of subscribers and of the log sink, swallowed
};

/// What `start_child` and `restart_child` answer.
struct started_child {
    std::string id;
    unsigned incarnation = 0; ///< 0: its start function said ignore
    std::any info;            ///< what it gave to `child_body` or `ready`
};

/// A supervisor: a service that runs children, restarts those that fail within an intensity limit,
/// and stops them in order. Its semantics are OTP's supervisor, case by case (test/supervision).
///
/// A handle: copies refer to one supervisor, which lives as long as a handle or a frame of it does.
/// Thread safety: any thread may call any member of any copy. Lifetime: handles and contexts may be
/// destroyed in any order.
///
/// What callers await below may be called at any time. A call before `run`, or during the initial
/// start, is answered when the initial children have started; a call about a child that is being
/// terminated, when that has ended. Cancellation: the caller goes on with `operation_aborted`, and
/// what it asked for happens all the same. Errors: `no_such_supervisor` when the supervisor has
/// ended or ends.
class supervisor {
  public:
    /// Starts nothing. The supervisor and its children run on `executor` when that is a strand, on
    /// a strand over it otherwise. simple_one_for_one takes exactly one spec: the template.
    /// Errors: `invalid_option` naming the field or the child's field, `duplicate_id`.
    supervisor(asio::any_io_executor executor, supervisor_options options,
               std::vector<child_spec> children = {});

    /// Starts the children in order, keeps them running, and returns when the supervisor has ended
    /// after a stop or an auto_shutdown.
    /// Errors: `start_failed` when a child of the initial list does not start (the cause is nested
    /// in it, see std::rethrow_if_nested); `exit_shutdown("intensity_exceeded")` when it gave up,
    /// so that a parent sees OTP's `shutdown` reason; `already_started` when it is called again.
    /// Cancellation: total is a request to stop, with the patience each child's spec grants;
    /// terminal cancels all children by force. Both end with every child ended, or abandoned and
    /// counted. Lifetime: when its coroutine is destroyed before, that acts like terminal.
    asio::awaitable<void> run();

    /// Stops the children in reverse order and returns when `run` is about to. Any number may call,
    /// also before `run` (then `run` returns at once) and after the end (then it returns at once
    /// itself).
    asio::awaitable<void> stop();

    /// As `stop`, without waiting.
    void request_stop();

    /// Adds a child behind the others and starts it. Waits for its start handshake; meanwhile other
    /// children may be started. Called on the supervisor's strand, a child that runs there, too,
    /// gets to its first suspension before the call returns, as with co_spawn.
    /// Errors: `invalid_option`, `already_started`, `already_present`, `start_failed` with the
    /// cause nested (also when the child was stopped in its start, with a sibling that failed),
    /// `simple_one_for_one`. A child that failed to start is not kept; intensity is not charged.
    asio::awaitable<started_child> start_child(child_spec spec);

    /// Starts one more child of a simple_one_for_one supervisor. Its id is made of the template's:
    /// "session/1", "session/2" ... Every start of it, also a restart, is given `argument`; that of
    /// a temporary child is moved into its one start and not kept.
    /// Errors: `start_failed` with the cause nested; `unsupported` by any other supervisor.
    asio::awaitable<started_child> start_child(std::any argument);

    /// Stops a child and keeps its spec, except of a temporary one. Also ok when it does not run;
    /// a failed restart is not repeated any more. A dynamic child is forgotten; one that ended
    /// before is ok, too.
    /// Errors: `not_found`; `simple_one_for_one` for the template's id.
    asio::awaitable<void> terminate_child(std::string id);

    /// Starts a child that does not run. When that fails it is not repeated.
    /// Errors: `not_found`, `running`, `start_failed` with the cause nested, `simple_one_for_one`.
    asio::awaitable<started_child> restart_child(std::string id);

    /// Forgets a child that does not run. Errors: `not_found`, `running`, `simple_one_for_one`.
    asio::awaitable<void> delete_child(std::string id);

    /// Cancels the running incarnation by force and returns without waiting for its end; the child
    /// ends `killed` and is restarted as after a crash (OTP: `exit(Pid, kill)`).
    /// Errors: `not_found` (also when it does not run).
    asio::awaitable<void> kill_child(std::string id);

    /// The children in start order.
    asio::awaitable<std::vector<child_info>> which_children() const;
    asio::awaitable<child_counts> count_children() const;

    /// The spec of a child with every default filled in; of a dynamic child, the template.
    /// Errors: `not_found`.
    asio::awaitable<child_spec> get_childspec(std::string id) const;

    /// Changes the rules and the specs while the children run on (OTP's code change). New children
    /// are added and not started; children that `children` does not name stay, in front. What
    /// concerns the end of a child holds at once, start functions and executors from the next start
    /// on. The name, clocks, log, names and watchdog stay what they are.
    /// Errors: as the constructor's; `unsupported` from or to simple_one_for_one. Nothing is
    /// changed then.
    asio::awaitable<void> reconfigure(supervisor_options options, std::vector<child_spec> children);

    /// The tree below this supervisor as text, nested supervisors indented. Answered at once, also
    /// during a start that does not come to its end.
    asio::awaitable<std::string> tree() const;

    /// Calls `f` with every event from now on, on the supervisor's strand; what it throws is
    /// swallowed and counted. It must not block. The subscription ends with the returned object.
    std::shared_ptr<void> subscribe(std::function<void(const supervisor_event&)> f);

    /// Still there when the supervisor has ended: abandoned coroutines may end later.
    stop_figures figures() const;
    const std::string& name() const noexcept;

    /// The strand. Empty once its context is gone.
    const asio::any_io_executor& executor() const noexcept;

    class shell;
    explicit supervisor(std::shared_ptr<shell> s) noexcept : shell_(std::move(s)) {}
    /// For those who keep a weak reference.
    const std::shared_ptr<shell>& share() const noexcept { return shell_; }

  private:
    std::shared_ptr<shell> shell_;
};

/// The spec of a nested supervisor: each incarnation is a new one with the same options and
/// children, so children added at run time are not remembered (OTP). It shares its parent's strand,
/// and its child id is its name. Errors: as the constructor of `supervisor`.
child_spec nested_supervisor(supervisor_options options, std::vector<child_spec> children);

} // namespace lifeguard
