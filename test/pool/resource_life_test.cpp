// How resources start, die, are replaced and stopped; the pool's tree.
#include "pool/rig.hpp"
#include <lifeguard/supervisor.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(resource_life)

LIFEGUARD_TEST(POOL_23_replaced_at_checkin) {
    rig r(ctx, pool_of(2, 0));
    auto held = r.take();
    const int number = held->number;
    held.replace("worn out");
    ctx.settle();
    BOOST_TEST(r.status() == "ready 2 0 0");
    BOOST_TEST(r.started.load() == 3);
    BOOST_TEST(r.stops().size() == 1U);
    BOOST_TEST(r.stops().front() == std::to_string(number) + " error(worn out)");
    BOOST_TEST(r.pool.status().recycled_total == 1U);
}

LIFEGUARD_TEST(POOL_24_starts_that_fail_back_off_and_block_nobody) {
    rig r(ctx, pool_of(2, 0));
    auto held = r.take();
    r.fail_starts = 2;
    r.crash(held);
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.pool.status().start_failures_total == 1U);
    auto other = r.take();
    BOOST_TEST(r.status() == "full 0 0 1");
    r.give(other);
    ctx.advance(100ms);
    BOOST_TEST(r.pool.status().start_failures_total == 2U);
    ctx.advance(199ms);
    BOOST_TEST(r.idle() == 1U);
    ctx.advance(1ms);
    BOOST_TEST(r.idle() == 2U);
    BOOST_TEST(r.log->count("event=start_failed") == 2U);
}

LIFEGUARD_TEST(POOL_25_resources_have_ended_when_the_pool_has) {
    rig r(ctx, pool_of(3, 0));
    auto held = r.take();
    r.stop();
    BOOST_TEST(r.stops().size() == 3U);
    for (const std::string& stop : r.stops())
        BOOST_TEST(stop.find("shutdown") != std::string::npos);
    BOOST_TEST(!held.is_alive());
    BOOST_TEST(held->number == 3); // its memory is there as long as the lease
}

LIFEGUARD_TEST(POOL_26_stopped_pool_answers_and_wakes_who_waits) {
    rig r(ctx, pool_of(1, 0));
    auto held = r.take();
    auto waits = r.ask();
    auto first = ctx.spawn(r.pool.stop());
    auto second = ctx.spawn(r.pool.stop());
    ctx.settle();
    BOOST_TEST(!first.exception());
    BOOST_TEST(!second.exception());
    BOOST_TEST((waits.error() == errc::no_such_pool));
    BOOST_TEST((r.ask().error() == errc::no_such_pool));
    BOOST_TEST(r.status() == "stopped 0 0 0");
    ctx.await(r.pool.stop());
    held.checkin();

    r.run(); // again
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.take()->number == 2);
}

LIFEGUARD_TEST(POOL_27_lease_that_lasts_too_long_is_logged_once) {
    resource_pool_options options = pool_of(1, 0);
    options.overrun_warning = 1s;
    rig r(ctx, options);
    auto held = ctx.await(r.pool.checkout({.task = "report"}));
    ctx.advance(1500ms);
    BOOST_TEST(r.log->count("event=overrun") == 1U);
    BOOST_TEST(r.log->count("resource=p/1 task=report runtime_ms=1000 pool=p") == 1U);
    r.give(held);
    ctx.advance(10s);
    BOOST_TEST(r.log->count("event=overrun") == 1U);
}

LIFEGUARD_TEST(POOL_27_at_the_limit_it_is_taken_away) {
    resource_pool_options options = pool_of(1, 0);
    options.overrun_warning = 500ms;
    options.overrun_limit = 2;
    rig r(ctx, options);
    auto held = ctx.await(r.pool.checkout({.task = "report"}));
    ctx.advance(500ms);
    BOOST_TEST(held.is_alive());
    BOOST_TEST(r.log->count("event=overrun_limit") == 0U);
    ctx.advance(500ms);
    BOOST_TEST(!held.is_alive());
    BOOST_TEST(r.log->count("event=overrun_limit") == 1U);
    BOOST_TEST(r.stops().front() == "1 error(overrun)");
    BOOST_TEST(r.status() == "ready 1 0 0");
    ctx.advance(1s);
    BOOST_TEST(r.pool.status().overruns_total == 2U);
}

