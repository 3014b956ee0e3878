#include "stub_server.hpp"

#include "common/pause.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <iostream>

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

/// Completes with a tuple of the error code and the result, and throws nothing.
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

} // namespace

stub_server::stub_server(asio::io_context& io)
    : io_(io),
      acceptor_(io, {asio::ip::address_v4::loopback(), 0}),
      answers_(io, asio::steady_timer::time_point::max()) {}

void stub_server::answer() { answers_.expires_at(asio::steady_timer::time_point::min()); }

void stub_server::stop() {
    acceptor_.close();
    for (socket& client : connections_)
        client.close();
    answer();
}

asio::awaitable<void> stub_server::run() {
    for (;;) {
        auto accepted = co_await acceptor_.async_accept(no_throw);
        if (std::get<0>(accepted))
            co_return;
        const auto client =
            connections_.insert(connections_.end(), std::move(std::get<1>(accepted)));
        const bool bad_line = !std::exchange(bad_line_in_use_, true);
        asio::co_spawn(io_, serve(*client, bad_line), [=, this](const std::exception_ptr& e) {
            connections_.erase(client);
            if (bad_line)
                bad_line_in_use_ = false;
            if (e)
                std::rethrow_exception(e);
        });
    }
}

asio::awaitable<void> stub_server::serve(socket& client, bool bad_line) {
    boost::beast::flat_buffer buffer;
    for (unsigned requests = 1;; ++requests) {
        http::request<http::empty_body> request;
        const auto read = co_await http::async_read(client, buffer, request, no_throw);
        if (std::get<0>(read))
            co_return; // hung up
        ++unanswered_;
        co_await answers_.async_wait(no_throw);
        co_await pause_for(std::chrono::milliseconds(10)); // it has to look for the page
        --unanswered_;
        if (bad_line && requests == 3) {
            ++cuts_;
            client.set_option(tcp::socket::linger(true, 0)); // a reset, not a goodbye
            client.close();
            co_return;
        }
        http::response<http::string_body> response(http::status::ok, request.version());
        response.body() = page(std::string(request.target()));
        response.prepare_payload();
        const auto written = co_await http::async_write(client, response, no_throw);
        if (std::get<0>(written))
            co_return;
    }
}
