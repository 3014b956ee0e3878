// A tree of supervisors, as worker pools are built in Erlang, and what becomes of it when parts are
// killed: first a worker, then ever larger branches, at last the top. Watch the incarnations: what
// was killed comes back, what stands beside it does not notice.

#include "common/claims.hpp"
#include "common/pause.hpp"
#include "house.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <unistd.h>

#include <string_view>

using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage =
    "usage: 04_supervision_tree [--fast] [--fault no-restart]\n"
    "  --fast               do not wait between the steps (so it is when nobody watches)\n"
    "  --fault no-restart   nothing is restarted, to see the claims fail\n";

/// One act of the demo: whom to kill, and what has to start again because of it.
struct kill {
    std::string who;
    std::vector<std::string> restarted; ///< whole branches
    std::string why;
};

std::vector<kill> kills() {
    return {
        {"pools/a/workers/2", {"pools/a/workers/2"}, "a worker is alone"},
        {"pools/a/workers",
         {"pools/a/server", "pools/a/workers"},
         "a pool's server and its workers live and die together: one_for_all"},
        {"pools/b", {"pools/b"}, "pools are strangers: one_for_one"},
        {"pools", {"pools", "server"}, "the server comes after the pools: rest_for_one"},
        {"server", {"server"}, "and nobody comes after the server"},
    };
}

class demo {
  public:
    demo(asio::io_context& io, bool restarts, std::chrono::milliseconds pace)
        : house_(io.get_executor(), restarts), pace_(pace) {}

    asio::awaitable<void> run() {
        asio::co_spawn(
            co_await asio::this_coro::executor, house_.top().run(),
            asio::bind_cancellation_slot(top_killed_.slot(),
                                         [this](const std::exception_ptr&) { top_ended_ = true; }));
        const auto started = [this] { return house_.all_are_there(); };
        co_await until(started);
        account_.check(started(), "everybody has started");
        for (const kill& k : kills())
            if (!co_await play(k))
                break;
        co_await kill_top();
    }

    int conclude() const { return account_.conclude("04_supervision_tree"); }

  private:
    asio::awaitable<void> show(std::string title) {
        std::cout << '\n' << title << "\n\n" << co_await house_.top().tree() << std::endl;
        co_await pause_for(pace_);
    }

    asio::awaitable<bool> play(const kill& k) {
        co_await show("before " + k.who + " is killed");
        const auto before = house_.starts();
        co_await house_.kill(k.who);
        const auto healed = [&] {
            return house_.all_are_there() &&
                   house_.restarted_since(before) == house_.below(k.restarted);
        };
        co_await until(healed);
        co_await pause_for(20ms); // for what should not happen
        co_await show("after");
        account_.check(house_.all_are_there(), k.who + " was killed, and everybody is there");
        account_.check(house_.restarted_since(before) == house_.below(k.restarted),
                       "what was restarted: " + k.why);
        co_return healed();
    }

    /// Nobody is above the top, so nobody brings it back; but nothing of it stays behind.
    asio::awaitable<void> kill_top() {
        co_await show("before the top is killed");
        top_killed_.emit(asio::cancellation_type::terminal);
        const auto ended = [this] { return top_ended_; };
        co_await until(ended);
        account_.check(top_ended_ && house_.present() == 0, "the top was killed, and all are gone");
        account_.check(house_.top().figures().abandoned_live == 0, "no coroutine is left behind");
    }

    house house_;
    const std::chrono::milliseconds pace_;
    asio::cancellation_signal top_killed_;
    bool top_ended_ = false;
    claims account_;
};

} // namespace

int main(int argc, char** argv) {
    bool restarts = true;
    auto pace = isatty(STDOUT_FILENO) != 0 ? 1000ms : 0ms;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--help") {
            std::cout << usage;
            return 0;
        }
        if (option == "--fast") {
            pace = 0ms;
        } else if (option == "--fault" && i + 1 < argc &&
                   std::string_view(argv[i + 1]) == "no-restart") {
            restarts = false;
            ++i;
        } else {
            std::cerr << "04_supervision_tree: cannot make sense of " << option << '\n' << usage;
            return 2;
        }
    }
    asio::io_context io(1);
    demo show(io, restarts, pace);
    asio::co_spawn(io, show.run(), [](const std::exception_ptr& e) {
        if (e)
            std::rethrow_exception(e);
    });
    try {
        io.run();
    } catch (const std::exception& e) {
        std::cerr << "04_supervision_tree: " << e.what() << '\n';
        return 1;
    }
    return show.conclude();
}
