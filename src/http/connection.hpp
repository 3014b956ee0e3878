#pragma once

#include "http/api.hpp"
#include "http/tls.hpp"
#include <lifeguard/child_spec.hpp>
#include <lifeguard/http_server.hpp>
#include <lifeguard/metrics.hpp>

#include <boost/asio/generic/stream_protocol.hpp>

namespace lifeguard::detail::web {

/// TCP in the server, a socket pair in tests.
using stream = asio::generic::stream_protocol::socket;

/// What all connections of a server share.
struct connection_context {
    connection_context(api a, http_options o)
        : served(std::move(a)), options(std::move(o)), tls(make_tls(options)) {}

    const api served;
    const http_options options;
    const std::shared_ptr<asio::ssl::context> tls; ///< null: connections are not encrypted
};

/// Answers the requests of one connection until it ends. `stop_requested`: no further request after
/// the one that is being answered. Never throws what a client can bring about.
asio::awaitable<void> serve_connection(std::shared_ptr<const connection_context> context,
                                       stream socket, child_context child);

} // namespace lifeguard::detail::web
