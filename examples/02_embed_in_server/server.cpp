#include "server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <iostream>

namespace asio = boost::asio;
using lifeguard::json;

namespace {

/// Completes with a tuple of the error code and the result, and throws nothing.
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

json error_object(std::string_view code, const std::string& message) {
    return {{"error", {{"code", code}, {"message", message}}}};
}

/// Handlers throw anything; clients are told a code of ours where there is one.
json error_object(const std::exception& e) {
    const auto* coded = dynamic_cast<const boost::system::system_error*>(&e);
    if (coded != nullptr && coded->code().category() == lifeguard::lifeguard_category())
        return error_object(name_of(static_cast<lifeguard::errc>(coded->code().value())), e.what());
    return error_object(name_of(lifeguard::errc::job_failed), e.what());
}

/// One line, whatever is in it: what a client has sent may come back in a message.
std::string to_line(const json& object) {
    return object.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

} // namespace

server::server(asio::io_context& io, unsigned short port, lifeguard::worker_pool pool)
    : io_(io),
      acceptor_(io, {asio::ip::address_v4::loopback(), port}),
      deadline_(io),
      gone_(io, asio::steady_timer::time_point::max()),
      pool_(std::move(pool)) {}

asio::awaitable<void> server::run() {
    while (!stopping_) {
        auto accepted = co_await acceptor_.async_accept(no_throw);
        if (std::get<0>(accepted) && !stopping_) { // out of descriptors, for example: not at once
            asio::steady_timer pause(io_, std::chrono::milliseconds(100));
            co_await pause.async_wait(no_throw);
        }
        if (std::get<0>(accepted) || stopping_ || connections_.size() == connections_max)
            continue; // a connection too many is closed here, with `accepted`

        const auto client =
            connections_.insert(connections_.end(), std::move(std::get<1>(accepted)));
        asio::co_spawn(io_, serve(*client), [this, client](std::exception_ptr e) {
            connections_.erase(client);
            if (connections_.empty())
                gone_.cancel();
            if (e) // our bug, not the client's; and still no reason to end the others
                std::cerr << "a connection ended by an exception\n";
        });
    }
    if (!connections_.empty())
        co_await gone_.async_wait(no_throw);
    deadline_.cancel();
}

void server::stop(std::chrono::seconds patience) {
    stopping_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    // Idle clients see the end of file now; the others first get their answer.
    for (socket& client : connections_)
        client.shutdown(socket::shutdown_receive, ignored);
    deadline_.expires_after(patience);
    deadline_.async_wait([this](boost::system::error_code cancelled) {
        if (!cancelled)
            for (socket& client : connections_)
                client.close();
    });
}

asio::awaitable<void> server::serve(socket& client) {
    std::string buffer;
    for (;;) {
        const auto read = co_await asio::async_read_until(
            client, asio::dynamic_buffer(buffer, line_max), '\n', no_throw);
        std::string reply;
        if (!std::get<0>(read)) {
            std::string line = buffer.substr(0, std::get<1>(read) - 1);
            buffer.erase(0, std::get<1>(read));
            reply = co_await answer(std::move(line));
        } else if (std::get<0>(read) == asio::error::not_found) {
            reply = to_line(error_object("line_too_long", "a line has " + std::to_string(line_max) +
                                                              " bytes at most"));
        } else {
            co_return; // it has gone, perhaps in the middle of a line
        }
        const auto written = co_await asio::async_write(client, asio::buffer(reply), no_throw);
        // Where the next line begins after one that is too long, nobody knows: the end.
        if (std::get<0>(written) || std::get<0>(read))
            co_return;
    }
}

asio::awaitable<std::string> server::answer(std::string line) {
    auto job = lifeguard::parse_job(line);
    if (!job) {
        const lifeguard::job_parse_error& e = job.error();
        json object =
            error_object(name_of(static_cast<lifeguard::errc>(e.code.value())), e.message);
        object["error"]["member"] = e.member;
        object["error"]["position"] = e.position;
        co_return to_line(object);
    }
    try {
        const json result = co_await pool_.execute(std::move(*job));
        const json object = {{"result", result}};
        co_return to_line(object);
    } catch (const std::exception& e) {
        co_return to_line(error_object(e));
    }
}
