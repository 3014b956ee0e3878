#include "supervision/reply.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <functional>

namespace lifeguard::detail {

void reply::waiting::operator()(resumption r) {
    slot_ = asio::get_associated_cancellation_slot(r);
    if (slot_.is_connected())
        slot_.assign([weak = std::weak_ptr(reply_)](asio::cancellation_type) { // own no coroutine
            if (const auto alive = weak.lock())
                alive->cancel();
        });
    reply_->park(std::move(r));
}

void reply::waiting::resumed() {
    if (slot_.is_connected())
        slot_.clear();
    if (reply_->cancelled_)
        throw boost::system::system_error(asio::error::operation_aborted, "lifeguard call");
}

asio::awaitable<void> reply::wait(std::shared_ptr<reply> self) {
    waiting w(std::move(self));
    co_await suspend(w);
    w.resumed();
}

asio::awaitable<void> reply::wait(std::shared_ptr<reply> self,
                                  std::function<void(asio::cancellation_type)> on_cancel) {
    asio::cancellation_slot slot;
    auto park = [&](resumption r) {
        slot = asio::get_associated_cancellation_slot(r);
        if (slot.is_connected())
            slot.assign(std::move(on_cancel));
        self->park(std::move(r));
    };
    co_await suspend(park);
    if (slot.is_connected())
        slot.clear();
}

void reply::park(resumption r) {
    context_hooks::of(r.get_executor()).add(weak_from_this());
    std::unique_lock lock(mutex_);
    if (!arrived_) {
        parked_.emplace(std::move(r));
        return;
    }
    lock.unlock();
    asio::post(std::move(r));
}

void reply::arrive() {
    std::unique_lock lock(mutex_);
    arrived_ = true;
    if (!parked_)
        return;
    resumption r(std::move(*parked_));
    parked_.reset();
    lock.unlock();
    asio::post(std::move(r));
}

bool reply::has_arrived() const {
    const std::lock_guard lock(mutex_);
    return arrived_;
}

void reply::cancel() {
    std::unique_lock lock(mutex_);
    if (!parked_)
        return;
    cancelled_ = true;
    resumption r(std::move(*parked_));
    parked_.reset();
    lock.unlock();
    // Not in place: this runs inside the signal that the coroutine may replace.
    asio::post(std::move(r));
}

void reply::context_shutdown() noexcept {
    std::optional<resumption> dropped; // ends without the lock: it unwinds the coroutine
    const std::lock_guard lock(mutex_);
    if (parked_) {
        dropped.emplace(std::move(*parked_));
        parked_.reset();
    }
}

} // namespace lifeguard::detail
