// poolboy's own cases: who gets a resource, and what becomes of it.
#include "pool/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(resource_pools)

LIFEGUARD_TEST(POOL_01_startup) {
    rig r(ctx, pool_of(10, 5));
    BOOST_TEST(r.status() == "ready 10 0 0");
    auto a = r.take();
    BOOST_TEST(r.idle() == 9U);
    auto b = r.take();
    BOOST_TEST(r.idle() == 8U);
    r.give(b);
    BOOST_TEST(r.status() == "ready 9 0 1");
}

LIFEGUARD_TEST(POOL_02_overflow_comes_and_goes) {
    rig r(ctx, pool_of(5, 5));
    auto held = r.take(7);
    BOOST_TEST(r.status() == "overflow 0 2 7");
    const std::string first = std::to_string(held[0]->number);
    r.give(held[0]);
    r.give(held[1]);
    BOOST_TEST(r.idle() == 0U);
    BOOST_TEST(r.workers() == 5U);
    BOOST_TEST(r.stops().size() == 2U);
    BOOST_TEST(r.stops().front() == first + " shutdown(surplus)");
    r.give(held[2]);
    r.give(held[3]);
    BOOST_TEST(r.status() == "ready 2 0 3");
    r.give(held[4]);
    r.give(held[5]);
    BOOST_TEST(r.idle() == 4U);
    r.give(held[6]);
    BOOST_TEST(r.status() == "ready 5 0 0");
}

LIFEGUARD_TEST(POOL_03_empty_pool_makes_wait) {
    rig r(ctx, pool_of(5, 2));
    auto held = r.take(7);
    auto waits = r.ask();
    ctx.advance(500ms);
    BOOST_TEST(!waits.ready());
    BOOST_TEST(r.pool.status().waiting == 1U);
    const int number = held[0]->number;
    r.give(held[0]);
    BOOST_TEST(waits.ready());
    auto got = waits.get();
    BOOST_TEST(got->number == number);
    r.give(got);
    r.give(held[1]);
    BOOST_TEST(r.idle() == 0U);
    BOOST_TEST(r.workers() == 5U);
    r.give(held[2]);
    r.give(held[3]);
    BOOST_TEST(r.idle() == 2U);
    r.give(held[4]);
    r.give(held[5]);
    BOOST_TEST(r.idle() == 4U);
    r.give(held[6]);
    BOOST_TEST(r.status() == "ready 5 0 0");
}

LIFEGUARD_TEST(POOL_04_empty_pool_without_overflow) {
    rig r(ctx, pool_of(5, 0));
    auto held = r.take(5);
    auto waits = r.ask();
    BOOST_TEST(!waits.ready());
    r.give(held[0]);
    BOOST_TEST(waits.ready());
    auto got = waits.get();
    r.give(got);
    r.give(held[1]);
    BOOST_TEST(r.idle() == 2U);
    BOOST_TEST(r.workers() == 5U);
    r.give(held[2]);
    r.give(held[3]);
    BOOST_TEST(r.idle() == 4U);
    r.give(held[4]);
    BOOST_TEST(r.idle() == 5U);
}

LIFEGUARD_TEST(POOL_05_worker_death) {
    rig r(ctx, pool_of(5, 2));
    {
        auto held = r.take();
        r.crash(held);
        BOOST_TEST(r.idle() == 5U);
        BOOST_TEST(!held.is_alive());
    }
    BOOST_TEST(r.idle() == 5U);
    auto held = r.take(7);
    BOOST_TEST(r.idle() == 0U);
    BOOST_TEST(r.workers() == 7U);
    r.crash(held[0]);
    BOOST_TEST(r.idle() == 0U);
    BOOST_TEST(r.workers() == 6U);
    r.crash(held[1]);
    r.crash(held[2]);
    BOOST_TEST(r.idle() == 1U);
    BOOST_TEST(r.workers() == 5U);
    BOOST_TEST(r.pool.status().leased == 4U);
    BOOST_TEST(r.pool.status().deaths_total == 4U);
}

