#include "connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <stdexcept>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t line_max = 1024;

/// Completes with a tuple of the error code and the result, and throws nothing.
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

struct client {
    client(std::shared_ptr<tcp::socket> s, chat_room& r, std::string guest)
        : socket(std::move(s)), room(r), seat(r.enter()), name(std::move(guest)) {}

    const std::shared_ptr<tcp::socket> socket;
    chat_room& room;
    chat_room::seat seat;
    std::string name;
};

void obey(client& c, const std::string& command) {
    if (command == "/crash")
        throw std::runtime_error(c.name + " asked for it");
    if (!command.starts_with("/nick ") || command.size() == 6)
        return c.room.say("* " + c.name + " tries " + command + ", which nobody knows");
    const std::string former = std::exchange(c.name, command.substr(6));
    c.room.say("* " + former + " is " + c.name + " now");
}

/// What the client says goes to the room.
asio::awaitable<void> listen(std::shared_ptr<client> c) {
    std::string buffer;
    for (;;) {
        const auto read = co_await asio::async_read_until(
            *c->socket, asio::dynamic_buffer(buffer, line_max), '\n', no_throw);
        if (std::get<0>(read)) // it hung up, or its line is too long
            co_return;
        std::string line = buffer.substr(0, std::get<1>(read) - 1);
        buffer.erase(0, std::get<1>(read));
        if (line.ends_with('\r'))
            line.pop_back();
        if (line == "/quit")
            co_return;
        if (line.starts_with('/'))
            obey(*c, line);
        else
            c->room.say("<" + c->name + "> " + line);
    }
}

/// What is said in the room goes to the client. A client that does not read makes this wait, and
/// nobody else.
asio::awaitable<void> tell(std::shared_ptr<client> c) {
    std::string text = "* welcome. /nick NAME, /quit, /crash\n";
    for (const std::string& line : c->seat.recent)
        text += line + '\n';
    for (std::uint64_t missed = 0;;) {
        const auto written = co_await asio::async_write(*c->socket, asio::buffer(text), no_throw);
        if (std::get<0>(written))
            co_return;
        const auto line = co_await c->seat.lines.next();
        if (!line)
            co_return;
        text = *line + '\n';
        const std::uint64_t dropped = c->seat.lines.dropped();
        if (dropped != missed)
            text.insert(0, "* you missed " + std::to_string(dropped - missed) + " lines\n");
        missed = dropped;
    }
}

} // namespace

asio::awaitable<void> serve_client(std::shared_ptr<tcp::socket> socket, chat_room& room,
                                   std::string id) {
    const std::string guest = "guest-" + id.substr(id.find('/') + 1);
    const auto c = std::make_shared<client>(std::move(socket), room, guest);
    room.say("* " + c->name + " is here");

    // The first of the two that ends ends the other one, and the connection.
    const auto executor = co_await asio::this_coro::executor;
    auto both =
        asio::experimental::make_parallel_group(asio::co_spawn(executor, listen(c), asio::deferred),
                                                asio::co_spawn(executor, tell(c), asio::deferred));
    const auto ended =
        co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const std::exception_ptr failed =
        std::get<0>(ended)[0] == 0 ? std::get<1>(ended) : std::get<2>(ended);

    room.say("* " + c->name + (failed ? " crashed" : " left"));
    if (failed)
        std::rethrow_exception(failed); // to the supervisor
}