LIFEGUARD_TEST(POOL_28_server_that_crashes_leaves_a_pool_that_serves) {
    rig r(ctx, pool_of(2, 0));
    {
        auto a = r.take();
        r.crash(a);
        auto b = r.take();
        r.crash(b);
    }
    BOOST_TEST(r.status() == "ready 2 0 0");
    supervisor top = r.supervisor_of_the_run();
    for (const char* half : {"server", "resources"}) {
        const int before = r.started;
        ctx.await(top.kill_child(half));
        ctx.settle();
        BOOST_TEST(r.status() == "ready 2 0 0", half);
        BOOST_TEST(r.started.load() == before + 2, half);
        BOOST_TEST(r.take()->number > before, half);
    }
    BOOST_TEST(r.stops().size() == 6U); // all that are not there
}

LIFEGUARD_TEST(POOL_29_pool_that_allows_no_death_ends_with_the_first) {
    resource_pool_options options = pool_of(2, 0);
    options.deaths_max = 0;
    options.intensity = 0;
    rig r(ctx, options);
    auto held = r.take();
    auto waits = r.ask({.timeout = 1h});
    waits.get().checkin();
    auto other = r.take();
    auto late = r.ask();
    r.crash(held);
    BOOST_TEST(r.running->ready());
    BOOST_TEST((r.running->exception() != nullptr));
    BOOST_TEST((late.error() == errc::no_such_pool));
    BOOST_TEST((r.ask().error() == errc::no_such_pool));
}

LIFEGUARD_TEST(POOL_30_pools_under_one_supervisor_do_not_touch_each_other) {
    rig a(ctx, pool_of(2, 3), false);
    rig b(ctx, pool_of(4, 0), false);
    supervisor_options options;
    options.name = "pools";
    options.intensity = 10;
    options.time = ctx.time;
    std::vector<child_spec> children{a.pool.spec(), b.pool.spec()};
    children[0].id = "a";
    children[1].id = "b";
    supervisor pools(ctx.executor(), options, children);
    auto running = ctx.spawn(pools.run());
    ctx.settle();
    BOOST_TEST(a.status() == "ready 2 0 0");
    BOOST_TEST(b.status() == "ready 4 0 0");
    {
        auto held = a.take(2);
        a.crash(held[0]);
        a.crash(held[1]);
        BOOST_TEST(a.status() == "ready 2 0 0");
    }
    for (const char* half : {"resources", "server"}) {
        ctx.await(a.supervisor_of_the_run().kill_child(half));
        ctx.settle();
        BOOST_TEST(a.status() == "ready 2 0 0", half);
    }
    ctx.await(pools.kill_child("a"));
    ctx.settle();
    BOOST_TEST(a.status() == "ready 2 0 0");
    BOOST_TEST(b.started.load() == 4);
    BOOST_TEST(b.status() == "ready 4 0 0");
    BOOST_TEST(b.stops().empty());
    auto stopping = ctx.spawn(pools.stop());
    ctx.settle();
    BOOST_TEST(running.ready());
    BOOST_TEST(a.stops().size() == static_cast<std::size_t>(a.started));
    BOOST_TEST(b.stops().size() == 4U);
    BOOST_TEST((a.ask().error() == errc::no_such_pool));
}

LIFEGUARD_TEST(POOL_31_killed_resource_is_replaced) {
    rig r(ctx, pool_of(10, 5));
    {
        auto held = r.take();
        ctx.await(r.pool.kill(held.id()));
        ctx.settle();
        BOOST_TEST(!held.is_alive());
    }
    BOOST_TEST(r.status() == "ready 10 0 0");
    BOOST_TEST(r.started.load() == 11);
}

