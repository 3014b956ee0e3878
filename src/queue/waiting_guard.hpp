#pragma once

#include "queue/queue_core.hpp"

#include <mutex>

namespace lifeguard::detail {

/// Unlinks a waiter whose frame ends before it was answered.
class waiting_guard {
  public:
    waiting_guard(queue_core& core, result_waiter& w) noexcept : core_(core), waiter_(w) {}
    ~waiting_guard() {
        if (answered)
            return;
        const std::lock_guard lock(core_.shared().mutex);
        queue_core::remove_waiter(waiter_);
    }
    waiting_guard(const waiting_guard&) = delete;
    waiting_guard& operator=(const waiting_guard&) = delete;

    bool answered = false; ///< nothing is linked, which spares the lock

  private:
    queue_core& core_;
    result_waiter& waiter_;
};

} // namespace lifeguard::detail
