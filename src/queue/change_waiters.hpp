#pragma once

#include "queue/queue_core.hpp"

#include <deque>

namespace lifeguard::detail {

/// Waits until many changes have been stored, or have failed. Lies in the frame of the coroutine
/// that asks for them, and does not outlive the core.
class change_waiters {
  public:
    explicit change_waiters(queue_core& core) noexcept : core_(core) {}
    ~change_waiters();
    change_waiters(const change_waiters&) = delete;
    change_waiters& operator=(const change_waiters&) = delete;

    /// Before the change is asked for, and with the lock held.
    void add(job_record& job, result_waiter::event what);

    /// Returns when the store has answered all of them; without the lock. Throws
    /// `operation_aborted` when its caller is cancelled.
    asio::awaitable<void> wait();

    /// After `wait`: how many have been stored, and why the first of the others has not.
    std::size_t stored() const noexcept;
    std::exception_ptr failure() const noexcept;

  private:
    queue_core& core_;
    std::deque<plain_waiter> waiters_;
    bool answered_ = false; // nothing is linked any more
};

} // namespace lifeguard::detail
