#pragma once

#include <lifeguard/resource_pool_options.hpp>

#include <boost/intrusive/list.hpp>

#include <cstddef>

namespace lifeguard::detail {

using pool_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<struct by_pool_order>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A resource of a pool, as its accounting sees it.
struct pooled : pool_hook {
    enum class place {
        starting, ///< on its way
        idle,
        leased,
        out, ///< dead, or told to end: no longer counted
    };
    place at = place::starting;
};

/// Somebody who waits for a resource.
struct pool_waiter : pool_hook {};

/// What the accounting wants done.
class pool_actions {
  public:
    /// Start one more resource; `started` or `start_failed` follows.
    virtual void start() = 0;
    /// The resource is not needed any more.
    virtual void end(pooled& p) = 0;
    /// The waiter, who is out of the list, has got the resource.
    virtual void grant(pool_waiter& w, pooled& p) = 0;

  protected:
    ~pool_actions() = default;
};

/// poolboy's decisions: who gets which resource, and when one more is started or one is let go.
/// Sans-IO; guarded by the pool's lock.
///
/// Overflow is a number and no property of a resource: while there is any, the next resource that
/// nobody waits for is let go, whichever it is.
class pool_accounting {
  public:
    pool_accounting(unsigned size, unsigned max_overflow, reuse_order order,
                    waiting_order waits = waiting_order::fifo) noexcept
        : size_(size), max_overflow_(max_overflow), order_(order), waits_(waits) {}

    /// Starts `size` resources, and what those who wait already may have beyond.
    void open(pool_actions& actions);
    /// Forgets all resources: they have ended, or end by themselves. Who waits goes on waiting.
    void close() noexcept;

    /// An idle resource, leased; null when there is none.
    pooled* checkout() noexcept;
    /// Leases this one, which is idle.
    void take(pooled& p) noexcept;
    /// Whether somebody who waits now would wait for others to bring a resource back.
    bool is_full() const noexcept {
        return idle_.empty() && overflow_ >= max_overflow_ && starting_ <= waiting_;
    }
    /// Somebody waits, and one more resource is started for him if there may be one.
    void wait(pool_waiter& w, pool_actions& actions);
    /// He waits no longer.
    void give_up(pool_waiter& w) noexcept;
    /// Who is next, out of the list; null when nobody waits.
    pool_waiter* dismiss_waiter() noexcept;

    /// A leased resource comes back.
    void checkin(pooled& p, pool_actions& actions);
    /// A resource has died, or shall not be used any more: replaced if it is needed.
    void died(pooled& p, pool_actions& actions);

    /// A resource that was asked for is there.
    void started(pooled& p, pool_actions& actions);
    /// It could not be started. True: it is still needed, so try again. False: forget it.
    bool start_failed();
    /// It will not come: what was to start it has been stopped from outside.
    void start_lost(pool_actions& actions);

    void resize(unsigned size, unsigned max_overflow, pool_actions& actions);

    std::size_t idle() const noexcept { return idle_count_; }
    std::size_t leased() const noexcept { return leased_; }
    std::size_t waiting() const noexcept { return waiting_; }
    std::size_t starting() const noexcept { return starting_; }
    unsigned overflow() const noexcept { return overflow_; }
    unsigned size() const noexcept { return size_; }
    unsigned max_overflow() const noexcept { return max_overflow_; }

  private:
    template <typename T>
    using list = boost::intrusive::list<T, boost::intrusive::base_hook<pool_hook>,
                                        boost::intrusive::constant_time_size<false>>;

    void start(pool_actions& actions);
    void start_overflow(pool_actions& actions);
    void place(pooled& p, pool_actions& actions);
    void lend(pooled& p) noexcept;
    void replace(pool_actions& actions);

    unsigned size_;
    unsigned max_overflow_;
    reuse_order order_;
    waiting_order waits_;
    unsigned overflow_ = 0;
    std::size_t idle_count_ = 0;
    std::size_t leased_ = 0;
    std::size_t waiting_ = 0;
    std::size_t starting_ = 0;
    bool open_ = false;
    list<pooled> idle_; // the next one to be handed out in front
    list<pooled> lent_;
    list<pool_waiter> waiters_;
};

} // namespace lifeguard::detail
