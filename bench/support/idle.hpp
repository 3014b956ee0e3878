#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <optional>
#include <utility>

namespace bench {

namespace asio = boost::asio;

/// Coroutines that wait for nothing, until they are cancelled: with a cancellation slot they are
/// kept in it, without one here.
class idlers {
  public:
    asio::awaitable<void> wait() {
        using handler_type = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
            [this](handler_type handler) {
                auto slot = asio::get_associated_cancellation_slot(handler);
                if (!slot.is_connected()) {
                    kept_.push_back(std::move(handler));
                    return;
                }
                slot.assign([h = std::optional<handler_type>(std::move(handler))](
                                asio::cancellation_type) mutable {
                    if (h)
                        asio::post(std::move(*h));
                    h.reset();
                });
            },
            asio::use_awaitable);
    }

  private:
    std::deque<asio::async_result<asio::use_awaitable_t<>, void()>::handler_type> kept_;
};

} // namespace bench
