#pragma once

#include <lifeguard/http_server.hpp>

#include <boost/asio/ssl/context.hpp>

#include <memory>

namespace lifeguard::detail::web {

/// What TLS connections of a server are made with; null when the options name no certificate.
/// Throws `error` (`invalid_option`) naming the field whose file cannot be used.
std::shared_ptr<asio::ssl::context> make_tls(const http_options& options);

} // namespace lifeguard::detail::web
