#pragma once

#include <lifeguard/backoff.hpp>
#include <lifeguard/handler.hpp>
#include <lifeguard/job.hpp>
#include <lifeguard/job_inspection.hpp>
#include <lifeguard/store.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace lifeguard {

class log_sink;
class metrics_registry;

namespace detail {
class queue_core;
}

/// Validated by the queue's constructor; the error names the field.
struct queue_options {
    /// How many unfinished jobs one queue holds; one more is refused with `queue_full`. Defaults to
    /// 10 million.
    std::size_t jobs_max = 10'000'000;

    /// How many different kinds and queues there may be; one more is refused with `limit_reached`.
    /// Default to 1,000.
    std::size_t kinds_max = 1000;
    std::size_t queues_max = 1000;

    /// Limits of payloads. Default to 1 MiB and 512 levels.
    job_limits limits;

    /// How long a lease lasts unless it is renewed. The engine renews those of its workers. 1 s to
    /// 24 h; any other value means the default. Defaults to 30 s.
    duration lease = std::chrono::seconds(30);

    /// How long a failed job waits for its next attempt.
    backoff retry;

    /// How often a submitted job is tried unless it says otherwise. Defaults to 20.
    unsigned max_attempts = 20;

    /// Refuse jobs whose kind has no handler here, instead of letting them wait for one.
    bool strict_kinds = false;
};

/// How to push. Trivially destructible, so that a temporary may stand in a co_await with g++ 12.
struct push_options {
    /// How long to wait while the queue is full; who waits longest goes first. Zero: not at all,
    /// and while others wait a full queue stays full for you. Defaults to zero.
    duration wait = duration::zero();

    /// A job whose id is known already is not an error but the same submission again, whatever
    /// else differs: nothing is stored. For callers who repeat what may have been lost.
    bool idempotent = false;
};
static_assert(std::is_trivially_destructible_v<push_options>);

/// What became of a submission.
struct submission {
    job_id id;
    /// Nothing has been stored: `id` is that of a job that was there before. See `unique_options`
    /// and `push_options::idempotent`.
    bool conflict = false;

    friend bool operator==(const submission&, const submission&) = default;
};

/// What to take.
struct take_options {
    explicit take_options(std::string queue_name = "default") : queues{std::move(queue_name)} {}

    std::vector<std::string> queues;
    /// An earlier queue goes before a later one, whatever the priorities of their jobs.
    bool strict_order = false;
    /// Only these kinds. Empty: all.
    std::vector<std::string> kinds;
    /// At most so many, 1 to 10,000. Defaults to 1.
    std::size_t jobs_max = 1;
    /// How long to wait for the first one. Zero: not at all.
    duration wait = duration::zero();
    /// How long the lease lasts. Zero, and anything that is not 1 s to 24 h: the queue's `lease`.
    /// The lease of a job with a longer timeout lasts as long as that. `taken_job::lease_until`
    /// says what is in force.
    duration lease = duration::zero();
};

/// A job that has been taken, and the right to say what becomes of it: `token` is refused once the
/// lease is lost.
struct taken_job {
    job_id id;
    std::uint32_t token = 0;
    std::string kind;
    std::string queue;
    int priority = priority_default;
    unsigned attempt = 0;
    std::string payload; ///< JSON text
    time_point lease_until;
};

/// What to remove: the jobs that everything said here applies to. Something must be said.
struct remove_options {
    remove_options() noexcept {}

    std::string queue;       ///< Empty: any
    job_states states;       ///< Empty: any
    std::vector<job_id> ids; ///< Empty: any. Unknown ones are passed over
};

/// What became of a `remove` of many.
struct removed_jobs {
    std::size_t removed = 0;
    std::size_t skipped = 0; ///< because they executed, or because their state was just changing
};

/// Which jobs: those that everything said here applies to. Something must be said.
struct job_filter {
    job_filter() noexcept {}

    std::string queue; ///< Empty: any
    std::string kind;  ///< Empty: any
    /// Empty: what the action is usually for - discarded and retryable jobs to be retried,
    /// unfinished ones to be cancelled, any to be removed.
    job_states states;
};

/// What is done to many jobs.
enum class bulk_action : std::uint8_t { retry, cancel, remove };

/// What became of them.
struct bulk_answer {
    std::size_t changed = 0; ///< retried, cancelled or asked to stop, removed
    std::size_t skipped = 0; ///< because they executed, or because their state was just changing
    std::size_t left = 0;    ///< the action would have changed them, too
};

/// Names a delivery of a job.
struct lease_token {
    job_id id;
    std::uint32_t token = 0;
};

