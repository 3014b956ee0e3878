#pragma once

#include "base/context_hooks.hpp"
#include "base/runtime.hpp"
#include "queue/result_waiter.hpp"
#include "queue/taker.hpp"
#include "queue/timed_wait.hpp"
#include "store/job_store.hpp"
#include <lifeguard/backoff.hpp>
#include <lifeguard/handler.hpp>
#include <lifeguard/job_queue.hpp>
#include <lifeguard/log.hpp>

#include <atomic>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace lifeguard::detail {

/// How an attempt ended.
struct job_outcome {
    enum class kind {
        completed,
        failed,   ///< retried with backoff, or discarded when no attempt is left
        crashed,  ///< as failed, but available again at once
        retry_at, ///< as failed, at a time of the handler's own
        snoozed,  ///< not an attempt
        discarded,
        revoked,
        cancelled, ///< as it was asked to: not to be tried again
        returned,  ///< not an attempt: given back by a stop of our own
    };
    kind what = kind::completed;
    json result;
    std::exception_ptr error;
    std::string text;
    wall_time at;     ///< of retry_at
    duration delay{}; ///< of snoozed
};

/// Reads the verdict out of what a handler threw; anything that is none is a failure.
job_outcome outcome_of(std::exception_ptr thrown);

/// Throws `error` when a rule is broken.
void check_unique(const unique_options& unique);

/// One reading of both clocks.
struct moment {
    time_point now;
    wall_time wall;
    std::int64_t wall_ns() const noexcept { return nanoseconds(wall); }
    std::int64_t now_ns() const noexcept { return nanoseconds(now); }

    template <typename TimePoint>
    static std::int64_t nanoseconds(TimePoint t) noexcept {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
    }
};

