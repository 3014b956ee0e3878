#pragma once

#include <exception>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace lifeguard {

namespace asio = boost::asio;

/// Runs the clean-up `f`, a callable that returns an `awaitable<void>`, shielded from requests to stop: only
/// terminal cancellation, a supervisor's force, reaches it. For children that must await while they end:
/// a cancelled coroutine throws at every later co_await (conformance rule M-06).
///
/// Afterwards total cancellation is let through again, and when a stop was requested meanwhile
/// `operation_aborted` is thrown. A stop that came before is forgotten, so that clean-ups can follow one
/// another. Pass `f` as an lvalue, by name: g++ 12 destroys the captures of a temporary twice.
template <typename F>
asio::awaitable<void> shielded(F& f) {
    bool asked = false;
    const auto only_terminal = [&asked](asio::cancellation_type type) {
        if ((type & (asio::cancellation_type::total | asio::cancellation_type::partial)) !=
            asio::cancellation_type::none)
            asked = true;
        return type & asio::cancellation_type::terminal;
    };
    co_await asio::this_coro::reset_cancellation_state(only_terminal);
    std::exception_ptr failed;
    try {
        co_await f();
    } catch (...) {
        failed = std::current_exception();
    }
    // In every case: the filter refers to this frame.
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (failed)
        std::rethrow_exception(failed);
    if (asked)
        throw boost::system::system_error(asio::error::operation_aborted, "shielded");
}

} // namespace lifeguard
