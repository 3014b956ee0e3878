#pragma once

#include "base/context_hooks.hpp"
#include <lifeguard/time_source.hpp>

#include <boost/intrusive/set.hpp>

#include <memory>
#include <mutex>

namespace lifeguard::detail {

class deadline_service;

/// A moment that something waits for. Owned by shared_ptr; forgets itself when it is destroyed.
class deadline : public std::enable_shared_from_this<deadline> {
  public:
    deadline() = default;
    deadline(const deadline&) = delete;
    deadline& operator=(const deadline&) = delete;
    virtual ~deadline();

    /// The moment has come. Called without any lock, on the service's executor. A call that races
    /// with `disarm` or a later `arm` may come nevertheless: look at your own state before you act.
    virtual void expired(time_point now) = 0;

  private:
    friend class deadline_service;

    boost::intrusive::set_member_hook<boost::intrusive::optimize_size<true>> hook_;
    time_point at_;
    std::shared_ptr<deadline_service> service_; // set while armed
};

/// All deadlines of one context and time source behind one armed timer. Arming is O(1) for the
/// usual deadline, later than those armed before it, and O(log n) for any other. Thread-safe.
class deadline_service final : public context_bound,
                               public std::enable_shared_from_this<deadline_service> {
  public:
    /// The service of the executor's context; made when there is none.
    static std::shared_ptr<deadline_service> of(const asio::any_io_executor& executor,
                                                const std::shared_ptr<time_source>& time);

    explicit deadline_service(std::shared_ptr<time_source> time);
    ~deadline_service() override;

    /// Makes the timer. Once, before anything is armed.
    void open(asio::any_io_executor executor);

    /// Calls `d.expired()` at `at`; moves the deadline when it is armed already.
    void arm(deadline& d, time_point at);
    /// The same, but one that is armed only ever moves to an earlier moment: for owners that arm
    /// from several threads, whose calls may come in any order.
    void arm_earlier(deadline& d, time_point at);
    void disarm(deadline& d) noexcept;

    /// How many deadlines are armed.
    std::size_t armed() const;

    const time_source& time() const noexcept { return *time_; }

    void context_shutdown() noexcept override;

  private:
    struct earlier {
        bool operator()(const deadline& a, const deadline& b) const noexcept {
            return a.at_ < b.at_;
        }
    };
    using deadlines = boost::intrusive::multiset<
        deadline,
        boost::intrusive::member_hook<deadline, decltype(deadline::hook_), &deadline::hook_>,
        boost::intrusive::compare<earlier>>;

    void wake();
    void arm_locked(deadline& d, time_point at);
    void set_alarm(); // with the mutex held

    const std::shared_ptr<time_source> time_;
    mutable std::mutex mutex_;
    std::unique_ptr<alarm> alarm_; // empty before open() and once the context is gone
    time_point alarm_at_ = time_point::max();
    deadlines armed_;
};

} // namespace lifeguard::detail
