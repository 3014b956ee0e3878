#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <string>

/// A web server on a port of the loopback address that the system picks. One of its lines is bad:
/// at any time one connection is cut off, in the middle of its third request. Its successor gets
/// the bad line then.
class stub_server {
  public:
    explicit stub_server(boost::asio::io_context& io);

    boost::asio::ip::tcp::endpoint address() const { return acceptor_.local_endpoint(); }

    /// Serves until it is stopped.
    boost::asio::awaitable<void> run();
    void stop();

    /// What is the text of a page.
    static std::string page(const std::string& path) { return "this is " + path + "\n"; }

    /// How many requests wait for an answer: all do until `answer` is called.
    std::size_t unanswered() const { return unanswered_; }
    void answer();

    std::size_t connections() const { return connections_.size(); }
    unsigned cuts() const { return cuts_; }

  private:
    using socket = boost::asio::ip::tcp::socket;

    boost::asio::awaitable<void> serve(socket& client, bool bad_line);

    boost::asio::io_context& io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer answers_; // expires when answers are to be given
    std::list<socket> connections_;
    std::size_t unanswered_ = 0;
    unsigned cuts_ = 0;
    bool bad_line_in_use_ = false;
};