LIFEGUARD_TEST(POOL_06_worker_death_while_full) {
    rig r(ctx, pool_of(5, 2));
    auto held = r.take(7);
    auto waits = r.ask();
    r.crash(held[0]);
    BOOST_TEST(waits.ready());
    auto got = waits.get();
    BOOST_TEST(got->number == 8);
    r.crash(held[1]);
    BOOST_TEST(r.idle() == 0U);
    BOOST_TEST(r.workers() == 6U);
    BOOST_TEST(r.pool.status().leased == 6U);
}

LIFEGUARD_TEST(POOL_07_worker_death_while_full_without_overflow) {
    rig r(ctx, pool_of(5, 0));
    auto held = r.take(5);
    auto waits = r.ask();
    r.crash(held[0]);
    BOOST_TEST(waits.ready());
    auto got = waits.get();
    BOOST_TEST(got->number == 6);
    r.crash(held[1]);
    BOOST_TEST(r.idle() == 1U);
    BOOST_TEST(r.workers() == 5U);
    r.crash(held[2]);
    BOOST_TEST(r.idle() == 2U);
    BOOST_TEST(r.workers() == 5U);
    BOOST_TEST(r.pool.status().leased == 3U);
}

LIFEGUARD_TEST(POOL_08_full_nonblocking_without_overflow) {
    rig r(ctx, pool_of(5, 0));
    auto held = r.take(5);
    BOOST_TEST(!r.try_take());
    BOOST_TEST(!r.try_take());
    const int number = held[0]->number;
    r.give(held[0]);
    auto again = r.try_take();
    BOOST_TEST(again->number == number);
    BOOST_TEST(r.pool.status().leased == 5U);
}

LIFEGUARD_TEST(POOL_09_full_nonblocking) {
    rig r(ctx, pool_of(5, 5));
    auto held = r.take(10);
    BOOST_TEST(!r.try_take());
    const int number = held[0]->number;
    r.give(held[0]);
    BOOST_TEST(r.stops().size() == 1U);
    BOOST_TEST(r.stops().front() == std::to_string(number) + " shutdown(surplus)");
    auto other = r.try_take();
    BOOST_TEST(other->number != number);
    BOOST_TEST(!r.try_take());
    BOOST_TEST(r.pool.status().leased == 10U);
}

LIFEGUARD_TEST(POOL_10_owner_death) {
    rig r(ctx, pool_of(5, 5));
    ctx.await([&]() -> asio::awaitable<void> {
        auto held = co_await r.pool.checkout();
        ctx.check(r.idle() == 4, "one is leased");
    });
    BOOST_TEST(r.status() == "ready 5 0 0");
    BOOST_TEST(r.workers() == 5U);
}

LIFEGUARD_TEST(POOL_12_status_of_the_pool) {
    {
        rig r(ctx, pool_of(2, 0));
        BOOST_TEST(r.status() == "ready 2 0 0");
        auto held = r.take(1);
        BOOST_TEST(r.status() == "ready 1 0 1");
        held.push_back(r.take());
        BOOST_TEST(r.status() == "full 0 0 2");
    }
    {
        rig r(ctx, pool_of(1, 1));
        BOOST_TEST(r.status() == "ready 1 0 0");
        auto held = r.take(1);
        BOOST_TEST(r.status() == "overflow 0 0 1");
        held.push_back(r.take());
        BOOST_TEST(r.status() == "full 0 1 2");
    }
    {
        rig r(ctx, pool_of(0, 2));
        BOOST_TEST(r.status() == "overflow 0 0 0");
        auto held = r.take(1);
        BOOST_TEST(r.status() == "overflow 0 1 1");
        held.push_back(r.take());
        BOOST_TEST(r.status() == "full 0 2 2");
    }
    {
        rig r(ctx, pool_of(0, 0));
        BOOST_TEST(r.status() == "full 0 0 0");
    }
}