/// Jobs of one queue by state.
struct queue_counts {
    std::size_t scheduled = 0;
    std::size_t available = 0;
    std::size_t executing = 0;
    std::size_t retryable = 0;
    std::size_t completed = 0;
    std::size_t cancelled = 0;
    std::size_t discarded = 0;
    std::size_t waiting_for_handler = 0; ///< those among the available
};

/// What a queue lets through.
struct queue_status {
    bool paused = false;                   ///< nobody takes from it
    std::optional<wall_time> paused_until; ///< when that ends by itself
    bool draining = false;                 ///< no queue of the store accepts new jobs
};

/// The queues of one store. Use it alone - push, take, finish by token - or through an engine,
/// whose worker pools take from it.
///
/// A handle over a shared core. Thread safety: any thread may call any member. Lifetime: handles
/// and the executor's context may be destroyed in either order. Cancellation: a `push` that has
/// been handed to a store goes on without its caller.
class job_queue {
  public:
    job_queue(asio::any_io_executor executor, store jobs, queue_options options = queue_options(),
              std::shared_ptr<time_source> time = nullptr);

    /// The queue's upkeep: a service that moves scheduled and retryable jobs on when they are due,
    /// and rescues those whose lease ran out. Without it they stay where they are.
    /// Errors: `already_started` while another one runs. Cancellation: ends it.
    asio::awaitable<void> run();

    /// Stores a job and answers its id once it is durable. A full queue refuses it, or makes it
    /// wait for space. A unique job that is there already: the id of that one.
    /// Errors: `invalid_job`, `malformed_json`, `too_deep`, `payload_too_large`, `queue_full`,
    /// `duplicate_id`, `unknown_kind`, `limit_reached`, `draining`.
    /// Cancellation: while it waits for space nothing has been stored.
    asio::awaitable<job_id> push(new_job job, push_options options = push_options());
    /// As `push(parse_job(text))`.
    asio::awaitable<job_id> push_json(std::string text, push_options options = push_options());
    /// As `push`, and says whether the job was there already.
    asio::awaitable<submission> submit(new_job job, push_options options = push_options());

    /// Stores all of the jobs or none, in one go: nobody sees some of them only. 1 to `batch_max`
    /// jobs, which do not wait for space.
    /// Errors: as above, with the index of the job at fault: "jobs[3].priority: ...";
    /// `invalid_option` when told to wait.
    asio::awaitable<std::vector<job_id>> push(std::vector<new_job> jobs,
                                              push_options options = push_options());
    /// As `push(parse_jobs(text))`.
    asio::awaitable<std::vector<job_id>> push_many_json(std::string text,
                                                        push_options options = push_options());
    /// As `push`, and says of each whether it was there already, also earlier in the batch.
    asio::awaitable<std::vector<submission>> submit(std::vector<new_job> jobs,
                                                    push_options options = push_options());

    /// Leases up to `jobs_max` jobs, the most urgent first; waits for one when asked to. Empty:
    /// there is none. Each is charged an attempt.
    /// Errors: `invalid_option`, `limit_reached`. Cancellation: nothing has been taken.
    asio::awaitable<std::vector<taken_job>> take(take_options options);
    /// Leases one job by its id: an available, scheduled, retryable or discarded one. Errors:
    /// `not_found`.
    asio::awaitable<taken_job> take_by_id(job_id id);

    // What becomes of a taken job. Nothing has changed when one of them fails. Errors: `not_found`;
    // `already_done` when this very token has finished the job before; `lease_lost` otherwise.

    asio::awaitable<void> complete(job_id id, std::uint32_t token, json result);
    /// Retried with backoff, or discarded when no attempt is left.
    asio::awaitable<void> fail(job_id id, std::uint32_t token, std::string why);
    /// As `fail`, but retried at `at`, unless that has passed.
    asio::awaitable<void> retry_at(job_id id, std::uint32_t token, wall_time at, std::string why);
    /// Again after `delay`, and this was not an attempt. Zero: available at once.
    asio::awaitable<void> snooze(job_id id, std::uint32_t token, duration delay);
    /// Given up, whatever attempts are left.
    asio::awaitable<void> discard(job_id id, std::uint32_t token, std::string why);
    /// Gives it back unattempted.
    asio::awaitable<void> release(job_id id, std::uint32_t token);
    /// The lease lasts `lease` from now, as in `take_options`. Returns until when that is. Errors:
    /// also `job_cancelled`, when somebody has cancelled the job: it is to be given up.
    asio::awaitable<time_point> extend(job_id id, std::uint32_t token,
                                       duration lease = duration::zero());
    /// The same for many: what would have been thrown for each, in their order; no error where the
    /// lease has been extended.
    asio::awaitable<std::vector<error_code>> extend(std::vector<lease_token> leases,
                                                    duration lease = duration::zero());

