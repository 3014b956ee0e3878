// A supervisor that restarts each child on its own, as often as its intensity allows.
#include "supervision/puppet.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(one_for_one)

LIFEGUARD_TEST(SUP_37_restarts_are_not_added_up_beyond_the_period) {
    const puppet a("a");
    child_spec spec = a.spec();
    spec.shutdown = shutdown_policy::brutal();
    supervisor sup(ctx.executor(), flags(ctx, 1, 1s), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    for (int i = 0; i < 4; ++i) {
        a.crashes();
        ctx.settle();
        BOOST_TEST(a.live() == 1);
        ctx.advance(2100ms);
    }
    BOOST_TEST(list(ctx, sup) == "a running 5");
    sup.request_stop();
    ctx.settle();
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(restart_exactly_a_period_ago_still_counts) {
    for (const duration pause : {duration(1s), duration(1s + 1ns)}) {
        const puppet a("a");
        supervisor sup(ctx.executor(), flags(ctx, 1, 1s), {a.spec()});
        const auto run = ctx.spawn(sup.run());
        ctx.settle();
        a.crashes();
        ctx.advance(pause);
        a.crashes();
        ctx.settle();
        BOOST_TEST(a.live() == (pause > 1s ? 1 : 0));
        sup.request_stop();
        ctx.settle();
        BOOST_TEST(outcome(run) == (pause > 1s ? "returned" : "shutdown(intensity_exceeded)"));
    }
}

LIFEGUARD_TEST(SUP_38_one_for_one_restarts_only_the_crashed_child) {
    const puppet a("a"), b("b");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec(), b.spec()});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();

    a.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 2, b running 1");
    BOOST_TEST(counts(ctx, sup) == "2,2,0,2");

    b.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 2, b running 2");
    BOOST_TEST(heard.take() == "started a1, started b1, "
                               "exited a1 error(crash), restart a1, started a2, "
                               "exited b1 error(crash), restart b1, started b2");

    a.crashes();
    ctx.settle();
    BOOST_TEST(heard.take() == "exited a2 error(crash), gave up, exited b2 shutdown, "
                               "ended shutdown(intensity_exceeded)");
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(a.starts() == 2);
    BOOST_TEST(b.starts() == 2);
    BOOST_TEST(a.live() + b.live() == 0);
}

LIFEGUARD_TEST(SUP_39_one_for_one_escalates_when_a_child_cannot_be_restarted) {
    const puppet a("a"), b("b");
    a.fails_to_start(1000, 1);
    supervisor sup(ctx.executor(), flags(ctx, 4), {a.spec(), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    listener heard(sup);
    a.crashes();
    ctx.settle();
    BOOST_TEST(a.starts() == 1 + 4);
    BOOST_TEST(heard.take() == "exited a1 error(crash), "
                               "restart a1, failed a2 error(no start), "
                               "restart a2, failed a3 error(no start), "
                               "restart a3, failed a4 error(no start), "
                               "restart a4, failed a5 error(no start), "
                               "gave up, exited b1 shutdown, ended shutdown(intensity_exceeded)");
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(b.live() == 0);
}

LIFEGUARD_TEST(intensity_zero_gives_up_at_the_first_crash) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx, 0), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(a.starts() == 1);
}

LIFEGUARD_TEST(child_that_starts_again_after_failed_restarts_runs_on) {
    const puppet a("a");
    a.fails_to_start(3, 1);
    supervisor sup(ctx.executor(), flags(ctx, 4), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 5");
    BOOST_TEST(ctx.await(sup.which_children()).front().restarts == 4U);
    sup.request_stop();
    ctx.settle();
    BOOST_TEST(outcome(run) == "returned");
}

// Rule M-10. With a billion restarts allowed the loop would outlast the test.
LIFEGUARD_TEST(supervisor_in_a_restart_loop_answers_and_stops) {
    const puppet a("a"), b("b");
    a.fails_to_start(1'000'000'000, 1);
    supervisor sup(ctx.executor(), flags(ctx, 2'000'000'000), {a.spec(), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto calls = ctx.spawn([&]() -> asio::awaitable<void> {
        a.crashes();
        while (a.starts() < 10)
            co_await asio::post(asio::use_awaitable);
        const child_counts counted = co_await sup.count_children();
        ctx.check(counted.specs == 2, "counted");
        co_await sup.terminate_child("b");
        const started_child again = co_await sup.restart_child("b");
        ctx.check(again.incarnation == 2, "restarted");
        co_await sup.stop();
    });
    ctx.settle();
    BOOST_TEST(calls.ready());
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(b.live() == 0);
}

LIFEGUARD_TEST(terminating_a_child_ends_its_restart_loop) {
    const puppet a("a");
    a.fails_to_start(1'000'000'000, 1);
    supervisor sup(ctx.executor(), flags(ctx, 2'000'000'000), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto calls = ctx.spawn([&]() -> asio::awaitable<void> {
        a.crashes();
        while (a.starts() < 10)
            co_await asio::post(asio::use_awaitable);
        co_await sup.terminate_child("a");
    });
    ctx.settle();
    BOOST_TEST(calls.ready());
    BOOST_TEST(counts(ctx, sup) == "1,0,0,1");
    sup.request_stop();
    ctx.settle();
    BOOST_TEST(outcome(run) == "returned");
}

BOOST_AUTO_TEST_SUITE_END()
