// Jobs over TCP, a line each. Try it:
//
//   02_embed_in_server 7070 &
//   printf '{"kind":"double","payload":{"n":21}}\n{"kind":"double","prio":1}\n' | nc -N localhost
//   7070

#include "self_test.hpp"
#include "server.hpp"
#include <lifeguard/log.hpp>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <charconv>
#include <cstring>
#include <iostream>
#include <optional>

namespace asio = boost::asio;
using lifeguard::json;
using namespace std::chrono_literals;

namespace {

asio::awaitable<json> twice(lifeguard::job_context& job) {
    const std::int64_t n = job.payload().at("n");
    co_return 2 * n;
}

/// Takes its time, as a query of a database would: other jobs run meanwhile.
asio::awaitable<json> sleep_for_ms(lifeguard::job_context& job) {
    const int ms = job.payload().at("ms");
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(ms));
    co_await timer.async_wait(asio::use_awaitable);
    co_return ms;
}

lifeguard::engine_options make_options() {
    lifeguard::engine_options options;
    options.queue.strict_kinds = true; // a job that nobody here can run is refused at once
    lifeguard::worker_pool_options& requests = options.pools.emplace_back();
    requests.name = "requests";
    requests.size = 4;
    requests.concurrency = 64; // 4 workers with 64 lanes each: so many jobs at a time
    // A breaker protects what the jobs use. Here jobs fail because their clients are wrong, and no
    // client is to shut out the others.
    requests.breaker.threshold = 1'000'000;
    requests.checkout_wait = 10s;
    // Failures are told to the client; the log need not have them.
    options.log = lifeguard::stderr_log(lifeguard::log_level::error);
    return options;
}

asio::awaitable<void> serve_until_signal(server& s, lifeguard::engine& engine) {
    asio::signal_set signals(co_await asio::this_coro::executor, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code cancelled, int) {
        if (!cancelled)
            s.stop(10s);
    });
    co_await s.run();       // until the last connection has gone
    co_await engine.stop(); // and only then the workers
}

template <typename Number>
std::optional<Number> number(const char* text) {
    Number n = 0;
    const char* const end = text + std::strlen(text);
    const auto read = std::from_chars(text, end, n);
    return read.ec == std::errc() && read.ptr == end ? std::optional(n) : std::nullopt;
}

} // namespace

int main(int argc, char** argv) {
    std::optional<unsigned short> port;
    std::optional<unsigned> tested;
    if (argc >= 2 && std::strcmp(argv[1], "--self-test") == 0)
        tested = argc == 2 ? 2000 : number<unsigned>(argv[2]);
    else if (argc == 2)
        port = number<unsigned short>(argv[1]);
    if (!port && !tested) {
        std::cerr << "usage: 02_embed_in_server PORT             (0: any free one)\n"
                     "       02_embed_in_server --self-test [N]  (with N connections, 2000)\n";
        return 2;
    }
    try {
        asio::io_context io(1);
        lifeguard::engine engine(io.get_executor(), make_options());
        engine.handle("double", twice);
        engine.handle("sleep", sleep_for_ms);

        server s(io, port.value_or(0), engine.pool("requests"));
        std::cout << "listening on 127.0.0.1:" << s.port() << std::endl;
        asio::co_spawn(io, engine.run(), lifeguard::rethrow);
        asio::co_spawn(io, serve_until_signal(s, engine), lifeguard::rethrow);

        bool passed = true;
        if (tested)
            asio::co_spawn(io, self_test(s, *tested, passed), lifeguard::rethrow);
        io.run();
        std::cout << "stopped" << std::endl;
        return passed ? 0 : 1;
    } catch (const std::exception& e) {
        std::cerr << "02_embed_in_server: " << e.what() << '\n';
        return 1;
    }
}
