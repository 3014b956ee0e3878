#include "self_test.hpp"

#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <charconv>
#include <iostream>
#include <stdexcept>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr unsigned lines = 1000; // that ann says while the slow one sleeps
const std::string chatter(200, '.');

class chat_client {
  public:
    explicit chat_client(const asio::any_io_executor& executor) : socket_(executor) {}

    asio::awaitable<void> enter(unsigned short port, std::string name) {
        name_ = std::move(name);
        co_await socket_.async_connect({asio::ip::address_v4::loopback(), port},
                                       asio::use_awaitable);
        socket_.set_option(tcp::no_delay(true));
        co_await say("/nick " + name_);
    }
    /// Hardly anything is kept in the kernel for it. Before it enters.
    void read_slowly() {
        socket_.open(tcp::v4());
        socket_.set_option(tcp::socket::receive_buffer_size(4096));
    }

    asio::awaitable<void> say(std::string line) {
        line += '\n';
        co_await asio::async_write(socket_, asio::buffer(line), asio::use_awaitable);
    }

    /// The next line. Errors: std::runtime_error when the server has hung up.
    asio::awaitable<std::string> hear() {
        try {
            const std::size_t size = co_await asio::async_read_until(
                socket_, asio::dynamic_buffer(buffer_), '\n', asio::use_awaitable);
            std::string line = buffer_.substr(0, size - 1);
            buffer_.erase(0, size);
            co_return line;
        } catch (const boost::system::system_error& e) {
            throw std::runtime_error(name_ + " hears no more: " + e.code().message());
        }
    }

    /// Listens until somebody says `expected`. Answers how many other lines were heard before.
    asio::awaitable<unsigned> hear(std::string expected) {
        for (unsigned others = 0;; ++others)
            if (co_await hear() == expected) {
                co_return others;
            }
    }

    /// Whether the server hangs up, whatever it says before.
    asio::awaitable<bool> hears_the_end() {
        try {
            for (;;)
                co_await hear();
        } catch (const std::runtime_error&) {
            co_return true;
        }
    }

  private:
    std::string name_;
    tcp::socket socket_;
    std::string buffer_;
};

std::string numbered(unsigned n) { return "line " + std::to_string(n) + ' ' + chatter; }

/// The number in `line` behind `prefix`; 0 when it does not begin so.
unsigned number_behind(std::string_view prefix, const std::string& line) {
    unsigned n = 0;
    if (line.starts_with(prefix))
        std::from_chars(line.data() + prefix.size(), line.data() + line.size(), n);
    return n;
}

asio::awaitable<void> show_a_crash(chat_server& server, chat_client& ann, chat_client& bob,
                                   claims& account) {
    chat_client carl(co_await asio::this_coro::executor);
    co_await carl.enter(server.port(), "carl");
    co_await ann.hear("* guest-3 is carl now");
    std::cout << "with carl:\n" << co_await server.tree() << '\n';
    co_await carl.say("/crash");
    const bool ended = co_await carl.hears_the_end();
    co_await ann.hear("* carl crashed");
    co_await ann.say("poor carl");
    co_await bob.hear("<ann> poor carl");
    std::cout << "without:\n" << co_await server.tree() << '\n';
    account.check(ended && server.crashes() ==
                               std::vector<std::string>{"connection/3: error(carl asked for it)"},
                  "carl's connection crashed, and the supervisor heard why");
    account.check(true, "ann and bob went on talking");
}

asio::awaitable<void> show_a_slow_reader(chat_server& server, chat_client& ann, chat_client& bob,
                                         claims& account) {
    chat_client sleepy(co_await asio::this_coro::executor);
    sleepy.read_slowly();
    co_await sleepy.enter(server.port(), "sleepy");
    co_await ann.hear("* guest-4 is sleepy now");
    co_await bob.hear("* guest-4 is sleepy now");

    unsigned others = 0; // than the line that was just said: bob missed none when there are none
    for (unsigned n = 1; n <= lines; ++n) {
        co_await ann.say(numbered(n));
        others += co_await ann.hear("<ann> " + numbered(n));
        others += co_await bob.hear("<ann> " + numbered(n));
    }
    account.check(others == 0, "ann said 1000 lines while sleepy read nothing, and bob heard each "
                               "before she said the next");

    unsigned heard = 0;
    unsigned missed = 0;
    unsigned last = 0;
    bool in_order = true;
    while (last != lines) {
        const std::string line = co_await sleepy.hear();
        missed += number_behind("* you missed ", line);
        if (const unsigned n = number_behind("<ann> line ", line)) {
            in_order = in_order && n > last;
            last = n;
            ++heard;
        }
    }
    account.check(missed != 0 && in_order && heard + missed == lines,
                  "sleepy then heard " + std::to_string(heard) + " of them, and was told that it " +
                      "had missed " + std::to_string(missed));
}

asio::awaitable<void> show_the_history(chat_server& server, chat_client& ann, claims& account) {
    co_await ann.hear("* sleepy left");
    chat_client dora(co_await asio::this_coro::executor);
    co_await dora.enter(server.port(), "dora");
    co_await dora.hear("* welcome. /nick NAME, /quit, /crash");
    bool right = true;
    for (unsigned n = lines - 18; n <= lines; ++n) {
        const std::string line = co_await dora.hear();
        right = right && line == "<ann> " + numbered(n);
    }
    const std::string twentieth = co_await dora.hear();
    const std::string next = co_await dora.hear();
    account.check(
        right && twentieth == "* sleepy left" && next == "* guest-5 is here",
        "dora, who came last, was shown the last 20 lines in order, and then what is new");
}

} // namespace

asio::awaitable<void> self_test(chat_server& server, claims& account) {
    const auto executor = co_await asio::this_coro::executor;
    chat_client ann(executor);
    chat_client bob(executor);
    try {
        co_await ann.enter(server.port(), "ann");
        co_await ann.hear("* guest-1 is ann now");
        co_await bob.enter(server.port(), "bob");
        co_await ann.hear("* guest-2 is bob now");
        co_await bob.hear("* guest-2 is bob now");
        co_await bob.say("hello");
        co_await ann.hear("<bob> hello");
        account.check(true, "ann heard what bob said");

        co_await show_a_crash(server, ann, bob, account);
        co_await show_a_slow_reader(server, ann, bob, account);
        co_await show_the_history(server, ann, account);
    } catch (const std::runtime_error& e) {
        account.check(false, e.what());
    }
    server.stop();
    account.check(co_await ann.hears_the_end(), "the server stopped, and hung up on who was left");
}
