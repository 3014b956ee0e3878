#pragma once

#include <lifeguard/circuit_breaker.hpp>
#include <lifeguard/job_queue.hpp>
#include <lifeguard/supervisor.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace lifeguard {

namespace detail {
class pool_core;
}
class engine;

/// What shares one circuit breaker.
enum class breaker_scope : std::uint8_t {
    worker, ///< each worker has its own; one that is open takes no jobs, others do
    pool,   ///< all workers have one: while it is open, none takes a job
    kind,   ///< each kind of jobs has one: while it is open, jobs of that kind wait
};

/// What is done to a pool's breaker by hand: what the members of `circuit_breaker` of these names
/// do.
enum class breaker_command : std::uint8_t { trip, half_open, force_open, disable, enable, reset };

/// Validated by the pool's constructor; the error names the field.
struct worker_pool_options {
    /// Names the pool and, with a number, its workers: "images/3".
    std::string name = "default";

    /// The queues it takes from, and how: by the priority of their jobs across all of them, or an
    /// earlier queue always before a later one. Empty: the queue "default".
    std::vector<std::string> queues;
    bool strict_order = false;

    /// Takes jobs of this priority only. Defaults to all.
    std::optional<int> priority;

    /// Permanent workers, and temporary ones that come while all are busy and jobs wait. Default to
    /// 10 and 5.
    unsigned size = 10;
    unsigned max_overflow = 5;

    /// How many jobs a worker takes at once, and how many of them it runs side by side. Default to
    /// 5 and 1.
    unsigned pull_size = 5;
    unsigned concurrency = 1;

    /// How long an attempt may take when its job does not say. The job is cancelled then, the
    /// worker lives. Defaults to 30 s.
    duration process_timeout = std::chrono::seconds(30);

    /// How long `execute` waits for a worker to start the job. Defaults to 5 s.
    duration checkout_wait = std::chrono::seconds(5);

    /// No job is taken while the breaker that is to admit it is open. Defaults to one breaker for
    /// each worker.
    breaker_options breaker;
    lifeguard::breaker_scope breaker_scope = lifeguard::breaker_scope::worker;
    /// What errors of handlers mean to the breaker. A timeout is a failure in any case. Empty: all
    /// are, but those that say `discard_job`.
    breaker_judge judge;

    /// A handler that throws also ends its worker, which is restarted. Defaults to false.
    bool let_it_crash = false;

    /// A stop lets running jobs finish for so long, then cancels them and gives them back. Defaults
    /// to 4 s.
    duration drain_wait = std::chrono::seconds(4);

    /// How long a cancelled handler may clean up before it is cancelled for good. Defaults to 1 s.
    duration cancel_grace = std::chrono::seconds(1);

    /// A handler that still runs so long after its timeout is reported as stuck; its lane is
    /// replaced. Defaults to 10 s.
    duration stuck_threshold = std::chrono::seconds(10);

    /// While so many handlers that were given up still run, no lane is replaced: workers go short
    /// of lanes until some of those end. Defaults to 64.
    unsigned abandoned_max = 64;

    /// More worker restarts than `intensity` within `period` and the pool's supervisor gives up.
    /// Default to 5 in 10 s.
    unsigned intensity = 5;
    duration period = std::chrono::seconds(10);

    /// Where handlers run. Empty: on the pool's executor.
    asio::any_io_executor handler_executor;
};

/// How `execute` chooses the worker. Workers that are down, or whose breaker is open, are passed
/// over. A job that no worker can have now, and one that is delayed, goes to who pulls it first.
enum class dispatch {
    pull,           ///< whoever is idle first takes it
    round_robin,    ///< the permanent workers in turn, even if others are idle
    least_busy,     ///< the worker with the fewest jobs, running and assigned, even if all are busy
    by_key,         ///< the same permanent worker for the same `key`, in the order of submission
    next_available, ///< an idle worker, or `no_available_workers` at once
};

/// What `dispatch::by_key` goes by: a hash of the key, so the key itself may go.
class dispatch_key {
  public:
    constexpr dispatch_key() noexcept = default;
    dispatch_key(std::string_view key) noexcept : hash_(std::hash<std::string_view>()(key)) {}
    dispatch_key(const std::string& key) noexcept : dispatch_key(std::string_view(key)) {}
    dispatch_key(const char* key) noexcept : dispatch_key(std::string_view(key)) {}
    /// A number, or a hash of your own; it is mixed.
    constexpr dispatch_key(std::uint64_t key) noexcept : hash_(key * 0x9e3779b97f4a7c15U) {
        hash_ ^= hash_ >> 32;
    }

    constexpr std::uint64_t hash() const noexcept { return hash_; }

  private:
    std::uint64_t hash_ = 0;
};

/// One call's options. Trivially destructible, so that a temporary may stand in a co_await with
/// g++ 12.
struct execute_options {
    lifeguard::dispatch dispatch = lifeguard::dispatch::pull;
    /// For `dispatch::by_key`.
    dispatch_key key = dispatch_key();

    /// How long a worker may take to start the job. Negative: the pool's `checkout_wait`.
    duration checkout_wait = duration(-1);

    /// How long the caller waits in all; the job goes on without it. Zero: as long as it takes.
    duration execute_wait = duration::zero();

    /// Keep a copy of the result, so that it can be asked for by id later. Otherwise the caller
    /// gets the only one, unless it is a plain number, boolean or null.
    bool keep_result = false;
};
static_assert(std::is_trivially_destructible_v<execute_options>);

