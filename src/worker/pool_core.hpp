#pragma once

#include "base/saturate.hpp"
#include "queue/queue_core.hpp"
#include "worker/lane.hpp"
#include "worker/pool_breakers.hpp"
#include "worker/pool_metrics.hpp"
#include <lifeguard/log.hpp>
#include <lifeguard/worker_pool.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace lifeguard::detail {

using idle_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<struct by_idleness>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One worker, over all its incarnations. Guarded by the engine's lock.
struct worker final : idle_hook, lease_holder {
    worker(pool_core& its, std::string name, bool is_overflow, const breaker_options& breaks)
        : pool(its), id(std::move(name)), overflow(is_overflow), breaker(breaks, id) {}
    const std::string& holder_name() const noexcept override { return id; }

    bool cancel_job(job_record& job, wake_list& wakes) override;

    pool_core& pool; ///< owns it
    const std::string id;
    const bool overflow;

    circuit_breaker breaker; ///< idle when the pool's workers share theirs
    std::vector<std::shared_ptr<lane>> lanes;
    std::vector<lane*> idle; ///< lanes that wait for a job
    place_list local;        ///< taken, not yet started: who is idle may have them
    place_list bound;        ///< likewise, but for this worker only
    unsigned busy = 0;       ///< lanes that run a job

    bool alive = false;
    bool stopping = false;    ///< takes nothing any more
    bool leaves = false;      ///< not needed any more
    bool retires = false;     ///< a permanent one that leaves: its supervisor is about to let it go
    bool given_up = false;    ///< its handlers had their time to finish, and to clean up
    bool stop_asked = false;  ///< by its supervisor
    bool stop_forced = false; ///< likewise
    bool happened = false;    ///< something its coroutine has not seen yet
    std::exception_ptr crash; ///< what a handler threw, with let_it_crash
    parked_coroutine parked;  ///< its supervised coroutine

    unsigned incarnation = 0;
    std::uint64_t pulled = 0;
    std::uint64_t processed = 0;
    std::uint64_t failed = 0;
    std::uint64_t acked = 0;
    std::string last_error; ///< of an attempt, cut
    std::optional<wall_time> last_error_at;

    bool keeps_any() const noexcept { return !local.empty() || !bound.empty(); }
    std::size_t load() const noexcept { return busy + assigned(); }
    std::size_t assigned() const noexcept {
        return local.size() + bound.size() +
               static_cast<std::size_t>(std::ranges::count_if(
                   lanes, [](const auto& l) { return l->assigned != nullptr; }));
    }
};

/// An `execute` whose job has not been started: it is withdrawn when no worker starts it in time.
class execution final : public result_waiter,
                        public boost::intrusive::list_base_hook<
                            boost::intrusive::tag<struct by_checkout>,
                            boost::intrusive::link_mode<boost::intrusive::auto_unlink>>,
                        public boost::intrusive::list_base_hook<
                            boost::intrusive::tag<struct by_pool>,
                            boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    execution(pool_core& pool, const execute_options& how) noexcept
        : result_waiter(event::finished), pool_(pool), how_(how) {
        takes_result = !how.keep_result;
    }
    using checkout_hook = boost::intrusive::list_base_hook<
        boost::intrusive::tag<struct by_checkout>,
        boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
    using pool_hook = boost::intrusive::list_base_hook<
        boost::intrusive::tag<struct by_pool>,
        boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

    /// A worker has been chosen for the job.
    bool claim(job_record& claimed, wake_list& wakes) override;
    /// From now on it waits for a worker.
    void stored(job_record& its) override;
    /// Started in time: it cannot be withdrawn any more.
    void started() noexcept override {
        if (checkout_hook::is_linked())
            checkout_hook::unlink();
    }
    /// Answered, or its caller is gone: nothing refers to it any more.
    void answered() noexcept override {
        started();
        if (pool_hook::is_linked())
            pool_hook::unlink();
    }

    time_point checkout_until = time_point::max();
    bool exhausted = false; ///< nobody started it in time

  private:
    pool_core& pool_;
    const execute_options& how_; ///< of the frame in which this lies, too
};

