#include "chat_server.hpp"

#include "connection.hpp"

#include <boost/asio/use_awaitable.hpp>

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

chat_server::chat_server(asio::io_context& io, const chat_options& options)
    : options_(options),
      room_(options.history_max, options.queue_max),
      acceptor_(io, {asio::ip::address_v4::loopback(), options.port}) {
    std::vector<lifeguard::child_spec> children;
    children.emplace_back("connections", [this](const lifeguard::child_context& context) {
        return make_connections(context);
    });
    children.back().type = lifeguard::child_type::supervisor;
    children.emplace_back("listener", [this] { return accept(); });

    lifeguard::supervisor_options chat;
    chat.name = "chat";
    chat.strategy = lifeguard::strategy::rest_for_one;
    // The listener fails while there are no file descriptors left, say. Then it tries again.
    chat.restart_delay = lifeguard::backoff{.offset = 100ms, .base = 0ms};
    chat.intensity = 100;
    chat_.emplace(io.get_executor(), std::move(chat), std::move(children));
}

lifeguard::supervisor chat_server::make_connections(const lifeguard::child_context& context) {
    lifeguard::child_spec connection("connection", [this](const lifeguard::child_context& child,
                                                          const std::any& socket) {
        return serve_client(std::any_cast<std::shared_ptr<tcp::socket>>(socket), room_, child.id());
    });
    // One that crashed is not started again: its client has gone.
    connection.restart = options_.crash_spreads ? lifeguard::restart_type::permanent
                                                : lifeguard::restart_type::temporary;
    // It has nothing to finish, so it need not be asked first.
    connection.shutdown = lifeguard::shutdown_policy::brutal();

    lifeguard::supervisor_options options;
    options.name = "connections";
    options.strategy = lifeguard::strategy::simple_one_for_one;
    options.intensity = 0;
    connections_.emplace(context.executor(), std::move(options), std::vector{connection});
    watch_ = connections_->subscribe([this](const lifeguard::supervisor_event& event) {
        if (event.what == lifeguard::supervisor_event::kind::child_exited &&
            event.reason.what == lifeguard::exit_reason::kind::error)
            crashes_.push_back(event.child + ": " + to_string(event.reason));
    });
    return *connections_;
}

asio::awaitable<void> chat_server::accept() {
    for (;;) {
        const auto socket =
            std::make_shared<tcp::socket>(co_await acceptor_.async_accept(asio::use_awaitable));
        // Little is kept in the kernel for a client that does not read: what waits is to wait where
        // it is counted.
        socket->set_option(tcp::socket::send_buffer_size(16 * 1024));
        socket->set_option(tcp::no_delay(true));
        const auto counts = co_await connections_->count_children();
        if (counts.active < connections_max) // one too many is closed here
            co_await connections_->start_child(std::any(socket));
    }
}
