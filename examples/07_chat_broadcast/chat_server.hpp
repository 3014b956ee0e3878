#pragma once

#include "chat_room.hpp"
#include <lifeguard/supervisor.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <optional>
#include <string>
#include <vector>

struct chat_options {
    unsigned short port = 0;      ///< 0: any free one
    std::size_t history_max = 20; ///< lines that a newcomer gets to see
    std::size_t queue_max = 100;  ///< lines that may wait for a client that reads slowly
    bool crash_spreads = false;   ///< a crash of one connection ends all
};

/// The server is a tree:
///
///     chat (rest_for_one)
///     ├── connections (simple_one_for_one)
///     │   ├── connection/1
///     │   └── ...
///     └── listener
class chat_server {
  public:
    static constexpr std::size_t connections_max = 1000;

    chat_server(boost::asio::io_context& io, const chat_options& options);

    unsigned short port() const { return acceptor_.local_endpoint().port(); }

    /// Serves until it is stopped.
    boost::asio::awaitable<void> run() { return chat_->run(); }
    void stop() { chat_->request_stop(); }

    boost::asio::awaitable<std::string> tree() const { return chat_->tree(); }
    /// How connections ended that crashed: "connection/3: error(carl asked for it)".
    const std::vector<std::string>& crashes() const { return crashes_; }

  private:
    boost::asio::awaitable<void> accept();
    lifeguard::supervisor make_connections(const lifeguard::child_context& context);

    const chat_options options_;
    chat_room room_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::vector<std::string> crashes_;
    std::shared_ptr<void> watch_; ///< for crashes
    std::optional<lifeguard::supervisor> connections_;
    std::optional<lifeguard::supervisor> chat_;
};
