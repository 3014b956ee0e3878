// A coroutine may serve several incarnations of a child, one after the other. Nobody can tell.
#include "supervision/puppet.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(renewal)

LIFEGUARD_TEST(context_that_outlives_its_incarnation_speaks_of_that_one) {
    std::vector<child_context> kept;
    child_spec spec("keeper", [&](child_context self) -> asio::awaitable<void> {
        kept.push_back(self);
        if (self.incarnation() == 12)
            co_await forever();
    });
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_one, 100), {std::move(spec)});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST_REQUIRE(kept.size() == 12u);
    ctx.await(sup.stop());
    for (unsigned i = 0; i < 12; ++i)
        BOOST_TEST(kept[i].incarnation() == i + 1);
    BOOST_TEST(kept[11].stop_requested());
    BOOST_TEST(!kept[10].stop_requested());
    kept.clear(); // they own what their supervisor is made of
}

LIFEGUARD_TEST(incarnation_begins_with_the_cancellation_state_of_a_first_one) {
    std::string seen;
    unsigned lives = 0;
    child_spec spec("meddler", [&]() -> asio::awaitable<void> {
        const auto state = co_await asio::this_coro::cancellation_state;
        seen += state.cancelled() == asio::cancellation_type::none ? "clean " : "cancelled ";
        seen += co_await asio::this_coro::throw_if_cancelled() ? "throws, " : "does not throw, ";
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        if (++lives == 3) {
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            co_await asio::this_coro::throw_if_cancelled(true);
            co_await forever();
        }
    });
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_one, 100), {std::move(spec)});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(seen == "clean throws, clean throws, clean throws, ");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(killed_child_runs_again_uncancelled) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_one, 100), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    for (int i = 1; i <= 10; ++i) {
        ctx.await(sup.kill_child("a"));
        ctx.settle();
        BOOST_TEST(a.starts() == i + 1);
        BOOST_TEST(list(ctx, sup) == "a running " + std::to_string(i + 1));
        BOOST_TEST(a.live() == 1);
    }
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(child_that_returns_for_ever_leaves_the_strand_to_others) {
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_one, 2'000'000'000),
                   {child_spec("mayfly", []() -> asio::awaitable<void> { co_return; })});
    const auto run = ctx.spawn(sup.run());
    const auto stopped = ctx.spawn([&]() -> asio::awaitable<void> {
        for (int i = 0; i < 100; ++i)
            co_await asio::post(asio::use_awaitable);
        ctx.check((co_await sup.count_children()).specs == 1, "counted");
        co_await sup.stop();
    });
    ctx.settle();
    BOOST_TEST(stopped.ready());
    BOOST_TEST(outcome(run) == "returned");
}

BOOST_AUTO_TEST_SUITE_END()
