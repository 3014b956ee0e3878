#pragma once

#include <lifeguard/time_source.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

namespace lifeguard::detail {

using io_executor = asio::io_context::executor_type;

/// The executor below the strands; itself when it is no strand that we know.
inline asio::any_io_executor below_strand(const asio::any_io_executor& executor) {
    if (const auto* s = executor.target<asio::strand<io_executor>>())
        return s->get_inner_executor();
    if (const auto* s = executor.target<asio::strand<asio::any_io_executor>>())
        return s->get_inner_executor();
    return executor;
}

/// A new strand over `executor`, of the concrete type where there is one: such a strand costs half
/// of what one over `any_io_executor` does.
inline asio::any_io_executor new_strand(const asio::any_io_executor& executor) {
    const asio::any_io_executor base = below_strand(executor);
    if (const auto* io = base.target<io_executor>())
        return asio::make_strand(*io);
    return asio::make_strand(base);
}

/// `executor` itself when it is a strand already, otherwise a new strand over it.
inline asio::any_io_executor strand_of(const asio::any_io_executor& executor) {
    if (executor.target<asio::strand<io_executor>>() != nullptr ||
        executor.target<asio::strand<asio::any_io_executor>>() != nullptr)
        return executor;
    return new_strand(executor);
}

/// Whether the calling thread is running a handler of `executor`, so that work for it may be done
/// in place. False when that cannot be known.
inline bool running_in(const asio::any_io_executor& executor) noexcept {
    if (const auto* io = executor.target<io_executor>())
        return io->running_in_this_thread();
    if (const auto* s = executor.target<asio::strand<io_executor>>())
        return s->running_in_this_thread();
    if (const auto* s = executor.target<asio::strand<asio::any_io_executor>>())
        return s->running_in_this_thread();
    return false;
}

} // namespace lifeguard::detail
