#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <exception>

namespace lifeguard {

namespace asio = boost::asio;

/// `co_await shield();` shields the coroutine, and all that it awaits, from requests to stop: from
/// here on only terminal cancellation, a supervisor's force, reaches it, and a request that came
/// before no longer makes it throw. For children that must await while they end (conformance rule
/// M-06):
///
///     try {
///         co_await serve();
///     } catch (const boost::system::system_error&) { // asked to stop
///     }
///     co_await lifeguard::shield();
///     co_await say_goodbye();
///
/// Without it a cancelled coroutine throws at every later co_await. It forgets a force that came
/// before, too: then the clean-up has only its supervisor's `kill_grace` before the child is
/// abandoned.
inline auto shield() {
    return asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
}

/// Runs `f`, a callable that returns an `awaitable<void>`, shielded from requests to stop: for a
/// step in the life of a child that must not be cut in two.
///
/// Afterwards total cancellation is let through again, and when a stop was requested meanwhile
/// `operation_aborted` is thrown. Pass `f` as an lvalue, by name: g++ 12 destroys the captures of a
/// temporary twice. A coroutine that has been cancelled already must `co_await shield()` instead:
/// Asio throws before this function is entered.
template <typename F>
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): by name, as said above
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
