#include "self_test.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <sys/resource.h>

#include <csignal>
#include <iostream>
#include <stdexcept>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;
using lifeguard::json;

namespace {

struct tally {
    std::size_t results = 0;
    std::size_t errors = 0; ///< answered as they should be
    std::size_t dropped = 0;
    std::size_t wrong = 0;
    std::size_t open = 0; ///< clients that are not done
};

struct exchange {
    std::string line;
    json expected; ///< the whole answer, or of an error: code, member and position where given
};

/// What client `n` says. Every tenth breaks off in the middle of a line, every tenth ends with a
/// line that is too long, and every line in five is wrong in one way or another.
std::vector<exchange> script(unsigned n) {
    std::vector<exchange> lines;
    const auto good = [&](int value) {
        json job = {{"kind", "double"}, {"payload", {{"n", value}}}};
        lines.push_back({job.dump(), {{"result", 2 * value}}});
    };
    const auto bad = [&](std::string line, json error) {
        lines.push_back({std::move(line), {{"error", std::move(error)}}});
    };
    good(static_cast<int>(n));
    switch (n % 5) {
    case 0:
        bad(R"({"kind":"double","payload":{"n":1})",
            {{"code", "malformed_json"}, {"position", 34}});
        break;
    case 1:
        bad(R"({"kind":"double","prio":1})",
            {{"code", "invalid_job"}, {"member", "prio"}, {"position", 24}});
        break;
    case 2:
        bad(R"({"kind":"double","payload":{"n":"one"}})", {{"code", "job_failed"}}); // it throws
        break;
    case 3:
        bad(R"({"kind":"frobnicate"})", {{"code", "unknown_kind"}});
        break;
    default:
        lines.push_back({R"({"kind":"sleep","payload":{"ms":5}})", {{"result", 5}}});
        break;
    }
    good(-static_cast<int>(n));
    if (n % 10 == 9)
        bad(std::string(2 * server::line_max, 'x'), {{"code", "line_too_long"}});
    return lines;
}

bool matches(const json& answer, const json& expected) {
    if (!expected.contains("error"))
        return answer == expected;
    if (!answer.contains("error"))
        return false;
    for (const auto& [member, value] : expected["error"].items())
        if (answer["error"].value(member, json()) != value)
            return false;
    return answer["error"].contains("message");
}

asio::awaitable<void> talk(tcp::socket& socket, unsigned n, tally& t) {
    std::string buffer;
    for (const exchange& e : script(n)) {
        const std::string line = e.line + '\n';
        co_await asio::async_write(socket, asio::buffer(line), asio::use_awaitable);
        const std::size_t size = co_await asio::async_read_until(
            socket, asio::dynamic_buffer(buffer), '\n', asio::use_awaitable);
        const json answer = json::parse(buffer.substr(0, size));
        buffer.erase(0, size);
        if (matches(answer, e.expected)) {
            ++(e.expected.contains("error") ? t.errors : t.results);
        } else {
            ++t.wrong;
            std::cerr << "sent " << e.line << "\n  expected " << e.expected << "\n  got " << answer
                      << '\n';
        }
    }
    if (n % 10 == 4) {
        const std::string half = R"({"kind":"double","payl)";
        co_await asio::async_write(socket, asio::buffer(half), asio::use_awaitable);
        socket.close();
        ++t.dropped;
    }
}

/// A socket for each end of each connection, and a few for everything else.
void raise_descriptor_limit(unsigned connections) {
    rlimit limit = {};
    const rlim_t wanted = rlim_t{2} * connections + 64;
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::max(limit.rlim_cur, std::min(wanted, limit.rlim_max));
    ::setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        throw std::runtime_error(std::to_string(connections) + " connections need " +
                                 std::to_string(wanted) + " file descriptors; the limit is " +
                                 std::to_string(limit.rlim_cur) + " (ulimit -Hn)");
}

} // namespace

asio::awaitable<void> self_test(server& tested, unsigned connections, bool& passed) {
    passed = false;
    raise_descriptor_limit(connections);
    const auto executor = co_await asio::this_coro::executor;
    const tcp::endpoint address(asio::ip::address_v4::loopback(), tested.port());

    std::vector<tcp::socket> clients;
    for (unsigned n = 0; n < connections; ++n) {
        clients.emplace_back(executor);
        co_await clients.back().async_connect(address, asio::use_awaitable);
    }
    asio::steady_timer pause(executor);
    while (tested.connections() < connections) {
        pause.expires_after(std::chrono::milliseconds(1));
        co_await pause.async_wait(asio::use_awaitable);
    }

    tally t;
    asio::steady_timer done(executor, std::chrono::seconds(60));
    t.open = connections;
    for (unsigned n = 0; n < connections; ++n)
        asio::co_spawn(executor, talk(clients[n], n, t), [&](std::exception_ptr e) {
            t.wrong += e ? 1 : 0;
            if (--t.open == 0)
                done.cancel();
        });
    if (connections != 0)
        co_await done.async_wait(asio::as_tuple(asio::use_awaitable));

    std::size_t results = 0;
    std::size_t errors = 0;
    for (unsigned n = 0; n < connections; ++n)
        for (const exchange& e : script(n))
            ++(e.expected.contains("error") ? errors : results);
    passed = t.open == 0 && t.wrong == 0 && t.results == results && t.errors == errors;
    std::cout << "self-test: " << connections << " connections at once, " << t.results << " of "
              << results << " jobs answered, " << t.errors << " of " << errors
              << " bad lines refused, " << t.dropped << " connections broken off, " << t.wrong
              << " wrong" << std::endl;
    if (t.open != 0)
        throw std::runtime_error("clients still wait for answers");
    std::raise(SIGTERM);
    while (tested.connections() != 0) { // it is the server that hangs up
        pause.expires_after(std::chrono::milliseconds(1));
        co_await pause.async_wait(asio::use_awaitable);
    }
}
