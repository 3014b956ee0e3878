#pragma once

#include "base/context_hooks.hpp"
#include "base/parked_coroutine.hpp"
#include "base/runtime.hpp"
#include "pool/pool_accounting.hpp"
#include "supervision/reply.hpp"
#include "supervision/restart_intensity.hpp"
#include <lifeguard/log.hpp>
#include <lifeguard/resource_pool.hpp>
#include <lifeguard/supervisor.hpp>

#include <boost/intrusive/list.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lifeguard::detail {

/// A lease that is watched because it might last too long.
class lease_watch final : public deadline {
  public:
    explicit lease_watch(std::weak_ptr<pooled_resource> of) noexcept : resource(std::move(of)) {}
    void expired(time_point now) override;

    const std::weak_ptr<pooled_resource> resource;
    std::string_view task;
    time_point since;
    unsigned warnings = 0;
};

/// A resource of a pool. Kept alive by its life's coroutine and by its lease. Guarded by the pool's
/// lock, but for `object`, which does not change while the resource is leased.
class pooled_resource final : public pooled, public deadline {
  public:
    pooled_resource(std::shared_ptr<resource_core> of, std::string name, std::uint64_t server)
        : core(std::move(of)), id(std::move(name)), served_by(server) {}

    /// Its life has something to do: a start to try again, or a ping.
    void expired(time_point now) override;

    const std::shared_ptr<resource_core> core;
    const std::string id;
    const std::uint64_t served_by; ///< the incarnation of the server that started it
    bool is_first = false;         ///< one of those that the pool begins with, and not tried yet
    std::shared_ptr<void> object;
    std::optional<exit_reason> why; ///< it has been asked to end
    std::shared_ptr<lease_watch> watch;

    parked_coroutine life; ///< while there is nothing to do
    bool woken = false;
};

using checkout_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<struct by_deadline>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A coroutine that waits for a resource. Lies in that coroutine's frame.
struct checkout_waiter final : pool_waiter, checkout_hook, parked_coroutine {
    enum class end { none, served, timed_out, cancelled, stopped, full, too_many };

    bool waits() const noexcept { return ended == end::none; }

    end ended = end::none;
    std::shared_ptr<pooled_resource> got;
    time_point until = time_point::max();
};

/// What the handles of a resource pool share: the accounting, who waits, and the coroutines that
/// are the resources' lives, each a child of a supervisor.
class resource_core final : public context_bound,
                            public std::enable_shared_from_this<resource_core> {
  public:
    resource_core(const asio::any_io_executor& executor, resource_pool_options options,
                  resource_functions functions);

    /// Registers with the context and the metrics; once, after construction.
    void open();

    const resource_pool_options& options() const noexcept { return options_; }
    runtime& shared() noexcept { return *runtime_; }

    // --- leases

    leased_resource take_idle(std::string_view task);
    static asio::awaitable<leased_resource> check_out(std::shared_ptr<resource_core> self,
                                                      checkout_options options, bool unless_full);
    void checkin(pooled_resource& p) noexcept;
    /// The lease is over, and the resource unfit for another one.
    void recycle(pooled_resource& p, exit_reason why) noexcept;
    bool is_alive(const pooled_resource& p) noexcept;

    /// Returns when the resources that the pool begins with have been tried.
    static asio::awaitable<void> ready(std::shared_ptr<resource_core> self);

    resource_pool_status status();
    void resize(unsigned size, unsigned max_overflow);

    // --- supervision

    /// The supervisor of one run: the server and, under a supervisor of their own, the resources.
    /// Throws `already_started`.
    supervisor make_supervisor();
    std::optional<supervisor> current_supervisor();
    std::optional<supervisor> resources_supervisor();
    /// Nobody shall wait any more.
    void refuse_all();

    // --- what is due
    void checkouts_due();
    void wake_life(pooled_resource& p);
    void lease_overdue(pooled_resource& p, time_point now);

    void context_shutdown() noexcept override;

  private:
    class turn;
    class place_in_line;
    class checkout_timer;
    using checkout_list =
        boost::intrusive::list<checkout_waiter, boost::intrusive::base_hook<checkout_hook>,
                               boost::intrusive::constant_time_size<false>>;

    // resource_life.cpp
    static asio::awaitable<void> serve(std::shared_ptr<resource_core> self);
    static asio::awaitable<void> live(std::shared_ptr<resource_core> self,
                                      std::shared_ptr<pooled_resource> p);
    static asio::awaitable<bool> bring_up(std::shared_ptr<resource_core> self,
                                          std::shared_ptr<pooled_resource> p);
    static asio::awaitable<void> stay(std::shared_ptr<resource_core> self,
                                      std::shared_ptr<pooled_resource> p);
    static asio::awaitable<void> sleep(std::shared_ptr<resource_core> self,
                                       std::shared_ptr<pooled_resource> p);
    void close();
    void begin_serving();
    void end_serving() noexcept;
    void launch();
    bool is_current(const pooled_resource& p) const noexcept {
        return serving_ && p.served_by == server_number_;
    }
    void started(pooled_resource& p);
    std::optional<duration> start_failed(pooled_resource& p, const std::exception_ptr& why);
    void tried(pooled_resource& p, wake_list& wakes);
    void tell_ready(wake_list& wakes);
    bool take_for_ping(pooled_resource& p);
    exit_reason ended(pooled_resource& p, bool asked, const std::exception_ptr& failed);
    void charge_death(wake_list& wakes);

    leased_resource lend(pooled_resource& p, std::string_view task);
    void watch_lease(pooled_resource& p, std::string_view task);
    /// How the wait of somebody who found nothing idle ends at once; `none` when he is to wait.
    checkout_waiter::end refusal(bool unless_full) const noexcept;
    void await_turn(checkout_waiter& w, duration timeout);
    void arm_checkouts();
    void refuse(checkout_waiter& w, checkout_waiter::end how, wake_list& wakes);
    error error_about(checkout_waiter::end how, duration waited) const;
    void ask_to_end(pooled_resource& p, exit_reason why, wake_list& wakes);
    void terminate(const std::string& id);
    void describe_metrics();
    void log(wake_list& wakes, log_level level, std::string_view event, std::string message,
             std::vector<log_field> fields) const;

    const resource_pool_options options_;
    const resource_functions functions_;
    const std::shared_ptr<runtime> runtime_;
    const logger log_;
    std::optional<metrics_scope> metrics_;

    // Guarded by the lock.
    pool_accounting accounting_;
    restart_intensity deaths_;
    parking_lot parked_;
    checkout_list checkouts_; // who waits, the next to time out in front
    std::shared_ptr<checkout_timer> timer_;
    time_point armed_at_ = time_point::max();
    bool running_ = false;
    std::weak_ptr<supervisor::shell> pool_;      // of the current run
    std::shared_ptr<void> at_end_;               // tells us of its end
    std::weak_ptr<supervisor::shell> resources_; // likewise: the supervisor of the resources
    parked_coroutine server_;
    bool serving_ = false;
    bool gives_up_ = false;         // too many resources died
    std::size_t unlaunched_ = 0;    // starts that wait for the server
    std::size_t untried_ = 0;       // of those that the pool begins with
    std::uint64_t first_until_ = 0; // the number of the last one of these
    std::vector<std::shared_ptr<reply>> await_ready_;
    std::uint64_t number_ = 0;        // of the resource started last
    std::uint64_t server_number_ = 0; // counts the server's incarnations
    unsigned failures_ = 0;           // of starts, since one worked
    bool stopped_ = false;
    bool closed_ = false; // the context is gone
    resource_pool_status totals_;
};

} // namespace lifeguard::detail
