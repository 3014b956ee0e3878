#pragma once

#include <lifeguard/lifeguard.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <string>

/// A TCP server that runs jobs: a job per line comes in, as {"kind": "double", "payload": {"n":
/// 21}}, and for each a line goes out, in the same order: {"result": 42} or {"error": {"code":
/// ...}}.
///
/// It knows nothing of what the jobs are: that is for the engine's handlers.
class server {
  public:
    static constexpr std::size_t line_max = 4096;
    static constexpr std::size_t connections_max = 10'000;

    /// Listens on the loopback address. Port 0: any free one.
    server(boost::asio::io_context& io, unsigned short port, lifeguard::worker_pool pool);

    unsigned short port() const { return acceptor_.local_endpoint().port(); }
    std::size_t connections() const noexcept { return connections_.size(); }

    /// Serves until it is stopped, and returns when the last connection has gone.
    boost::asio::awaitable<void> run();

    /// No more connections and no more jobs; those that run are waited for and answered. What is
    /// left after `patience` is cut off.
    void stop(std::chrono::seconds patience);

  private:
    using socket = boost::asio::ip::tcp::socket;

    boost::asio::awaitable<void> serve(socket& client);
    boost::asio::awaitable<std::string> answer(std::string line);

    boost::asio::io_context& io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer deadline_; // armed when it stops
    boost::asio::steady_timer gone_;     // never expires: cancelled when the last connection goes
    lifeguard::worker_pool pool_;
    std::list<socket> connections_;
    bool stopping_ = false;
};