    /// Removes a job that nobody executes; who waits for its result is told that it was cancelled.
    /// Errors: `not_found`, `executing`.
    asio::awaitable<void> remove(job_id id);
    /// Removes many, a few hundred at a time. Errors: `invalid_option` when nothing is said;
    /// otherwise what a store says, and then some may have been removed.
    asio::awaitable<removed_jobs> remove(remove_options which);

    /// Cancels a job, and answers its state from now on: `cancelled`; `executing` when its handler
    /// has been asked to stop; or, untouched, the final state that it has reached before. An
    /// executing job is cancelled when its attempt ends, unless that completes or discards it. Who
    /// has taken it by `take` is told by `extend`. The request lives with the attempt: when the
    /// process ends first, a job in a file is available again.
    /// Errors: `not_found`. Cancellation: the request stands.
    asio::awaitable<job_state> cancel(job_id id);

    /// Makes a job available now, whatever has become of it, and answers its state: `available`, or
    /// `executing` for one that is. One that has used up its attempts gets another one. Its errors
    /// are kept, its result is not. Errors: `not_found`.
    asio::awaitable<job_state> retry(job_id id);

    /// Makes up to `jobs_max` discarded jobs of a queue available, those that were discarded first;
    /// or, when it has none, scheduled ones, the soonest first. Answers how many. 1 to 10,000.
    /// Errors: `invalid_option`.
    asio::awaitable<std::size_t> kick(std::string queue, std::size_t jobs_max = 1);
    /// The same for one job. Errors: `not_found` unless it is discarded or scheduled.
    asio::awaitable<void> kick(job_id id);

    /// Retries, cancels or removes up to `jobs_max` jobs, 0 to 10,000, and counts how many are
    /// left: zero only counts. A few hundred at a time, in the order of submission; between them
    /// others have their turn. Costs about 0.1 us for each job there is, whether it is meant or
    /// not.
    /// Errors: `invalid_option`; what a store says, and then some may have been changed.
    asio::awaitable<bulk_answer> for_many(bulk_action what, job_filter which, std::size_t jobs_max);

    /// Says how far an executing job is: any JSON whose text is no longer than `progress_max`. With
    /// a token it must be the current one. See `job_context::progress`.
    /// Errors: `invalid_option`, `not_found`, `lease_lost`; without a token `illegal_transition`
    /// when the job does not execute.
    void progress(job_id id, std::optional<std::uint32_t> token, const json& how_far);

    /// Waits until the job is final and returns its result.
    /// Errors: `not_found`, `job_discarded` and `job_cancelled` with the reason.
    /// Cancellation: the job goes on.
    asio::awaitable<json> result(job_id id);

    /// Nobody takes from the queue until it is resumed, or for `length`: zero is until it is
    /// resumed. What runs finishes, what a worker has taken and not started goes back; pushes and
    /// `take_by_id` go on. Pausing a paused queue sets the end anew. Outlives the process where
    /// jobs do.
    /// Errors: `invalid_option`, `limit_reached`, those of the store.
    /// Cancellation: the queue is paused nevertheless.
    asio::awaitable<void> pause(std::string queue, duration length = duration::zero());
    /// Ends a pause; those who wait in `take` are served at once. Nothing happens to a queue that
    /// is not paused. Errors and cancellation: as `pause`.
    asio::awaitable<void> resume(std::string queue);

    /// While it is on, every new job is refused with `draining`, in all queues; jobs that are there
    /// are taken and finished. Ends with the process.
    void set_draining(bool on);

    /// Neither paused nor draining for a queue that nobody has named yet.
    queue_status status(const std::string& queue) const;

    /// A job as it is now; empty when it is unknown, or forgotten.
    std::optional<job_info> find(job_id id) const;
    /// Jobs in the order of submission or the newest first, a page at a time. The order never
    /// changes, and a job keeps its place whatever becomes of it; one that comes or goes while you
    /// turn pages may be on them or not, all others are, once.
    ///
    /// Costs about 0.1 us for each job that is looked at, listed or not; after every 1,000 of them
    /// others have their turn. No file is read. Errors: `invalid_option`.
    asio::awaitable<job_page> list(list_options options = list_options());
    /// Why a job does not run; empty when it is unknown.
    std::optional<job_explanation> explain(job_id id) const;
    /// Zeros for a queue that nobody has named yet.
    queue_counts counts(const std::string& queue) const;
    /// The names of the queues, sorted.
    std::vector<std::string> queues() const;

    std::shared_ptr<detail::queue_core> core() const noexcept { return core_; }
    explicit job_queue(std::shared_ptr<detail::queue_core> core) noexcept
        : core_(std::move(core)) {}

  private:
    std::shared_ptr<detail::queue_core> core_;
};

} // namespace lifeguard
