#pragma once

#include "base/deadline_service.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>

namespace lifeguard::detail {

/// What one coroutine waits with until somebody wakes it, or a moment comes.
class wakeup final : public deadline {
  public:
    /// `strand`: where the coroutine runs.
    explicit wakeup(const asio::any_io_executor& strand);

    /// Ends the wait, or the next one. Any thread; nothing happens when a wake-up is on its way.
    void wake();

    void expired(time_point) override { wake(); }

    /// On the strand. Returns when it is woken, at `until`, or when the calling coroutine is
    /// cancelled.
    static asio::awaitable<void> wait(std::shared_ptr<wakeup> self,
                                      std::shared_ptr<deadline_service> deadlines,
                                      time_point until);

  private:
    const asio::any_io_executor strand_;
    asio::steady_timer never_; // has no time: it is what is cancelled
    std::atomic<bool> on_its_way_ = false;
    bool woken_ = false;
};

} // namespace lifeguard::detail
