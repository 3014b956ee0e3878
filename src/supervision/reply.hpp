#pragma once

#include "base/context_hooks.hpp"
#include "base/parked_coroutine.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>

#include <memory>
#include <mutex>
#include <optional>

namespace lifeguard::detail {

/// Something that arrives once and that one coroutine waits for. Thread-safe. The coroutine may
/// live in a context of its own, which may end before the reply arrives.
class reply : public context_bound, public std::enable_shared_from_this<reply> {
  public:
    /// Returns when it has arrived.
    /// Cancellation: throws `operation_aborted`; what was asked for happens all the same.
    static asio::awaitable<void> wait(std::shared_ptr<reply> self);

    /// As `wait`, but a cancellation is told to `on_cancel`, called with its type on the
    /// coroutine's executor, and changes nothing else. `on_cancel` must not own the coroutine.
    static asio::awaitable<void> wait(std::shared_ptr<reply> self,
                                      std::function<void(asio::cancellation_type)> on_cancel);

    /// `wait` without a coroutine of its own: name one, `co_await suspend(it)`, then call
    /// `resumed`, which throws as `wait` does.
    class waiting {
      public:
        explicit waiting(std::shared_ptr<reply> for_what) : reply_(std::move(for_what)) {}
        void operator()(resumption r);
        void resumed();

      private:
        std::shared_ptr<reply> reply_;
        asio::cancellation_slot slot_;
    };

    void arrive();
    bool has_arrived() const;

    void context_shutdown() noexcept override;

  private:
    void park(resumption r);
    void cancel();

    mutable std::mutex mutex_;
    bool arrived_ = false;
    bool cancelled_ = false;
    std::optional<resumption> parked_;
};

} // namespace lifeguard::detail
