#pragma once

#include "base/context_hooks.hpp"
#include "base/parked_coroutine.hpp"
#include "base/runtime.hpp"
#include "dynamic/worker_cycle.hpp"
#include "dynamic/worker_message.hpp"
#include "dynamic/worker_registry.hpp"
#include "supervision/guarded_executor.hpp"
#include "supervision/restart_intensity.hpp"
#include <lifeguard/dynamic_workers.hpp>
#include <lifeguard/error.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/metrics.hpp>
#include <lifeguard/supervisor.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace lifeguard::detail {

class worker_run;

/// Somebody who waits for a worker, or for the manager, to settle.
struct completion {
    const std::shared_ptr<reply> done = std::make_shared<reply>();
    std::exception_ptr failed; ///< set before it arrives
    bool wants_it_to_run = true;
};

/// A worker by id, whatever incarnation of it runs. Guarded by the core's lock.
class dynamic_worker final : public worker_record {
  public:
    using worker_record::worker_record;

    std::deque<std::shared_ptr<worker_message>> mailbox;
    std::vector<std::shared_ptr<completion>> waiters;
    worker_run* current = nullptr; ///< the incarnation that runs
    unsigned incarnation = 0;
    bool crashed = false; ///< the last incarnation did, and its supervisor has not started another
};

/// One incarnation of a worker. Kept alive by its coroutine. Guarded by the core's lock, but for
/// what its coroutine alone changes: that it may read without.
class worker_run final : public deadline {
  public:
    worker_run(std::shared_ptr<dynamic_core> of, std::shared_ptr<dynamic_worker> in,
               worker_cycle begin_with, child_context self)
        : core(std::move(of)),
          worker(std::move(in)),
          context(std::move(self)),
          cycle(std::move(begin_with)) {}

    void expired(time_point now) override;

    const std::shared_ptr<dynamic_core> core;
    const std::shared_ptr<dynamic_worker> worker;
    const child_context context;
    worker_cycle cycle;
    parked_coroutine life; ///< while there is nothing to do
    bool woken = false;
};

/// What the handles of a manager share: the registry, the mailboxes, and the coroutines of workers
/// and of the state service.
class dynamic_core final : public context_bound, public std::enable_shared_from_this<dynamic_core> {
  public:
    dynamic_core(const asio::any_io_executor& executor, dynamic_workers_options options,
                 worker_behaviour behaviour);

    /// Registers with the context and the metrics; once, after construction.
    void open();

    const dynamic_workers_options& options() const noexcept { return options_; }
    /// "workers 'devices'"
    std::string whose() const;

    // --- workers by id (dynamic_core.cpp)

    /// False: there is one already.
    static asio::awaitable<bool> put(std::shared_ptr<dynamic_core> self, std::string id,
                                     worker_spec spec, worker_registry::put_mode mode);
    static asio::awaitable<bool> del(std::shared_ptr<dynamic_core> self, std::string id);
    std::optional<worker_info> get(const std::string& id);
    std::vector<std::string> ids();
    dynamic_workers_state state();

    // --- messages (dynamic_messages.cpp); an empty id: the least busy worker

    static asio::awaitable<json> call(std::shared_ptr<dynamic_core> self,
                                      std::optional<std::string> id, json message,
                                      duration timeout);
    void cast(const std::optional<std::string>& id, json message);

    // --- supervision (dynamic_supervision.cpp)

    /// The supervisor of one run. Throws `already_started`.
    supervisor make_supervisor();
    static asio::awaitable<void> run(std::shared_ptr<dynamic_core> self);
    static asio::awaitable<void> stop(std::shared_ptr<dynamic_core> self);
    static asio::awaitable<void> restart(std::shared_ptr<dynamic_core> self);
    static asio::awaitable<std::string> tree(std::shared_ptr<dynamic_core> self);
    std::optional<supervisor> current_supervisor();

    void run_due(worker_run& r, time_point now);
    void context_shutdown() noexcept override;

  private:
    class turn;
    class sleep;
    struct task;
    enum class occasion { stop, up, restart };

