#pragma once

#include <lifeguard/child_spec.hpp>
#include <lifeguard/worker_behaviour.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace lifeguard {

class log_sink;
class metrics_registry;
namespace detail {
class dynamic_core;
}

/// Validated by the constructor of `dynamic_workers`; the error names the field.
struct dynamic_workers_options {
    /// Names the manager in reports, logs, metrics and the tree.
    std::string name = "workers";

    /// The rhythm of workers whose spec has none.
    worker_rhythm rhythm;

    /// How many workers there may be; `limit_reached` beyond. Defaults to 10,000.
    std::size_t workers_max = 10'000;

    /// How many calls and casts may wait for one worker; `limit_reached` beyond. Defaults to 1,000.
    std::size_t mailbox_max = 1'000;

    /// How long a call waits for its reply, unless it says otherwise. Defaults to 5 s.
    duration call_timeout = std::chrono::seconds(5);

    /// How long a worker that is asked to end may take, before it is cancelled by force. Defaults
    /// to 5 s.
    std::chrono::milliseconds shutdown = std::chrono::seconds(5);

    /// More than `intensity` crashes of workers within `period` and the manager gives up. Crashes
    /// of its state service are counted in the same way. Default to 3 in 5 s.
    unsigned intensity = 3;
    duration period = std::chrono::seconds(5);

    /// Empty: the machine's clocks; no log; metrics of its own that nobody reads.
    std::shared_ptr<time_source> time;
    std::shared_ptr<log_sink> log;
    std::shared_ptr<metrics_registry> metrics;
};

/// How to call a worker.
struct worker_call_options {
    /// How long to wait for the reply. Negative: as the manager's options say.
    duration timeout = duration(-1);
};
static_assert(std::is_trivially_destructible_v<worker_call_options>);

/// A worker as it was when asked.
struct worker_info {
    json payload;
    json value; ///< the visible one; null until there is one
    duration interval = duration::zero();
    double lull = 0;
    unsigned incarnation = 0;   ///< 0 until it runs
    bool busy = false;          ///< in init, perform, call or cast
    std::size_t waiting = 0;    ///< calls and casts
    std::uint64_t performs = 0; ///< completed, of this incarnation
};

/// A manager as it was when asked.
struct dynamic_workers_state {
    manager_state now = manager_state::unknown;
    std::map<std::string, worker_info> workers;
    std::uint64_t starts_total = 0;   ///< restarts included
    std::uint64_t restarts_total = 0; ///< of workers that had crashed
    std::uint64_t crashes_total = 0;
    std::uint64_t slow_performs_total = 0;
    std::uint64_t casts_dropped_total = 0;   ///< their worker went before it came to them
    std::uint64_t callback_errors_total = 0; ///< swallowed: see `worker_behaviour`
};

/// Periodic supervised workers, found by id: they are put and deleted while the program runs,
/// perform with a fixed delay, answer calls and casts in between, and are restarted alone when they
/// crash. The semantics are those of Tarearbol's DynamicManager (test/dynamic names the cases).
///
///     lifeguard::worker_behaviour devices;
///     devices.perform = [&](const std::string& id, const json&) -> asio::awaitable<double> {
///         co_return co_await read_device(id);     // the worker's visible value
///     };
///     lifeguard::dynamic_workers monitor(io.get_executor(), options, devices);
///     asio::co_spawn(io, monitor.run(), lifeguard::rethrow);
///     ...
///     co_await monitor.put("thermometer-7");
///
/// Payloads, messages and values are JSON, as everywhere in lifeguard: they can be read from a
/// file, printed, compared and shown by a dashboard without a cast, and `payload.get<device>()`
/// makes them a type of yours. What is not data - a socket, a peer - belongs to what the behaviour
/// captures.
///
/// A service. `run` is a rest_for_one supervisor of the state service and the workers' supervisor.
///
/// A handle: copies refer to one manager. Thread safety: any thread may call any member. Lifetime:
/// handles and the executor's context may be destroyed in either order. Cancellation of what is
/// awaited: the caller goes on with `operation_aborted`, and what it asked for happens all the
/// same; only a call that waits for its turn is withdrawn. Errors: `stopped` while the manager does
/// not run or ends.
class dynamic_workers {
  public:
    /// Starts nothing. Workers run in parallel, each on a strand over `executor`; when that is a
    /// strand itself, all run there. Errors: `invalid_option` naming the field.
    dynamic_workers(const asio::any_io_executor& executor, dynamic_workers_options options,
                    worker_behaviour behaviour);

    /// Starts the workers of `children_specs` and returns when the manager has ended after a stop.
    /// May be run again then. Errors: `start_failed`, with what `children_specs` threw nested;
    /// `exit_shutdown("intensity_exceeded")` when it gave up; `already_started` while it runs.
    /// Cancellation: as `supervisor::run`.
    asio::awaitable<void> run();

    /// Stops all workers, and returns when `run` is about to.
    asio::awaitable<void> stop();

    /// All workers stop, `children_specs` is read again, and those workers start; returns when they
    /// have. Workers that were put are gone. Does not count as a crash.
    /// Errors: `start_failed`: the state service crashed with it, and may be restarted.
    asio::awaitable<void> restart();

    /// The manager as a child of a supervisor: an engine's root, say. The child's id is its name.
    child_spec spec() const;

    /// Starts a worker called `id`. One that is there is ended first. Returns when it runs. When
    /// the worker calls this for its own id, its call is cut short like all that it does.
    /// Errors: `limit_reached`; `invalid_option` for an empty id.
    asio::awaitable<void> put(std::string id, json payload = json());
    asio::awaitable<void> put(std::string id, json payload, worker_rhythm rhythm);

    /// The same, but false, and nothing done, when there is a worker called `id`.
    asio::awaitable<bool> put_new(std::string id, json payload = json());
    asio::awaitable<bool> put_new(std::string id, json payload, worker_rhythm rhythm);

    /// Ends a worker. It is not found any more from now on; returns when it has ended. False: there
    /// was none.
    asio::awaitable<bool> del(std::string id);

    /// Sends a message and waits for the reply. Between two performs at the earliest.
    /// Errors: `not_found`, also when the worker is deleted while the message waits; `stopped` when
    /// it is stopped while it answers; `timeout`; `limit_reached`; `unsupported` when the behaviour
    /// has no `call`; what `call` throws.
    asio::awaitable<json> call(std::string id, json message,
                               worker_call_options options = worker_call_options());

    /// The same to the least busy worker, in turn when there are several. Errors: as above,
    /// `not_found` when there is no worker at all.
    asio::awaitable<json> call_any(json message,
                                   worker_call_options options = worker_call_options());

    /// Sends a message and returns at once. Errors: as `call`, but for timeouts and the reply.
    void cast(const std::string& id, json message);
    void cast_any(json message);

    /// Empty: there is no such worker.
    std::optional<worker_info> get(const std::string& id) const;
    /// In alphabetical order.
    std::vector<std::string> ids() const;
    /// Copies every payload: not for each turn of a busy loop.
    dynamic_workers_state state() const;

    /// The supervision tree as text, with the ids of the workers.
    asio::awaitable<std::string> tree() const;

    const std::string& name() const noexcept;

  protected:
    std::shared_ptr<detail::dynamic_core> core_;
};

} // namespace lifeguard
