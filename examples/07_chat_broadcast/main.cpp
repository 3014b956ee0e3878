// A chat server: a line that a client sends goes to all of them. Every connection is a child of a
// supervisor of its own, so it may crash, and has a bounded queue, so it may be slow. Try it:
//
//   07_chat_broadcast --port 7007 &
//   nc localhost 7007                  (twice, and say /crash in one of them)

#include "chat_server.hpp"
#include "common/claims.hpp"
#include "self_test.hpp"
#include <lifeguard/lifeguard.hpp>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <charconv>
#include <stdexcept>
#include <string_view>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage =
    "usage: 07_chat_broadcast [--port N]                       serve (0, any free port), until ^C\n"
    "       07_chat_broadcast --self-test [--fault KIND]       play some clients\n"
    "  --fault crash-spreads   a crash of one connection ends all\n"
    "  --fault unbounded       any number of lines may wait for a slow reader\n";

struct settings {
    chat_options chat;
    bool help = false;
    bool self_test = false;
};

/// Throws std::invalid_argument, saying what is wrong.
settings parse_arguments(int argc, char** argv) {
    settings s;
    bool faulty = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
        if (option == "--help") {
            s.help = true;
        } else if (option == "--self-test") {
            s.self_test = true;
        } else if (option == "--port") {
            const auto read =
                std::from_chars(value.data(), value.data() + value.size(), s.chat.port);
            if (read.ec != std::errc() || read.ptr != value.data() + value.size())
                throw std::invalid_argument("--port must be 0 to 65535");
            ++i;
        } else if (option == "--fault") {
            faulty = true;
            s.chat.crash_spreads = value == "crash-spreads";
            if (value == "unbounded")
                s.chat.queue_max = 1'000'000;
            else if (value != "crash-spreads")
                throw std::invalid_argument("--fault must be crash-spreads or unbounded");
            ++i;
        } else {
            throw std::invalid_argument("unknown option " + std::string(option));
        }
    }
    if (faulty && !s.self_test)
        throw std::invalid_argument("--fault is for --self-test");
    return s;
}

int serve(const chat_options& options) {
    asio::io_context io(1);
    chat_server server(io, options);
    std::cout << "listening on 127.0.0.1:" << server.port() << std::endl;
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code, int) { server.stop(); });
    asio::co_spawn(io, server.run(), [&](const std::exception_ptr& e) {
        signals.cancel();
        lifeguard::rethrow(e);
    });
    io.run();
    for (const std::string& crash : server.crashes())
        std::cout << "crashed: " << crash << '\n';
    std::cout << "stopped" << std::endl;
    return 0;
}

int test(const chat_options& options) {
    asio::io_context io(1);
    chat_server server(io, options);
    claims account;
    asio::steady_timer patience(io, 30s); // a line that never comes is a claim that fails
    patience.async_wait([&](boost::system::error_code cancelled) {
        if (cancelled)
            return;
        account.check(false, "it came to its end within 30 s");
        io.stop();
    });
    asio::co_spawn(io, server.run(), lifeguard::rethrow);
    asio::co_spawn(io, self_test(server, account), [&](const std::exception_ptr& e) {
        patience.cancel();
        lifeguard::rethrow(e);
    });
    io.run();
    return account.conclude("07_chat_broadcast");
}

} // namespace

int main(int argc, char** argv) {
    settings s;
    try {
        s = parse_arguments(argc, argv);
    } catch (const std::invalid_argument& e) {
        std::cerr << "07_chat_broadcast: " << e.what() << '\n' << usage;
        return 2;
    }
    try {
        if (s.help) {
            std::cout << usage;
            return 0;
        }
        return s.self_test ? test(s.chat) : serve(s.chat);
    } catch (const std::exception& e) {
        std::cerr << "07_chat_broadcast: " << e.what() << '\n';
        return 1;
    }
}