    // --- workers by id
    std::shared_ptr<completion> begin_put(const std::string& id, worker_spec spec,
                                          worker_registry::put_mode mode);
    std::shared_ptr<completion> begin_del(const std::string& id);
    static asio::awaitable<void> wait_for(std::shared_ptr<completion> s);
    static worker_info info_of(const dynamic_worker& w);
    static asio::awaitable<void> start_child(std::shared_ptr<dynamic_core> self,
                                             std::shared_ptr<dynamic_worker> w);
    static asio::awaitable<void> stop_child(std::shared_ptr<dynamic_core> self,
                                            std::shared_ptr<dynamic_worker> w);
    child_spec spec_of(const std::shared_ptr<dynamic_worker>& w);
    std::optional<supervisor> supervisor_of(const dynamic_worker& w);
    void refuse_mail(dynamic_worker& w, errc why, wake_list& wakes);
    error not_running() const;
    /// Empty once the context is gone.
    std::shared_ptr<const worker_behaviour> behaviour();

    // --- messages
    void submit(const std::optional<std::string>& id, std::shared_ptr<worker_message> m);

    // --- the life of a worker (dynamic_life.cpp)
    static asio::awaitable<void> live(std::shared_ptr<dynamic_core> self,
                                      std::shared_ptr<dynamic_worker> w, child_context context);
    static asio::awaitable<void> work(std::shared_ptr<worker_run> r);
    static asio::awaitable<void> build_payload(std::shared_ptr<worker_run> r);
    static asio::awaitable<void> perform(std::shared_ptr<worker_run> r);
    static asio::awaitable<void> handle_call(std::shared_ptr<worker_run> r,
                                             std::shared_ptr<worker_message> m);
    static asio::awaitable<void> handle_cast(std::shared_ptr<worker_run> r,
                                             std::shared_ptr<worker_message> m);
    static asio::awaitable<void> say_goodbye(std::shared_ptr<worker_run> r, exit_reason why);
    bool begin(worker_run& r);
    bool take_task(worker_run& r, task& next);
    void after_perform(worker_run& r, worker_outcome outcome);
    void after_message(worker_run& r, worker_outcome outcome);
    void follow(turn& t, worker_run& r, worker_cycle::then then, worker_outcome& outcome);
    void arm(worker_run& r);
    exit_reason end(worker_run& r, bool asked, bool forced, const std::exception_ptr& failed);
    static bool is_current(const worker_run& r) noexcept;
    void report_slow(worker_run& r, duration elapsed, wake_list& wakes);

    // --- supervision
    class restart_guard;
    static asio::awaitable<void> serve(std::shared_ptr<dynamic_core> self, child_context context);
    static asio::awaitable<occasion> next_occasion(std::shared_ptr<dynamic_core> self,
                                                   child_context context);
    static asio::awaitable<state_answer> announce(std::shared_ptr<dynamic_core> self,
                                                  manager_state now);
    static asio::awaitable<void> announce_starting(std::shared_ptr<dynamic_core> self);
    static asio::awaitable<void> announce_down(std::shared_ptr<dynamic_core> self);
    static asio::awaitable<void> start_over(std::shared_ptr<dynamic_core> self);
    supervisor make_workers(const child_context& context);
    void charge_restart();
    void wake_service(turn& t);
    void workers_started();
    void workers_ended();
    void close();

    void describe_metrics();
    struct load;
    load load_now();

    void log(wake_list& wakes, log_level level, std::string_view event, std::string message,
             std::vector<log_field> fields) const;
    void callback_failed(std::string_view which, const std::exception_ptr& why);

    const dynamic_workers_options options_;
    const std::shared_ptr<runtime> runtime_;
    const std::shared_ptr<guarded_executor> home_; ///< the manager's strand
    const logger log_;
    std::optional<metrics_scope> metrics_;

    // Guarded by the lock.
    std::shared_ptr<const worker_behaviour> behaviour_; ///< empty once the context is gone
    worker_registry registry_;
    parking_lot parked_;
    std::weak_ptr<supervisor::shell> manager_; ///< of the current run
    std::weak_ptr<supervisor::shell> workers_; ///< likewise: the supervisor of the workers
    std::shared_ptr<void> manager_events_;
    std::shared_ptr<void> workers_events_;
    bool running_ = false;
    bool stopped_ = false;
    bool gave_up_ = false;
    bool closed_ = false; ///< the context is gone
    manager_state state_ = manager_state::unknown;
    parked_coroutine service_;
    bool is_up_ = false; ///< the workers have started, and the service has not been told
    bool restarts_ = false;
    std::vector<std::shared_ptr<completion>> restarters_;
    restart_intensity answered_; ///< restarts that handle_state_change asked for
    dynamic_workers_state totals_;
};

} // namespace lifeguard::detail
