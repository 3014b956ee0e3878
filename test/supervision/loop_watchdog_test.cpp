// Children that hold their thread are found and named (conformance rule M-04, case c).
#include "supervision/puppet.hpp"
#include <lifeguard/loop_watchdog.hpp>

#include <boost/asio/post.hpp>

#include <thread>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(watchdog)

namespace {

/// A watchdog whose own thread sleeps, on the test's clock: the test looks for it.
struct watched {
    explicit watched(test_context& ctx) {
        loop_watchdog_options o;
        o.stall_after = 1h;
        o.time = ctx.time;
        o.on_stall = [notes = notes](const loop_stall& s) {
            notes->add(
                s.supervisor + "/" + s.child + std::to_string(s.incarnation) + " " +
                std::to_string(std::chrono::duration_cast<std::chrono::hours>(s.held).count()) +
                " h");
        };
        dog = std::make_shared<loop_watchdog>(std::move(o));
    }
    std::shared_ptr<journal> notes = std::make_shared<journal>();
    std::shared_ptr<loop_watchdog> dog;
};

supervisor_options with(test_context& ctx, const watched& w) {
    supervisor_options options = flags(ctx);
    options.watchdog = w.dog;
    return options;
}

} // namespace

LIFEGUARD_TEST(child_that_holds_its_thread_is_named_once) {
    const watched w(ctx);
    const puppet quiet("quiet");
    // Time moves on while it computes.
    child_spec busy("busy", [&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        w.dog->look();
        ctx.time->advance(2h);
        w.dog->look();
        w.dog->look();
        co_await forever();
    });
    supervisor sup(ctx.executor(), with(ctx, w), {quiet.spec(), busy});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(w.notes->take() == "top/busy1 2 h");
    quiet.crashes();
    ctx.advance(5h);
    w.dog->look();
    BOOST_TEST(w.notes->take() == ""); // who waits does not hold a thread
    BOOST_TEST(list(ctx, sup) == "quiet running 2, busy running 1");
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(watched_children_may_run_elsewhere_and_be_cancelled) {
    const watched w(ctx);
    child_spec elsewhere("elsewhere", [&]() -> asio::awaitable<void> {
        ctx.time->advance(1h);
        w.dog->look();
        co_await sleep(ctx.time, 10h);
    });
    elsewhere.executor = ctx.executor();
    supervisor sup(ctx.executor(), with(ctx, w), {elsewhere});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(w.notes->take() == "top/elsewhere1 1 h");
    ctx.await(sup.stop());
    BOOST_TEST(heard.take() == "started elsewhere1, exited elsewhere1 shutdown, ended shutdown");
}

// In real time, with the watchdog's own thread.
BOOST_AUTO_TEST_CASE(watchdog_s_own_thread_finds_a_child_that_blocks) {
    asio::io_context io(1);
    std::atomic<bool> found = false;
    loop_watchdog_options o;
    o.stall_after = 5ms;
    o.on_stall = [&](const loop_stall& s) { found = s.child == "blocks" && s.held >= 5ms; };
    supervisor_options options;
    options.watchdog = std::make_shared<loop_watchdog>(std::move(o));
    child_spec blocks("blocks", [&]() -> asio::awaitable<void> {
        while (!found)
            std::this_thread::yield();
        co_return;
    });
    blocks.restart = restart_type::transient;
    supervisor sup(io.get_executor(), options, {blocks});
    asio::co_spawn(io, sup.run(), [](const std::exception_ptr& e) {
        if (e)
            std::rethrow_exception(e);
    });
    io.poll();
    BOOST_TEST(found);
    sup.request_stop();
    io.run();
}

BOOST_AUTO_TEST_CASE(options_of_a_watchdog_are_checked) {
    BOOST_CHECK_THROW(loop_watchdog({}), error);
    loop_watchdog_options o;
    o.on_stall = [](const loop_stall&) {};
    o.stall_after = 0ms;
    BOOST_CHECK_THROW(loop_watchdog{o}, error);
}

BOOST_AUTO_TEST_SUITE_END()