LIFEGUARD_TEST(POOL_13_nothing_is_remembered_of_who_waited) {
    rig r(ctx, pool_of(1, 0));
    auto x = r.take();
    auto y = r.ask();
    r.give(x);
    BOOST_TEST(y.ready());
    {
        auto held = y.get();
        BOOST_TEST(r.status() == "full 0 0 1");
    }
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.pool.status().waiting == 0U);
    x.checkin(); // once more: nothing
    BOOST_TEST(r.status() == "ready 1 0 0");
}

LIFEGUARD_TEST(POOL_14_checkout_times_out) {
    rig r(ctx, pool_of(1, 0));
    auto held = r.take();
    auto second = r.ask({.timeout = 1s});
    BOOST_TEST(r.pool.status().waiting == 1U);
    ctx.advance(999ms);
    BOOST_TEST(!second.ready());
    ctx.advance(1ms);
    BOOST_TEST((second.error() == errc::timeout));
    BOOST_TEST(describe(second.exception()).find("pool 'p': no resource within 1000 ms") !=
               std::string::npos);
    BOOST_TEST(r.pool.status().waiting == 0U);
    BOOST_TEST(r.pool.status().timeouts_total == 1U);
    r.give(held);
    BOOST_TEST(r.status() == "ready 1 0 0");
}

LIFEGUARD_TEST(POOL_15_lifo_is_the_default) {
    rig r(ctx, pool_of(2, 0));
    auto held = r.take();
    const int number = held->number;
    r.give(held);
    BOOST_TEST(r.take()->number == number);
}

LIFEGUARD_TEST(POOL_16_fifo) {
    resource_pool_options options = pool_of(2, 0);
    options.order = reuse_order::fifo;
    rig r(ctx, options);
    auto first = r.take();
    const int number = first->number;
    r.give(first);
    auto second = r.take();
    BOOST_TEST(second->number != number);
    BOOST_TEST(r.take()->number == number);
}

LIFEGUARD_TEST(POOL_17_who_waits_gets_the_replacement) {
    rig r(ctx, pool_of(1, 0));
    auto held = r.take();
    auto waits = r.ask();
    r.crash(held);
    BOOST_TEST(waits.ready());
    auto got = waits.get();
    BOOST_TEST(got->number == 2);
    BOOST_TEST(r.status() == "full 0 0 1");
    held.checkin(); // the dead one: nothing
    BOOST_TEST(r.status() == "full 0 0 1");
}

LIFEGUARD_TEST(POOL_21_first_come_first_served_whatever_the_order_of_reuse) {
    for (const reuse_order order : {reuse_order::lifo, reuse_order::fifo}) {
        resource_pool_options options = pool_of(1, 0);
        options.order = order;
        rig r(ctx, options);
        auto held = r.take();
        std::vector<int> served;
        std::vector<test_future<void>> all;
        for (int n = 0; n < 10; ++n) {
            all.push_back(ctx.spawn([&r, &served, n]() -> asio::awaitable<void> {
                auto mine = co_await r.pool.checkout();
                served.push_back(n); // alone: there is one machine
            }));
            ctx.settle();
        }
        r.give(held);
        BOOST_TEST(served == (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}),
                   boost::test_tools::per_element());
    }
}

