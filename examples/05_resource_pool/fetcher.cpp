#include "fetcher.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http.hpp>

#include <stdexcept>

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

asio::awaitable<std::unique_ptr<fetcher>> fetcher::connect(unsigned number, tcp::endpoint server) {
    tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(server, asio::use_awaitable);
    co_return std::unique_ptr<fetcher>(new fetcher(number, std::move(socket)));
}

asio::awaitable<std::string> fetcher::get(std::string path) {
    try {
        co_return co_await ask(std::move(path));
    } catch (...) {
        boost::system::error_code ignored;
        socket_.close(ignored);
        throw;
    }
}

asio::awaitable<std::string> fetcher::ask(std::string path) {
    http::request<http::empty_body> request(http::verb::get, path, 11);
    request.set(http::field::host, "localhost");
    co_await http::async_write(socket_, request, asio::use_awaitable);

    http::response<http::string_body> response;
    co_await http::async_read(socket_, buffer_, response, asio::use_awaitable);
    if (response.result() != http::status::ok)
        throw std::runtime_error(path + ": " + std::string(response.reason()));
    co_return std::move(response.body());
}
