#include <lifeguard/http_server.hpp>

#include "base/executors.hpp"
#include "base/saturate.hpp"
#include "base/time_limit.hpp"
#include "http/connection.hpp"
#include "queue/queue_core.hpp"
#include <lifeguard/log.hpp>
#include <lifeguard/supervisor.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sstream>

namespace lifeguard {

namespace web = detail::web;
using asio::ip::tcp;

namespace {

void check(const http_options& o, bool loopback) {
    const auto wrong = [](const char* field, const char* rule) {
        throw error(errc::invalid_option, std::string("http_options.") + field + ": " + rule);
    };
    if (!loopback && o.token.empty())
        wrong("token", "must be set to listen on an address that is not loopback");
    if (o.line_max == 0 || o.line_max > o.header_max)
        wrong("line_max", "must be 1 to header_max");
    if (o.header_max < 512 || o.header_max > (1U << 24U))
        wrong("header_max", "must be 512 to 16 MiB");
    if (o.fields_max == 0)
        wrong("fields_max", "must be at least 1");
    if (o.body_max == 0 || o.body_max > (std::size_t{1} << 32U))
        wrong("body_max", "must be 1 to 4 GiB");
    if (o.header_wait <= duration::zero())
        wrong("header_wait", "must be more than zero");
    if (o.body_wait <= duration::zero())
        wrong("body_wait", "must be more than zero");
    if (o.idle_wait <= duration::zero())
        wrong("idle_wait", "must be more than zero");
    if (o.connections_max == 0)
        wrong("connections_max", "must be at least 1");
    if (o.events_max == 0)
        wrong("events_max", "must be at least 1");
    if (!(o.rate >= 0))
        wrong("rate", "must not be negative");
    if (!(o.burst >= 1))
        wrong("burst", "must be at least 1");
    if (o.stop_wait < duration::zero())
        wrong("stop_wait", "must not be negative");
}

web::hub_limits limits_of(const http_options& o) {
    web::hub_limits l;
    l.events_max = o.events_max;
    l.streams_max = o.streams_max;
    return l;
}

/// How long the listener pauses when no connection can be accepted.
constexpr duration accept_pause = std::chrono::milliseconds(100);

} // namespace

class http_server::core {
  public:
    core(const asio::any_io_executor& executor, engine served, http_options options)
        : executor_(detail::below_strand(executor)),
          acceptor_(executor_),
          context_(std::make_shared<web::connection_context>(
              web::api(std::move(served),
                       web::access_rules{options.token, options.hosts, options.dashboard},
                       limits_of(options)),
              std::move(options))) {
        const http_options& o = context_->options;
        error_code bad;
        const auto address = asio::ip::make_address(o.address, bad);
        if (bad)
            throw error(errc::invalid_option,
                        "http_options.address: '" + o.address + "' is no address");
        check(o, address.is_loopback());
        const tcp::endpoint at(address, o.port);
        acceptor_.open(at.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address(true));
        acceptor_.bind(at);
        acceptor_.listen();
        at_ = acceptor_.local_endpoint();
    }

    const tcp::endpoint& at() const noexcept { return at_; }
    bool is_encrypted() const noexcept { return context_->tls != nullptr; }
    std::size_t connections() const noexcept { return connections_; }

    supervisor make_supervisor(const std::shared_ptr<core>& self) const {
        const web::api& a = context_->served;
        supervisor_options options;
        options.name = "http";
        options.strategy = strategy::rest_for_one;
        options.time = a.time;
        options.log = a.queue.core()->shared().log;
        std::vector<child_spec> children;
        child_spec connections("connections", [self] { return make_connections(self); });
        connections.type = child_type::supervisor;
        children.push_back(std::move(connections));
        children.emplace_back(
            "samples", [self] { return web::sampler::run(self->context_->served.watch->samples); });
        children.emplace_back("listener",
                              [self](const child_context& child) { return listen(self, child); });
        return supervisor(executor_, std::move(options), std::move(children));
    }

  private:
    using socket_ptr = std::shared_ptr<web::stream>;

    static supervisor make_connections(const std::shared_ptr<core>& self) {
        const web::api& a = self->context_->served;
        supervisor_options options;
        options.name = "connections";
        options.strategy = strategy::simple_one_for_one;
        options.time = a.time;
        options.log = a.queue.core()->shared().log;
        child_spec one("connection", [self](const child_context& child, std::any socket) {
            return serve(self, std::any_cast<socket_ptr>(std::move(socket)), child);
        });
        one.restart = restart_type::temporary;
        one.shutdown = shutdown_policy::after(std::chrono::duration_cast<std::chrono::milliseconds>(
            self->context_->options.stop_wait));
        one.executor = self->executor_;
        std::vector<child_spec> children;
        children.push_back(std::move(one));
        supervisor all(self->executor_, std::move(options), std::move(children));
        self->running_ = all.share();
        return all;
    }

    static asio::awaitable<void> serve(std::shared_ptr<core> self, socket_ptr socket,
                                       child_context child) {
        struct counted {
            std::atomic<std::size_t>& count;
            explicit counted(std::atomic<std::size_t>& c) : count(c) { ++count; }
            ~counted() { --count; }
        } const one(self->connections_);
        co_await web::serve_connection(self->context_, std::move(*socket), std::move(child));
    }

    static asio::awaitable<void> listen(std::shared_ptr<core> self, child_context child) {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        while (!child.stop_requested()) {
            error_code failed;
            auto token = asio::redirect_error(asio::use_awaitable, failed);
            tcp::socket accepted = co_await self->acceptor_.async_accept(self->executor_, token);
            if (failed == asio::error::operation_aborted)
                co_return;
            if (failed) { // out of descriptors, say
                co_await self->pause();
                continue;
            }
            error_code ignored; // it may have gone
            accepted.set_option(tcp::no_delay(true), ignored);
            auto socket = std::make_shared<web::stream>(std::move(accepted));
            const auto running = self->running_.lock();
            if (!running)
                co_return; // they have ended, and this listener will follow
            supervisor connections(running);
            co_await connections.start_child(std::any(std::move(socket)));
            while (self->connections_ >= self->context_->options.connections_max &&
                   !child.stop_requested())
                co_await self->pause(); // more wait in the system's backlog
        }
    }

    asio::awaitable<void> pause() const {
        const web::api& a = context_->served;
        return detail::pause(a.deadlines, detail::later(a.time->now(), accept_pause));
    }

    const asio::any_io_executor executor_;
    tcp::acceptor acceptor_;
    tcp::endpoint at_;
    const std::shared_ptr<const web::connection_context> context_;
    std::weak_ptr<supervisor::shell> running_; // of the connections; its spec owns this
    std::atomic<std::size_t> connections_ = 0;
};

http_server::http_server(asio::any_io_executor executor, engine served, http_options options)
    : core_(std::make_shared<core>(executor, std::move(served), std::move(options))) {}

child_spec http_server::spec() const {
    child_spec s("http", [c = core_] { return c->make_supervisor(c); });
    s.type = child_type::supervisor;
    return s;
}

asio::awaitable<void> http_server::run() { return core_->make_supervisor(core_).run(); }

std::uint16_t http_server::port() const noexcept { return core_->at().port(); }

std::string http_server::url() const {
    std::ostringstream text;
    text << (core_->is_encrypted() ? "https://" : "http://") << core_->at();
    return text.str();
}

std::size_t http_server::connections() const noexcept { return core_->connections(); }

} // namespace lifeguard