/// A pool's accounting: which workers are alive, idle, tripped; who takes what. Decides and wakes
/// under the engine's lock; the coroutines are in lane.cpp, worker_run.cpp and worker_pool.cpp.
class pool_core final : public taker,
                        public context_bound,
                        public std::enable_shared_from_this<pool_core> {
  public:
    pool_core(std::shared_ptr<queue_core> queue, worker_pool_options options,
              std::shared_ptr<log_sink> log);
    ~pool_core() override;

    /// Registers with the queues; once, after construction.
    void open();

    const worker_pool_options& options() const noexcept { return options_; }
    queue_core& jobs() noexcept { return *jobs_; }
    const std::shared_ptr<queue_core>& shared_jobs() const noexcept { return jobs_; }
    runtime& shared() noexcept { return jobs_->shared(); }
    std::mutex& mutex() noexcept { return shared().mutex; }

    // --- what lanes do (lock held unless said)

    enum class next { run, idle, end };
    /// Starts the lane's next job, if there is one for it.
    next advance(lane& l, wake_list& wakes);
    /// The lane's handler has ended. Takes the lock, resumes who waits for the result, and answers
    /// what the lane does next.
    next finish(lane& l, job_outcome&& outcome);
    /// The lane's coroutine has nothing to do: parks it, or answers its resumption back when
    /// something has come up meanwhile.
    bool park(lane& l, resumption& r, wake_list& wakes);
    /// The lane's coroutine has ended. Takes the lock.
    void ended(lane& l);
    /// The lane is destroyed; its coroutine was, too, without having ended. Takes the lock.
    void lost(lane& l) noexcept;
    /// The lane's handler does not stop: its attempt has failed, and another lane takes its place.
    void stuck(lane& l, wake_list& wakes);

    // --- what workers do

    asio::awaitable<void> run_worker(std::shared_ptr<worker> w);

    // --- what callers do (lock held)

    queue_entry& queue_for(const new_job& job);
    const std::string& first_queue() const noexcept { return queues_.front()->name; }
    /// Admits and pushes the job of an execute. Throws `error`.
    job_id submit(new_job&& job, const execute_options& how, execution& e, wake_list& wakes);
    /// Throws once the pool has been stopped for good.
    void refuse_when_stopped() const;
    /// Throws when no breaker that could would admit a job of the kind.
    void refuse_when_tripped(const kind_entry& kind);
    /// Throws when the caller will not wait and would have to.
    void refuse_when_busy(const execute_options& how, const job_record& job);
    void await_worker(execution& e, const job_record& job, duration checkout_wait);
    void await_checkout(execution& e, time_point until);
    /// Gives an available job to the worker that the caller asks for. False: to nobody.
    bool assign(job_record& job, const execute_options& how, wake_list& wakes);
    void withdraw_late(wake_list& wakes);
    /// Takes a job that it has not started from a worker.
    void let_go(worker& w, job_record& job) noexcept;
    /// Lets go of the alarms when nobody lives and nobody waits: they would keep
    /// io_context::run() from returning.
    void rest();
    /// Who waits for an execute, and who comes later, is told `stopped`. Takes the lock.
    void stop_accepting();
    /// The pool is about to be stopped: nothing new begins, and the time to finish starts to run.
    /// Takes the lock.
    void begin_stop();
    /// Changes the number of permanent workers. Takes the lock.
    void resize(unsigned size);

    /// A supervisor of the permanent workers, for one run of the pool.
    supervisor make_supervisor();
    std::optional<supervisor> current_supervisor();
    child_spec worker_spec(const std::shared_ptr<worker>& w);

    pool_status status();
    worker_status describe(const worker& w);
    std::vector<breaker_status> breakers() const;
    /// Takes the lock. Throws `error`.
    void control_breaker(const std::string& name, breaker_command command);
    std::vector<std::shared_ptr<worker>> workers() const { return workers_; }
    std::shared_ptr<worker> find(const std::string& id) const;

    // taker
    std::size_t appetite() const noexcept override;
    bool takes(const kind_entry& kind) const noexcept override;
    unsigned priorities() const noexcept override;
    std::optional<outlook> outlook_for(const job_record& job) override;
    void offer(wake_list& wakes) override;
    void queue_paused(queue_entry& queue, wake_list& wakes) override;
    // context_bound
    void context_shutdown() noexcept override;

    pool_status figures; ///< the totals of it

    /// Reads a total for the metrics. Takes the lock.
    std::uint64_t total(std::uint64_t pool_status::* which);

    /// How many records the log's sink threw at.
    std::uint64_t log_errors() const noexcept { return log_.errors(); }

  private:
    friend class pool_deadline;
    class worker_guard;
    using idle_list = boost::intrusive::list<worker, boost::intrusive::base_hook<idle_hook>,
                                             boost::intrusive::constant_time_size<false>>;
    using checkout_list =
        boost::intrusive::list<execution, boost::intrusive::base_hook<execution::checkout_hook>,
                               boost::intrusive::constant_time_size<false>>;
    using execution_list =
        boost::intrusive::list<execution, boost::intrusive::base_hook<execution::pool_hook>,
                               boost::intrusive::constant_time_size<false>>;

    void start_worker(const std::shared_ptr<worker>& w);
    /// What becomes of a worker whose coroutine looks after it.
    enum class fate { lives, stopped, killed, crashed };
    fate look_after(worker& w, asio::cancellation_type asked);
    fate fate_of(const worker& w) const noexcept;
    static void note_cancellation(worker& w, asio::cancellation_type type) noexcept;
    void complete_lanes(const std::shared_ptr<worker>& w, wake_list& wakes);
    void spawn(const std::shared_ptr<lane>& l);
    void stop_worker(worker& w, wake_list& wakes);
    void drain(wake_list& wakes);
    void on_drained();
    void end_worker(worker& w, fate how, wake_list& wakes);
    void abandon(lane& l, fate how, wake_list& wakes);
    void one_abandoned_less(wake_list& wakes);
    void cancel_lanes(worker& w, wake_list& wakes);
    void give_back_local(worker& w, wake_list& wakes);
    void give_back_assigned(worker& w, wake_list& wakes);
    void wake_worker(worker& w, wake_list& wakes);
    void join_idle(worker& w) noexcept;
    void leave_idle(worker& w) noexcept;

    void log(log_level level, std::string_view event, std::string message,
             std::vector<std::pair<std::string_view, std::string>> fields, wake_list& wakes);
    void log_failure(const lane& l, const job_outcome& outcome, wake_list& wakes);
    void log_unstuck(const lane& l, time_point now, wake_list& wakes);
    void log_stuck(const lane& l, wake_list& wakes);
    void log_short_of_lanes(const worker& w, wake_list& wakes);
    void log_breaker(const breaker_change& change, wake_list& wakes);
    void log_worker(const worker& w, log_level level, std::string_view event, wake_list& wakes);

    // pool_breakers.cpp
    circuit_breaker& breaker_for(worker& w, const kind_entry& kind);
    std::size_t room(worker& w, std::size_t wanted);
    bool tripped(worker& w);
    template <typename Predicate>
    std::size_t taken_if(Predicate p) const;
    const take_filter& filter();
    breaker_verdict verdict_on(const job_outcome& outcome) const noexcept;
    void tell_breaker(const lane& l, breaker_verdict verdict, const std::exception_ptr& why,
                      wake_list& wakes);
    void note_change(circuit_breaker& breaker, wake_list& wakes, bool by_hand = false);
    void arm_breakers();
    circuit_breaker& breaker_named(std::string_view name);
    void resume_idle(wake_list& wakes);

    // pool_dispatch.cpp
    bool may_have_more(worker& w);
    worker* permanent_from(std::uint64_t& at);
    worker* next_in_turn();
    worker* least_busy();
    worker* next_available();
    worker* choose(const execute_options& how, const kind_entry& kind);

    // pool_taking.cpp
    std::size_t share(worker& w);
    bool pull(worker& w);
    bool begin(lane& l, job_record& job, wake_list& wakes);
    void keep(worker& w, job_record& job, bool bound = false);
    void unkeep(worker& w, job_record& job) noexcept;
    job_record* next_local(worker& w);
    void appetite_changed();
    void hand_out(worker& w, wake_list& wakes);
    bool steal_for(worker& w, wake_list& wakes);
    void count_attempt(worker& w, const lane& l, const job_outcome& outcome, wake_list& wakes);
    void trip(worker& w);
    void untrip(worker& w, wake_list& wakes);
    void give_back(job_record& job, wake_list& wakes);
    void arm(time_point at);
    void arm_checkouts();
    void on_deadline();
    void want_overflow(wake_list& wakes);
    void start_overflow(const std::shared_ptr<worker>& w);
    std::vector<std::shared_ptr<worker>> make_workers();
    void fill_up(wake_list& wakes);
    void retire(const std::shared_ptr<worker>& w);
    static asio::awaitable<void> retire_child(supervisor s, std::string id);
    void forget_worker(worker& w);
    static asio::awaitable<void> start_overflow_child(supervisor s, child_spec spec);
    static asio::awaitable<void> run_overflow(std::shared_ptr<pool_core> self,
                                              std::shared_ptr<worker> w);
    void forget_overflow(worker& w);

    const std::shared_ptr<queue_core> jobs_;
    const worker_pool_options options_;
    const logger log_;
    std::vector<queue_entry*> queues_;
    take_filter filter_;
    std::vector<std::shared_ptr<worker>> workers_; // permanent ones first
    pool_breakers breakers_;
    std::size_t size_;          // how many permanent workers there shall be
    std::size_t permanent_ = 0; // and are, those that leave among them
    idle_list idle_;            // workers with an idle lane that did not trip, longest idle first
    checkout_list checkouts_;   // whose job has not been started, by their deadline
    execution_list executions_;
    std::shared_ptr<deadline> deadline_;
    std::shared_ptr<deadline> drain_deadline_;
    std::optional<pool_metrics> metrics_;
    time_point armed_at_ = time_point::max();
    std::weak_ptr<supervisor::shell> supervisor_;
    unsigned idle_count_ = 0;   // of idle_
    std::size_t unstarted_ = 0; // jobs that workers have taken, and an idle one may have instead
    std::uint64_t turn_ = 0;    // whose it is, with dispatch::round_robin
    unsigned overflow_ = 0;     // alive or about to be
    unsigned overflow_number_ = 0;
    std::uint64_t lanes_abandoned_ = 0;
    bool short_of_lanes_ = false; // so many are abandoned that workers go without

    bool homeless_ = false; // the context of the handlers is gone
    bool stopped_ = false;  // for good: nobody shall wait for a worker
    /// Its supervisor stops: no worker takes anything, all finish what they run, at the same time.
    enum class draining { no, waits, cancelled, given_up } draining_ = draining::no;
    time_point drained_at_; // when the next step of it is due
};

} // namespace lifeguard::detail
