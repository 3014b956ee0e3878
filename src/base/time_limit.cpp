#include "base/time_limit.hpp"

#include "base/executors.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace lifeguard::detail {

asio::awaitable<void> heed_stop(std::shared_ptr<time_limit> limit) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (asio::cancellation_slot slot = state.slot(); slot.is_connected())
        slot.assign([limit](asio::cancellation_type) { limit->cut(); });
}

asio::awaitable<void> pause(std::shared_ptr<deadline_service> deadlines, time_point until) {
    const auto limit = std::make_shared<time_limit>(strand_of(co_await asio::this_coro::executor));
    co_await heed_stop(limit);
    deadlines->arm(*limit, until);
    boost::system::error_code ended;
    asio::steady_timer never(limit->strand(), time_point::max());
    auto token = asio::redirect_error(
        asio::bind_cancellation_slot(limit->slot(), asio::use_awaitable), ended);
    co_await never.async_wait(token);
    deadlines->disarm(*limit);
}

} // namespace lifeguard::detail
