#pragma once

#include "base/deadline_service.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

namespace lifeguard::detail {

/// A moment at which an operation is cancelled, unless it ends before. Bind the operation to
/// `slot`; use it on `strand` only.
class time_limit final : public deadline {
  public:
    explicit time_limit(asio::any_io_executor strand) : strand_(std::move(strand)) {}

    asio::cancellation_slot slot() noexcept { return signal_.slot(); }
    const asio::any_io_executor& strand() const noexcept { return strand_; }

    /// On the strand. Every kind of cancellation: Beast's operations know only terminal.
    void cut() { signal_.emit(asio::cancellation_type::all); }
    /// Whether the moment has come.
    bool passed() const noexcept { return passed_; }
    /// Before it is armed again.
    void begin() noexcept { passed_ = false; }

    void expired(time_point) override {
        asio::post(strand_, [self = std::static_pointer_cast<time_limit>(shared_from_this())] {
            self->passed_ = true;
            self->cut();
        });
    }

  private:
    const asio::any_io_executor strand_;
    asio::cancellation_signal signal_;
    bool passed_ = false;
};

/// From now on what cancels the calling coroutine cancels what is bound to the limit's slot, too.
/// To be repeated after anything that uses the coroutine's own slot.
asio::awaitable<void> heed_stop(std::shared_ptr<time_limit> limit);

/// Returns at `until`, or when the calling coroutine is cancelled.
asio::awaitable<void> pause(std::shared_ptr<deadline_service> deadlines, time_point until);

} // namespace lifeguard::detail