LIFEGUARD_TEST(POOL_34_kill_in_the_tree_heals_and_touches_nobody_outside) {
    rig a(ctx, pool_of(2, 3), false);
    rig b(ctx, pool_of(3, 0), false);
    rig c(ctx, pool_of(4, 0), false);
    const auto named = [&](const char* name) {
        supervisor_options options;
        options.name = name;
        options.intensity = 10;
        options.time = ctx.time;
        return options;
    };
    std::vector<child_spec> pools{a.pool.spec(), b.pool.spec(), c.pool.spec()};
    pools[0].id = "a";
    pools[1].id = "b";
    pools[2].id = "c";
    int served = 0;
    gate never;
    std::optional<supervisor> pools_now; // of the current incarnation
    std::vector<child_spec> below_top;
    below_top.emplace_back("pools", [&](const child_context& context) {
        pools_now.emplace(context.executor(), named("pools"), pools);
        return child_body(*pools_now);
    });
    below_top.emplace_back("server", [&] {
        ++served;
        return never.pass();
    });
    std::optional<supervisor> top; // of the current incarnation
    std::vector<child_spec> below_outer;
    below_outer.emplace_back("top", [&](const child_context& context) {
        top.emplace(context.executor(), named("top"), below_top);
        return child_body(*top);
    });
    supervisor outer(ctx.executor(), named("outer"), std::move(below_outer));
    auto running = ctx.spawn(outer.run());
    ctx.settle();

    const auto healthy = [&] {
        return a.status() == "ready 2 0 0" && b.status() == "ready 3 0 0" &&
               c.status() == "ready 4 0 0";
    };
    const auto kill = [&](const supervisor& parent, const char* child) {
        supervisor of = parent;
        ctx.await(of.kill_child(child));
        ctx.settle();
    };
    BOOST_TEST(healthy());

    ctx.await(a.pool.kill("p/1"));
    ctx.settle();
    BOOST_TEST(healthy());
    kill(a.supervisor_of_the_run(), "resources");
    BOOST_TEST(healthy());
    kill(a.supervisor_of_the_run(), "server");
    BOOST_TEST(healthy());
    BOOST_TEST(a.started.load() == 2 + 1 + 2 + 2);
    BOOST_TEST(b.started.load() == 3); // outside: untouched
    BOOST_TEST(c.started.load() == 4);
    BOOST_TEST(served == 1);

    kill(*pools_now, "a"); // the pool's own supervisor
    BOOST_TEST(healthy());
    BOOST_TEST(b.started.load() == 3);
    kill(*top, "server");
    BOOST_TEST(healthy());
    BOOST_TEST(served == 2);
    BOOST_TEST(b.started.load() == 3);
    kill(*top, "pools");
    BOOST_TEST(healthy());
    BOOST_TEST(served == 2);
    BOOST_TEST(b.started.load() == 6);
    BOOST_TEST(c.started.load() == 8);
    kill(outer, "top"); // and with it everything: all is there again
    BOOST_TEST(healthy());
    BOOST_TEST(served == 3);
    BOOST_TEST(b.started.load() == 9);
    for (const rig* r : {&a, &b, &c}) // nobody is left of those who were
        BOOST_TEST(r->stops().size() == static_cast<std::size_t>(r->started) - r->idle());

    auto stopping = ctx.spawn(outer.stop());
    ctx.settle();
    BOOST_TEST(running.ready());
}

LIFEGUARD_TEST(idle_resource_that_dies_is_replaced) {
    rig r(ctx, pool_of(2, 0));
    ctx.await(r.pool.kill("p/1"));
    ctx.settle();
    BOOST_TEST(r.status() == "ready 2 0 0");
    BOOST_TEST(r.started.load() == 3);
}

LIFEGUARD_TEST(checkout_before_the_pool_runs_waits_for_it) {
    rig r(ctx, pool_of(1, 0), false);
    auto early = r.ask();
    BOOST_TEST(!early.ready());
    r.run();
    BOOST_TEST(early.ready());
    auto held = early.get();
    BOOST_TEST((ctx.spawn(r.pool.run()), ctx.settle(), true));
    BOOST_TEST(r.status() == "full 0 0 1");
}

LIFEGUARD_TEST(idle_resources_are_pinged_and_the_dead_replaced) {
    int pings = 0;
    bool dead = false;
    int made = 0;
    resource_pool_options options = pool_of(1, 0);
    options.time = ctx.time;
    options.ping_interval = 10s;
    resource_pool<int> pool(ctx.executor(), options,
                            resource_spec<int>([&]() -> asio::awaitable<int> {
                                co_return ++made;
                            }).on_ping([&](int&) -> asio::awaitable<void> {
                                ++pings;
                                if (std::exchange(dead, false))
                                    throw std::runtime_error("gone");
                                co_return;
                            }));
    auto running = ctx.spawn(pool.run());
    ctx.settle();
    ctx.advance(20s);
    BOOST_TEST(pings == 2);
    {
        auto held = ctx.await(pool.checkout());
        ctx.advance(10s);
        BOOST_TEST(pings == 2); // not while somebody uses it
    }
    dead = true;
    ctx.advance(10s);
    BOOST_TEST(pings == 3);
    BOOST_TEST(made == 2);
    BOOST_TEST(pool.status().idle == 1U);
    ctx.await(pool.stop());
}

BOOST_AUTO_TEST_SUITE_END()
