#include "http_submit/servers.hpp"

#include <lifeguard/engine.hpp>
#include <lifeguard/http_server.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/sqlite_store.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <thread>

namespace bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

// As long as what the subject answers.
constexpr const char* floor_answer =
    R"({"id":"0190a6f2-8c5e-7b3a-9f00-1234567890ab","state":"available","conflict":false})";

asio::awaitable<void> floor_connection(tcp::socket socket) {
    beast::flat_buffer buffer;
    boost::system::error_code failed;
    auto token = asio::redirect_error(asio::use_awaitable, failed);
    for (;;) {
        http::request<http::string_body> request;
        co_await http::async_read(socket, buffer, request, token);
        if (failed)
            co_return;
        const lifeguard::json job = lifeguard::json::parse(request.body());
        const bool good = job.is_array() ? !job.empty() : job.contains("kind");
        http::response<http::string_body> out(
            good ? http::status::created : http::status::bad_request, 11);
        out.keep_alive(request.keep_alive());
        out.set(http::field::content_type, "application/json");
        out.body() = floor_answer;
        out.prepare_payload();
        co_await http::async_write(socket, out, token);
        if (failed)
            co_return;
    }
}

class floor_server_ final : public server {
  public:
    floor_server_() {
        asio::co_spawn(io_, accept(), asio::detached);
        thread_ = std::jthread([this] { io_.run(); });
    }
    ~floor_server_() override { io_.stop(); }

    unsigned short port() const override { return acceptor_.local_endpoint().port(); }
    std::uint64_t stored() const override { return 0; }

  private:
    asio::awaitable<void> accept() {
        for (;;) {
            tcp::socket s = co_await acceptor_.async_accept(asio::use_awaitable);
            s.set_option(tcp::no_delay(true));
            asio::co_spawn(io_, floor_connection(std::move(s)), asio::detached);
        }
    }

    asio::io_context io_{1};
    tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
    std::jthread thread_;
};

lifeguard::engine_options engine_options_of(const std::string& path) {
    lifeguard::engine_options o;
    o.log = lifeguard::stderr_log(lifeguard::log_level::error);
    if (!path.empty()) {
        lifeguard::sqlite_store_options s;
        s.path = path;
        o.make_store = [s] { return lifeguard::sqlite_store(s); };
    }
    return o;
}

lifeguard::http_options http_options_() {
    lifeguard::http_options o;
    o.port = 0;
    o.connections_max = 12'000;
    return o;
}

class lifeguard_server_ final : public server {
  public:
    explicit lifeguard_server_(const std::string& path)
        : engine_(io_.get_executor(), engine_options_of(path)),
          http_(io_.get_executor(), engine_, http_options_()) {
        asio::co_spawn(io_, engine_.run(), lifeguard::rethrow);
        asio::co_spawn(io_, start(), lifeguard::rethrow);
        thread_ = std::jthread([this] { io_.run(); });
    }
    ~lifeguard_server_() override { engine_.request_stop(); }

    unsigned short port() const override { return http_.port(); }
    std::uint64_t stored() const override {
        return static_cast<std::uint64_t>(
            engine_.metrics_value("lifeguard_jobs_pushed_total").value_or(0));
    }

  private:
    asio::awaitable<void> start() {
        lifeguard::supervisor root = engine_.root();
        auto child = http_.spec();
        co_await root.start_child(std::move(child));
    }

    asio::io_context io_{1};
    lifeguard::engine engine_;
    lifeguard::http_server http_;
    std::jthread thread_;
};

} // namespace

std::unique_ptr<server> floor_server() { return std::make_unique<floor_server_>(); }

std::unique_ptr<server> lifeguard_server(const std::string& path) {
    return std::make_unique<lifeguard_server_>(path);
}

} // namespace bench
