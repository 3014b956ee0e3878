// Waiting until a resource pool has what it begins with.
#include "pool/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

/// A pool whose resources start when the test lets them; an even one fails at first.
struct slow_pool {
    explicit slow_pool(test_context& context, unsigned size)
        : ctx(context), pool(ctx.executor(), options(context, size), spec()) {}

    static resource_pool_options options(test_context& ctx, unsigned size) {
        resource_pool_options o = pool_of(size, 2);
        o.time = ctx.time;
        return o;
    }

    resource_spec<int> spec() {
        return resource_spec<int>([this]() -> asio::awaitable<int> {
            const int number = ++tries;
            co_await door.pass();
            if (fails && number % 2 == 0)
                throw std::runtime_error("not yet");
            co_return number;
        });
    }

    test_future<void> ready() {
        auto waits = ctx.spawn(pool.ready());
        ctx.settle();
        return waits;
    }
    void run() {
        running.emplace(ctx.spawn(pool.run()));
        ctx.settle();
    }
    void stop() {
        ctx.await(pool.stop());
        ctx.settle();
        BOOST_TEST(running->ready());
    }
    void admit() {
        BOOST_TEST(door.admit());
        ctx.settle();
    }

    test_context& ctx;
    gate door;
    std::atomic<int> tries = 0;
    std::atomic<bool> fails = false;
    resource_pool<int> pool;
    std::optional<test_future<void>> running;
};

} // namespace

BOOST_AUTO_TEST_SUITE(resource_ready)

LIFEGUARD_TEST(ready_waits_for_the_run_and_for_each_of_the_first_resources) {
    slow_pool p(ctx, 3);
    const auto early = p.ready();
    BOOST_TEST(!early.ready()); // it does not run
    p.run();
    const auto waits = p.ready();
    p.admit();
    p.admit();
    BOOST_TEST(!early.ready());
    BOOST_TEST(!waits.ready());
    p.admit();
    BOOST_TEST(early.ready());
    BOOST_TEST(waits.ready());
    BOOST_TEST(!waits.exception());
    BOOST_TEST(p.pool.status().idle == 3U);
    BOOST_TEST(p.ready().ready()); // from now on at once
    p.stop();
}

LIFEGUARD_TEST(one_that_fails_to_start_is_waited_for_once) {
    slow_pool p(ctx, 2);
    p.fails = true;
    p.run();
    const auto waits = p.ready();
    p.admit();
    BOOST_TEST(!waits.ready());
    p.admit();
    BOOST_TEST(waits.ready());
    BOOST_TEST(!waits.exception());
    BOOST_TEST(p.pool.status().idle == 1U);
    BOOST_TEST(p.pool.status().start_failures_total == 1U);
    p.stop();
}

LIFEGUARD_TEST(overflow_that_somebody_waits_for_is_none_of_them) {
    slow_pool p(ctx, 1);
    auto first = ctx.spawn(p.pool.checkout());
    auto second = ctx.spawn(p.pool.checkout());
    ctx.settle();
    p.run();
    const auto waits = p.ready();
    BOOST_TEST(p.door.waiting() >= 2U);
    p.admit(); // the one that the pool begins with was the first to start
    BOOST_TEST(waits.ready());
    p.door.open();
    ctx.settle();
    BOOST_TEST(first.ready());
    BOOST_TEST(second.ready());
    p.stop();
}

LIFEGUARD_TEST(a_pool_without_permanent_resources_is_ready_when_it_runs) {
    slow_pool p(ctx, 0);
    const auto waits = p.ready();
    BOOST_TEST(!waits.ready());
    p.run();
    BOOST_TEST(waits.ready());
    p.stop();
}

LIFEGUARD_TEST(a_stop_ends_the_wait_and_the_next_run_is_waited_for_anew) {
    slow_pool p(ctx, 1);
    p.run();
    const auto waits = p.ready();
    const auto stopping = ctx.spawn(p.pool.stop());
    ctx.settle();
    BOOST_TEST(waits.ready());
    BOOST_TEST((waits.error() == errc::no_such_pool));
    ctx.advance(10s);
    BOOST_TEST(stopping.ready());
    BOOST_TEST((p.ready().error() == errc::no_such_pool));

    p.run();
    const auto again = p.ready();
    BOOST_TEST(!again.ready());
    p.door.open();
    ctx.settle();
    BOOST_TEST(again.ready());
    BOOST_TEST(!again.exception());
    p.stop();
}

LIFEGUARD_TEST(a_cancelled_wait_is_one_less) {
    slow_pool p(ctx, 1);
    p.run();
    auto waits = p.ready();
    const auto other = p.ready();
    waits.cancel();
    ctx.settle();
    BOOST_TEST((waits.error() == asio::error::operation_aborted));
    BOOST_TEST(!other.ready());
    p.door.open();
    ctx.settle();
    BOOST_TEST(other.ready());
    p.stop();
}

BOOST_AUTO_TEST_SUITE_END()