/// What a queue and the pools on it share: the store, the known kinds and queues, who wants jobs,
/// who awaits results, and the rules of a job's life. Decides and wakes; waits for nothing.
/// Everything but the constants is guarded by the runtime's lock, which callers hold.
class queue_core final : public store_listener,
                         public context_bound,
                         public std::enable_shared_from_this<queue_core> {
  public:
    queue_core(std::shared_ptr<runtime> shared, queue_options options,
               std::unique_ptr<job_store> store);
    ~queue_core() override;

    /// Registers with the context and the metrics; once, after construction.
    void open();

    runtime& shared() noexcept { return *runtime_; }
    const queue_options& options() const noexcept { return options_; }
    job_index& index() noexcept { return store_->index(); }
    job_store& store() noexcept { return *store_; }

    /// Throws `unsupported` when the store is shared: it cannot do this to jobs that others have.
    void refuse_when_shared(const char* what) const;

    /// Reads the clock; what is done until the next reading happens at this moment. The wall clock
    /// is read once a second and reckoned in between.
    const moment& read_clock();
    const moment& clock() const noexcept { return at_; }

    // --- kinds and queues

    /// The entry of a name, made when it is new. Throws `error` when the name or their number
    /// breaks a rule.
    kind_entry& kind(std::string_view name);
    queue_entry& queue(std::string_view name);
    queue_entry* find_queue(std::string_view name) noexcept;
    const handler* find_handler(const kind_entry& kind) const noexcept;
    void set_handler(std::string_view name, handler run);
    void set_validator(std::string_view name, validator check);
    void for_each_queue(const std::function<void(const queue_entry&)>& f) const;

    // --- submission

    /// Checks what can be checked without the lock, and calls the kind's validator. Throws `error`.
    void check(const new_job& job);

    /// What a job has to be compared by, so that the lock is not held while a payload is hashed.
    struct identity {
        explicit identity(std::uint64_t hash = 0, bool by_id = false) noexcept
            : unique_hash(hash), idempotent(by_id) {}
        std::uint64_t unique_hash;
        bool idempotent;
    };
    identity identify(const new_job& job, bool idempotent) const;
    /// The job, perhaps not stored yet, because of which `job` is not to be stored; null when there
    /// is none.
    job_record* find_twin(const new_job& job, const identity& by) {
        return job.unique || by.idempotent ? look_for_twin(job, by) : nullptr;
    }

    /// Makes a checked job without a twin a record. `attempts`: what zero max_attempts means.
    /// Throws `error`: unknown kinds, a full queue, an id that is taken. `reserved`: a place in the
    /// queue has been set aside for it.
    std::unique_ptr<job_record> admit(new_job&& job, queue_entry& queue, unsigned attempts,
                                      bool reserved = false, const identity& by = identity());
    job_record& push(std::unique_ptr<job_record> job, wake_list& wakes);
    /// All of them or none, one at least.
    void push(std::vector<std::unique_ptr<job_record>> jobs, wake_list& wakes);

    // --- queues that are paused, and draining

    static asio::awaitable<void> set_pause(std::shared_ptr<queue_core> self, std::string name,
                                           bool paused, duration length);
    /// While it drains, every new job is refused. Takes the lock itself.
    void set_draining(bool on);
    queue_status status_of(const std::string& name) const;

    // --- the life of an executing job

    /// Charges the attempt.
    void start(job_record& job);

    /// How long the lease of a job lasts: what was asked for when that is 1 s to 24 h, otherwise
    /// the default; never shorter than the job may run.
    duration lease_length(const job_record& job, duration asked) const noexcept;
    /// From now on, the job is rescued when nobody renews its lease for `length`.
    void watch_lease(job_record& job, duration length, wake_list& wakes);
    /// Leases a job that has just been taken to a caller who finishes it by its token, and charges
    /// the attempt.
    void lease(job_record& job, duration asked, wake_list& wakes);
    /// The executing job that `token` is the current one of. Throws `not_found`, `already_done`,
    /// `lease_lost`.
    job_record& held(const job_id& id, std::uint32_t token);

    /// Applies the rules to how the attempt ended. The job must be executing; the caller has seen
    /// to it that the lease is the current one. `asked_for`: somebody waits for the job's change.
    void settle(job_record& job, job_outcome&& outcome, wake_list& wakes, bool asked_for = false);
    /// A job that was taken and not started is available again.
    void give_back(job_record& job, wake_list& wakes) { store_->give_back(job, wakes); }
    /// An unfinished job that has not been started is withdrawn: cancelled.
    void withdraw(job_record& job, std::string why, wake_list& wakes);
    /// Forgets a job that does not execute; who asks waits for its change.
    void remove(job_record& job, wake_list& wakes);
    /// Ends an unfinished job that is not settling. False: it executes, and its end decides.
    bool cancel(job_record& job, wake_list& wakes);
    /// Makes a job that neither executes nor settles available; who asks waits for its change.
    void revive(job_record& job, wake_list& wakes);

    /// An executing job says how far it is. False: this delivery is over. Takes the lock itself.
    bool set_progress(const job_id& id, std::uint32_t delivery, std::string text);
    /// The same of whoever executes it, or the holder of the token. Takes the lock itself.
    void set_progress(const job_id& id, std::optional<std::uint32_t> token, std::string text);

    // --- who waits

    void add_taker(queue_entry& queue, taker& t);
    void remove_taker(queue_entry& queue, taker& t) noexcept;
    /// Who takes from it wants more than before, or less.
    void appetite_changed(queue_entry& queue) { store_->takers_changed(queue); }
    /// Offers what is ready in `queue` to those who take from it.
    void offer(queue_entry& queue, wake_list& wakes);

    /// Whether a push must wait, or is refused, when so many `others` come with it. Those who wait
    /// come first.
    bool is_full(const queue_entry& queue, std::size_t others = 0) const noexcept {
        return queue.unfinished() + queue.reserved + others >= options_.jobs_max ||
               !queue.space_waiters.empty();
    }
    /// Sets free places aside for those who wait longest.
    void grant_space(queue_entry& queue, wake_list& wakes);

    /// Suspends until somebody has finished `w`, at most until `until`. Cancellation: the wait ends
    /// as `cancelled`. Takes the lock itself; the caller reads `w` under it.
    asio::awaitable<void> wait_until(timed_wait& w, time_point until);

    static void add_waiter(job_record& job, result_waiter& w) noexcept;
    static void remove_waiter(result_waiter& w) noexcept;

    /// Waits for the final state; answered at once when the job is final already.
    void add_result_waiter(job_record& job, result_waiter& w);
    /// The result that an answered waiter got. Throws `error` when there is none.
    static json result_of(result_waiter&& w, const job_id& id);
    /// Throws unless what the waiter waited for has been stored.
    static void throw_unless_stored(const result_waiter& w, const job_id& id);

    /// The slot handler of a coroutine that waits with `w`: its caller goes away, the job goes on.
    auto detach_on_cancel(result_waiter& w) {
        return [this, &w](asio::cancellation_type) { detach(w); };
    }

    /// Suspends until the waiter has its answer. Cancellation: `w.got` is `cancelled`, and whatever
    /// it waited for goes on. Takes the lock itself.
    asio::awaitable<void> wait(result_waiter& w);

    /// Everybody who waits with this core.
    parking_lot parked;

    // --- upkeep

    /// Does what is due: scheduled and retryable jobs become available, leases that ran out are
    /// rescued.
    void tick(wake_list& wakes);
    /// The service that ticks whenever something is due. Takes the lock itself.
    asio::awaitable<void> run_upkeep();

    job_info describe(const job_record& job) const;
    /// The same without its texts.
    job_info summarize(const job_record& job) const;
    static asio::awaitable<job_page> list(std::shared_ptr<queue_core> self, list_options options);
    job_explanation explain(const job_record& job);
    queue_counts counts_of(const std::string& queue) const;

    // store_listener
    std::int64_t store_turn() override { return read_clock().wall_ns(); }
    void job_pushed(job_record& job, wake_list& wakes) override;
    void push_failed(job_record& job, const std::exception_ptr& why, wake_list& wakes) override;
    void job_finished(job_record& job, const settlement& s, wake_list& wakes) override;
    void job_returned(job_record& job, const settlement& s, wake_list& wakes) override;
    void job_removed(job_record& job, wake_list& wakes) override;
    void change_failed(job_record& job, const std::exception_ptr& why, wake_list& wakes) override;
    void pause_settled(pause_request& r, const std::exception_ptr& failed,
                       wake_list& wakes) override;
    void nothing_more(queue_entry& queue, wake_list& wakes) override;
    void retry_planned(wake_list& wakes) override { hurry_upkeep(wakes); }
    kind_entry& stored_kind(std::string_view name) override { return kind(name); }
    queue_entry& stored_queue(std::string_view name) override { return queue(name); }
    void stored_pause(queue_entry& queue, std::int64_t until) override;

    // context_bound
    void context_shutdown() noexcept override;

    struct figures {
        std::uint64_t pushed = 0;
        std::uint64_t completed = 0;
        std::uint64_t failed = 0; ///< attempts
        std::uint64_t discarded = 0;
        std::uint64_t cancelled = 0;
        std::uint64_t lease_timeouts = 0;
    };
    figures counts;

    /// Whether the engine's context is gone: nothing can wait any more.
    bool closed = false;

  private:
    class upkeep_turn;
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const noexcept {
            return std::hash<std::string_view>()(s);
        }
    };
    template <typename T>
    using by_name = std::unordered_map<std::string, std::unique_ptr<T>, text_hash, std::equal_to<>>;

    static asio::awaitable<void> upkeep(std::shared_ptr<queue_core> self);
    bool has_handler(std::string_view kind) const noexcept;
    job_record* look_for_twin(const new_job& job, const identity& by);
    settlement decide(const job_record& job, job_outcome&& outcome);
    settlement decide_failed(const job_record& job, job_outcome&& outcome);
    settlement decide_cancelled(const job_record& job, job_outcome&& outcome) const;
    settlement final_state(const job_record& job, job_state state) const;
    void became_available(job_record& job, wake_list& wakes);
    void answer(job_record& job, const std::exception_ptr& thrown, wake_list& wakes);
    static void answer(job_record& job, result_waiter& w, bool last,
                       const std::exception_ptr& thrown);
    static void answer_changed(job_record& job, const std::exception_ptr& failed, wake_list& wakes);
    std::int64_t retry_due(unsigned attempt);
    void apply_pause(queue_entry& queue, bool paused, std::int64_t until, wake_list& wakes);
    bool list_some(const list_options& options, std::int64_t& after, job_page& page);

    // queue_log.cpp
    void log(log_level level, std::string_view event, std::string message,
             std::vector<log_field> fields, wake_list& wakes);
    void log_failed(const job_record& job, const std::string& why, wake_list& wakes);
    void log_discarded(const job_record& job, wake_list& wakes);
    void log_pause(const queue_entry& queue, wake_list& wakes);
    void note_progress(const job_record& job, std::string text, wake_list& wakes);
    void forget_progress(const job_record& job) {
        if (!progress_.empty())
            progress_.erase(job.id);
    }
    bool explain_takers(const job_record& job, job_explanation& e);
    wall_time wall_of(time_point t) const noexcept;
    void end_pauses(wake_list& wakes);
    void prune();
    std::optional<std::int64_t> next_pause_end() const noexcept;
    time_point next_tick() const;
    void hurry_upkeep(wake_list& wakes);
    void detach(result_waiter& w);
    void describe_metrics(const queue_entry& queue);
    double random01() noexcept;

    std::shared_ptr<runtime> runtime_;
    queue_options options_;
    by_name<kind_entry> kinds_;
    by_name<queue_entry> queues_;
    kind_entry* recent_kind_ = nullptr; // programs submit many of a kind: spares hashing the name
    std::unique_ptr<job_store> store_;  // its jobs refer to kinds and queues
    std::deque<handler> handlers_; // by kind_entry::index; a deque, so that lanes can refer to them
    std::unordered_map<std::string, validator, text_hash, std::equal_to<>> validators_;
    std::atomic<bool> validates_ = false; // spares the lock where nobody validates
    std::optional<metrics_scope> metrics_;
    job_id_generator ids_;
    std::uint64_t random_; // never zero
    moment at_;
    duration wall_offset_{};
    time_point wall_read_at_ = time_point::min();
    std::shared_ptr<class upkeep_deadline> upkeep_;
    std::vector<queue_entry*> timed_pauses_; // paused, and this ends by itself
    bool draining_ = false;
    const logger log_;
    /// What executing jobs say of themselves: most say nothing.
    std::unordered_map<job_id, std::string> progress_;
    time_point prune_after_ = time_point::min();
};

} // namespace lifeguard::detail
