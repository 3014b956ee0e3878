#include "nats/tcp_proxy.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp> // lint: allow real time
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <future>

namespace lifeguard::test {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

tcp::endpoint loopback(unsigned short port) { return {asio::ip::address_v4::loopback(), port}; }

} // namespace

tcp_proxy::tcp_proxy(unsigned short server_port)
    : acceptor_(io_, loopback(0)),
      server_port_(server_port),
      port_(acceptor_.local_endpoint().port()) {
    asio::co_spawn(io_, accept(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
}

tcp_proxy::~tcp_proxy() {
    asio::post(io_, [this] {
        acceptor_.close();
        end_all();
    });
    thread_.join();
}

void tcp_proxy::cut() {
    accepts_ = false;
    asio::post(io_, asio::use_future([this] { end_all(); })).get();
}

void tcp_proxy::mend() {
    if (!questions_ || !answers_)
        cut(); // a stream with a hole in it is of no use
    accepts_ = questions_ = answers_ = true;
}

void tcp_proxy::end_all() {
    boost::system::error_code ignored;
    for (const auto& s : sockets_)
        s->close(ignored);
    sockets_.clear();
}

asio::awaitable<void> tcp_proxy::accept() {
    for (;;) {
        auto client = std::make_shared<socket>(io_);
        const auto result = co_await acceptor_.async_accept(*client, quietly);
        if (std::get<0>(result) == asio::error::operation_aborted || !acceptor_.is_open())
            co_return;
        if (!std::get<0>(result) && accepts_)
            asio::co_spawn(io_, serve(client), asio::detached);
    }
}

asio::awaitable<void> tcp_proxy::serve(std::shared_ptr<socket> client) {
    auto server = std::make_shared<socket>(io_);
    sockets_.insert(client);
    const auto result = co_await server->async_connect(loopback(server_port_), quietly);
    boost::system::error_code ignored;
    if (std::get<0>(result) || !client->is_open()) {
        client->close(ignored);
        sockets_.erase(client);
        co_return;
    }
    sockets_.insert(server);
    asio::co_spawn(io_, pass(client, server, questions_), asio::detached);
    asio::co_spawn(io_, pass(server, client, answers_), asio::detached);
}

// The flag is the proxy's, which outlives its thread.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters)
asio::awaitable<void> tcp_proxy::pass(std::shared_ptr<socket> from, std::shared_ptr<socket> to,
                                      const std::atomic<bool>& open) {
    std::array<char, 16384> buffer{};
    for (;;) {
        const auto read = co_await from->async_read_some(asio::buffer(buffer), quietly);
        if (std::get<0>(read))
            break;
        if (!open)
            continue;
        if (&open == &answers_ && delay_ != 0) {
            const std::chrono::milliseconds by(delay_);
            asio::steady_timer late(io_, by); // lint: allow real time
            co_await late.async_wait(quietly);
        }
        const auto written = co_await asio::async_write(
            *to, asio::buffer(buffer.data(), std::get<1>(read)), quietly);
        if (std::get<0>(written))
            break;
    }
    boost::system::error_code ignored;
    from->close(ignored);
    to->close(ignored);
    sockets_.erase(from);
    sockets_.erase(to);
}

} // namespace lifeguard::test