struct worker_status {
    std::string id;
    std::vector<std::string> queues;
    std::optional<int> priority; ///< the only one it takes
    bool alive = false;
    bool overflow = false;
    breaker_state breaker = breaker_state::closed; ///< its own, or the pool's
    unsigned busy = 0;                             ///< jobs it runs
    unsigned assigned = 0;                         ///< jobs it has taken and not started
    unsigned incarnation = 0;
    std::uint64_t restarts = 0;
    std::uint64_t pulled = 0;
    std::uint64_t processed = 0; ///< attempts that succeeded
    std::uint64_t failed = 0;    ///< attempts that did not
    std::uint64_t acked = 0;     ///< results that the queue accepted
    std::uint64_t breaker_opened = 0;
    std::uint64_t breaker_successes = 0; ///< since it last closed
    std::vector<job_id> jobs;            ///< what it runs now
    std::string last_error;              ///< of its last failed attempt, cut to 500 bytes
    std::optional<wall_time> last_error_at;
};

struct pool_status {
    std::string name;
    bool running = false;
    unsigned size = 0;
    unsigned max_overflow = 0;
    unsigned workers = 0; ///< alive, overflow included
    unsigned idle = 0;
    unsigned busy = 0;
    unsigned overflow = 0;
    unsigned breakers_open = 0;
    std::size_t available = 0; ///< jobs that wait in its queues
    std::size_t executing = 0;
    std::size_t callers_waiting = 0; ///< executes whose job has not been started
    std::uint64_t exhausted_total = 0;
    std::uint64_t restarts_total = 0;
    std::uint64_t killed_total = 0;
    std::uint64_t timeouts_total = 0;
    std::uint64_t timeouts_armed = 0; ///< attempts that ran under a timeout
    std::uint64_t breakers_opened_total = 0;
    std::uint64_t breakers_closed_total = 0;
    std::uint64_t stuck_total = 0;
    std::uint64_t lanes_abandoned = 0; ///< handlers still running that were given up
};

/// Supervised workers that pull jobs from queues, run their handlers and report what became of
/// them.
///
/// A handle over a shared core. Thread safety: any thread may call any member. Lifetime: handles
/// and the executor's context may be destroyed in either order; the queue is kept alive.
class worker_pool {
  public:
    /// Starts nothing. Errors: `invalid_option` naming the field.
    worker_pool(const job_queue& jobs, worker_pool_options options,
                std::shared_ptr<log_sink> log = nullptr);

    /// The pool as a service: supervises the workers until it is stopped by cancellation (total:
    /// drains first), or gives up. May be run again after it ended.
    asio::awaitable<void> run();

    /// The pool as a child of a supervisor: its workers appear in the tree.
    child_spec spec() const;

    /// Submits a job, waits until it is done and returns its result. The job is tried once unless
    /// it says otherwise. The docs call this "the life of an execute".
    ///
    /// Errors: what the handler threw; `pool_exhausted` when no worker started it within
    /// `checkout_wait` - it is withdrawn then, unattempted; `no_available_workers`, for
    /// `dispatch::next_available` only; `breaker_open_error` when the breaker of the pool or of the
    /// kind, or that of every live worker, is open; `timeout` of the attempt, or of `execute_wait`;
    /// `killed` with its worker; those of `job_queue::push`; `no_such_queue` when the job names one
    /// that is not the pool's.
    /// Cancellation: the caller goes away, the job goes on, and its result can be had by its id.
    asio::awaitable<json> execute(new_job&& job, execute_options options = execute_options());
    asio::awaitable<json> execute(const new_job& job, execute_options options = execute_options());

    /// Submits a job and returns its id once it is durable. Whoever is idle first takes it: it may
    /// outlive any worker that could be chosen now. Errors: as `job_queue::push`, `no_such_queue`.
    asio::awaitable<job_id> submit(new_job job);
    /// As `submit(parse_job(text))`.
    asio::awaitable<job_id> submit_json(std::string text);

    /// Waits until a job is final and returns its result; see `job_queue::result`.
    asio::awaitable<json> result(job_id id);

    pool_status status() const;
    std::vector<worker_status> workers() const;
    /// Errors: `not_found`.
    worker_status worker(const std::string& id) const;
    /// The workers', the pool's one, or those of the kinds seen so far.
    std::vector<breaker_status> breakers() const;

    /// Works a breaker by hand; `name` is that in `breakers()`. Jobs that run go on. What is forced
    /// open or disabled stays so when its worker is restarted; of an overflow worker it goes with
    /// it. Errors: `not_found`; `illegal_transition`, and nothing has changed.
    void control_breaker(const std::string& name, breaker_command command);

    /// Kills a worker: what it runs is charged an attempt and available again at once, and the
    /// supervisor restarts it as after a crash. Errors: `not_found`, `no_such_pool` when the pool
    /// does not run.
    asio::awaitable<void> kill(std::string worker_id);

    /// Changes the number of permanent workers, now and for later runs. More are started at once;
    /// with fewer, those with the highest numbers take nothing more, finish what they run, however
    /// long it takes, and leave. Never do more than the new number run jobs, but for those that ran
    /// before, and overflow workers.
    /// Errors: `invalid_option` unless it is 1 to 10,000.
    void resize(unsigned size);

    /// The ids of the workers that were restarted more than `limit` times.
    std::vector<std::string> over_limit(std::uint64_t limit) const;

    const std::string& name() const noexcept;
    job_queue queue() const;

  private:
    friend class engine;
    void stop_accepting();
    void begin_stop();

    std::shared_ptr<detail::pool_core> core_;
};

} // namespace lifeguard
