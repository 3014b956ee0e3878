#pragma once

#include <boost/asio/cancellation_type.hpp>

namespace lifeguard::detail {

/// What asks a coroutine to stop. Total alone would pass by Asio's composed operations
/// (async_read_until, async_write ...), which know only partial and terminal cancellation; and who
/// stops does not go on with what was half done.
inline constexpr auto stop_request =
    boost::asio::cancellation_type::total | boost::asio::cancellation_type::partial;

} // namespace lifeguard::detail
