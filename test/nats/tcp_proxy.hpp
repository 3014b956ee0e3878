#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <thread>

namespace lifeguard::test {

/// Stands between a client and a server on the loopback, and does to what they say what a network
/// can do.
class tcp_proxy {
  public:
    explicit tcp_proxy(unsigned short server_port);
    ~tcp_proxy();
    tcp_proxy(const tcp_proxy&) = delete;
    tcp_proxy& operator=(const tcp_proxy&) = delete;

    unsigned short port() const noexcept { return port_; }

    /// Ends all connections; new ones are ended at once until `mend`.
    void cut();
    /// Takes what is said and passes nothing on, in this direction or in both.
    void swallow_answers() { answers_ = false; }
    void black_hole() { answers_ = questions_ = false; }
    /// Passes on what the server says so much later, in its order.
    void delay_answers(std::chrono::milliseconds by) { delay_ = by.count(); }
    /// What is said from now on is passed on; what was swallowed is gone, and so are the
    /// connections that it is missing from.
    void mend();

  private:
    using socket = boost::asio::ip::tcp::socket;
    boost::asio::awaitable<void> accept();
    boost::asio::awaitable<void> serve(std::shared_ptr<socket> client);
    boost::asio::awaitable<void> pass(std::shared_ptr<socket> from, std::shared_ptr<socket> to,
                                      const std::atomic<bool>& open);
    void end_all();

    boost::asio::io_context io_{1};
    boost::asio::ip::tcp::acceptor acceptor_;
    const unsigned short server_port_;
    unsigned short port_ = 0;
    std::atomic<bool> accepts_ = true;
    std::atomic<bool> questions_ = true;
    std::atomic<bool> answers_ = true;
    std::atomic<std::int64_t> delay_ = 0;       // ms
    std::set<std::shared_ptr<socket>> sockets_; // of the thread
    std::thread thread_;
};

} // namespace lifeguard::test