LIFEGUARD_TEST(POOL_32_who_waits_is_served_in_the_order_that_is_asked_for) {
    for (const waiting_order order : {waiting_order::fifo, waiting_order::lifo}) {
        resource_pool_options options = pool_of(1, 0);
        options.waiting = order;
        rig r(ctx, options);
        auto held = r.take();
        std::vector<int> served;
        std::vector<test_future<void>> all;
        for (int n = 1; n <= 10; ++n) {
            all.push_back(ctx.spawn([&r, &served, n]() -> asio::awaitable<void> {
                auto mine = co_await r.pool.checkout();
                served.push_back(n);
            }));
            ctx.settle();
        }
        r.give(held);
        std::vector<int> wanted{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        if (order == waiting_order::lifo)
            std::reverse(wanted.begin(), wanted.end());
        BOOST_TEST(served == wanted, boost::test_tools::per_element());
    }
}

LIFEGUARD_TEST(POOL_22_one_who_waits_in_vain_disturbs_nobody) {
    rig r(ctx, pool_of(2, 0));
    auto held = r.take(2);
    auto third = r.ask({.timeout = 1ms});
    ctx.advance(1ms);
    BOOST_TEST((third.error() == errc::timeout));
    r.give(held[0]);
    r.give(held[1]);
    BOOST_TEST(r.status() == "ready 2 0 0");
}

LIFEGUARD_TEST(POOL_33_sizes_one_and_zero) {
    {
        rig r(ctx, pool_of(1, 0));
        BOOST_TEST(r.started.load() == 1);
    }
    rig r(ctx, pool_of(0, 2));
    BOOST_TEST(r.started.load() == 0);
    auto held = r.take();
    BOOST_TEST(r.started.load() == 1);
    r.give(held);
    BOOST_TEST(r.stops().size() == 1U);
    BOOST_TEST(r.status() == "overflow 0 0 0");
}

LIFEGUARD_TEST(cancelled_checkout_takes_nothing) {
    rig r(ctx, pool_of(1, 0));
    auto held = r.take();
    auto waits = r.ask();
    waits.cancel();
    ctx.settle();
    BOOST_TEST((waits.error() == asio::error::operation_aborted));
    BOOST_TEST(r.pool.status().waiting == 0U);
    r.give(held);
    BOOST_TEST(r.status() == "ready 1 0 0");
}

LIFEGUARD_TEST(too_many_who_wait_are_refused) {
    resource_pool_options options = pool_of(1, 0);
    options.waiters_max = 1;
    rig r(ctx, options);
    auto held = r.take();
    auto first = r.ask();
    auto second = r.ask();
    BOOST_TEST((second.error() == errc::limit_reached));
    r.give(held);
    BOOST_TEST(first.ready());
}

LIFEGUARD_TEST(resize_grows_and_shrinks) {
    rig r(ctx, pool_of(2, 0));
    auto held = r.take(2);
    auto waits = r.ask();
    r.pool.resize(3, 0);
    ctx.settle();
    BOOST_TEST(waits.ready());
    r.pool.resize(1, 0);
    ctx.settle();
    BOOST_TEST(r.status() == "full 0 2 3");
    r.give(held[0]);
    r.give(held[1]);
    BOOST_TEST(r.status() == "full 0 0 1");
    {
        auto last = waits.get();
    }
    ctx.settle();
    BOOST_TEST(r.status() == "ready 1 0 0");
    r.pool.resize(4, 0);
    ctx.settle();
    BOOST_TEST(r.status() == "ready 4 0 0");
    r.pool.resize(1, 0);
    ctx.settle();
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.stops().size() == 5U);
}

BOOST_AUTO_TEST_CASE(POOL_32_options_that_break_a_rule_are_refused) {
    test_context ctx;
    const auto refused = [&](auto change) {
        resource_pool_options options = pool_of(1, 0);
        change(options);
        try {
            const resource_pool<int> pool(
                ctx.executor(), options,
                resource_spec<int>([]() -> asio::awaitable<int> { co_return 1; }));
        } catch (const error& e) {
            return e.detail();
        }
        return std::string();
    };
    BOOST_TEST(refused([](auto& o) { o.size = static_cast<unsigned>(-1); }) ==
               "pool 'p', size: must be 100,000 at most");
    BOOST_TEST(refused([](auto& o) { o.name = ""; }) == "pool '', name: must not be empty");
    BOOST_TEST(refused([](auto& o) { o.waiters_max = 0; }) ==
               "pool 'p', waiters_max: must be 1 at least");
    BOOST_TEST(refused([](auto& o) { o.start_retry.factor = 0; }).find("start_retry") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
