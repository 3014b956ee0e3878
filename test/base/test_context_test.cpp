// The helper that the other tests rely on.
#include "support/test_context.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(test_context)

namespace {

asio::awaitable<int> forty_two() {
    co_await asio::post(asio::use_awaitable);
    co_return 42;
}

asio::awaitable<void> fails() {
    co_await asio::post(asio::use_awaitable);
    throw std::runtime_error("boom");
}

} // namespace

LIFEGUARD_TEST(await_returns_what_the_coroutine_returns) {
    BOOST_TEST(ctx.await(forty_two()) == 42);
    BOOST_CHECK_THROW(ctx.await(fails()), std::runtime_error);
}

LIFEGUARD_TEST(a_value_needs_no_default_constructor) {
    struct only {
        explicit only(int v) : value(v) {}
        only(only&&) = default;
        int value;
    };
    const std::string seven(7, 'x');
    BOOST_TEST(ctx.await([seven]() -> asio::awaitable<only> {
                      co_return only(static_cast<int>(seven.size()));
                  })
                   .value == 7);
}

LIFEGUARD_TEST(await_names_the_coroutine_that_hangs) {
    ctx.expect_leftovers();
    asio::steady_timer never(ctx.executor(), asio::steady_timer::time_point::max());
    BOOST_CHECK_THROW(ctx.await([&]() -> asio::awaitable<void> {
        co_await never.async_wait(asio::use_awaitable);
    }),
                      std::runtime_error);
    never.cancel();
}

LIFEGUARD_TEST(cancel_reaches_a_waiting_coroutine) {
    asio::steady_timer never(ctx.executor(), asio::steady_timer::time_point::max());
    auto waits = ctx.spawn(
        [&]() -> asio::awaitable<void> { co_await never.async_wait(asio::use_awaitable); });
    ctx.settle();
    BOOST_TEST(!waits.ready());
    BOOST_CHECK_THROW(waits.get(), std::logic_error);
    waits.cancel();
    ctx.settle();
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(waits.error() == asio::error::operation_aborted);
}

LIFEGUARD_TEST(settle_runs_what_handlers_post_and_rethrows) {
    int ran = 0;
    std::function<void()> again = [&] {
        if (++ran < 100)
            asio::post(ctx.io, again);
    };
    asio::post(ctx.io, again);
    ctx.settle();
    BOOST_TEST(ran == 100);
    asio::post(ctx.io, [] { throw std::runtime_error("boom"); });
    BOOST_CHECK_THROW(ctx.settle(), std::runtime_error);
}

LIFEGUARD_TEST(both_threads_run_handlers) {
    std::atomic<int> ran = 0;
    // Wide enough for the second thread to get a share, whatever else the machine does.
    for (int round = 0; round < 10000 && (ctx.handlers_run(ctx.threads() - 1) == 0 || round == 0);
         ++round) {
        for (int i = 0; i < 100; ++i)
            asio::post(ctx.io, [&] { ++ran; });
        ctx.settle();
    }
    BOOST_TEST(ctx.handlers_run(ctx.threads() - 1) > 0u);
    BOOST_TEST(ctx.handlers_run(0) + ctx.handlers_run(1) == static_cast<std::size_t>(ran));
}

LIFEGUARD_TEST(advance_stops_at_every_alarm) {
    std::vector<std::chrono::milliseconds> seen;
    const auto start = ctx.time->now();
    std::unique_ptr<lifeguard::alarm> alarm;
    alarm = ctx.time->make_alarm(ctx.executor(), [&] {
        seen.push_back(
            std::chrono::duration_cast<std::chrono::milliseconds>(ctx.time->now() - start));
        if (seen.size() < 3)
            alarm->set(ctx.time->now() + 10ms);
    });
    alarm->set(start + 10ms);
    ctx.advance(25ms);
    BOOST_TEST(seen.size() == 2u);
    BOOST_TEST((ctx.time->now() - start == 25ms));
    ctx.advance(5ms);
    const std::vector<std::chrono::milliseconds> expected{10ms, 20ms, 30ms};
    BOOST_TEST((seen == expected));
}

BOOST_AUTO_TEST_SUITE_END()
