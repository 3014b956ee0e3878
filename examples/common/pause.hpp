#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

inline boost::asio::awaitable<void> pause_for(std::chrono::steady_clock::duration time) {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, time);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

/// Waits until `holds()`; looks every millisecond, for 5 s at most. Answers whether it does.
template <typename F>
boost::asio::awaitable<bool> until(F holds) {
    for (int ms = 0; ms < 5000 && !holds(); ++ms)
        co_await pause_for(std::chrono::milliseconds(1));
    co_return holds();
}
