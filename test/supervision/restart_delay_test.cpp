// Failed children that wait before they are restarted.
#include "supervision/puppet.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(restart_delay)

namespace {

/// 100 ms, 200 ms, 400 ms ...
supervisor_options patient(test_context& ctx, strategy how = strategy::one_for_one) {
    supervisor_options options = flags(ctx, how, 5);
    options.period = 1min;
    options.restart_delay = backoff{.offset = 0s, .base = 100ms, .jitter = 0};
    return options;
}

} // namespace

LIFEGUARD_TEST(restarts_in_a_row_wait_longer_each_time) {
    const puppet a("a");
    supervisor sup(ctx.executor(), patient(ctx), {a.spec()});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    for (const duration wait : {100ms, 200ms, 400ms}) {
        a.crashes();
        ctx.advance(wait - 1ms);
        BOOST_TEST(a.live() == 0);
        BOOST_TEST(list(ctx, sup).starts_with("a restarting"));
        ctx.advance(1ms);
        BOOST_TEST(a.live() == 1);
    }
    BOOST_TEST(heard.take().starts_with("exited a1 error(crash), restart a1, started a2"));
    ctx.advance(1min + 1ms); // it has run for longer than the period: a new row
    a.crashes();
    ctx.advance(100ms);
    BOOST_TEST(a.live() == 1);
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(restart_that_fails_is_repeated_after_the_delay) {
    const puppet a("a");
    a.fails_to_start(1, 1);
    supervisor sup(ctx.executor(), patient(ctx), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.advance(100ms);
    BOOST_TEST(a.starts() == 2);
    BOOST_TEST(a.live() == 0);
    ctx.advance(200ms);
    BOOST_TEST(a.live() == 1);
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(child_that_waits_for_its_restart_can_be_terminated_and_the_supervisor_stopped) {
    const puppet a("a"), b("b");
    supervisor sup(ctx.executor(), patient(ctx), {a.spec(), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    b.crashes();
    ctx.settle();
    ctx.await(sup.terminate_child("a"));
    BOOST_TEST(list(ctx, sup) == "a not_started 1, b restarting 1");
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(ctx.time->alarms() == 0U);
}

LIFEGUARD_TEST(siblings_run_on_while_a_child_waits) {
    const puppet a("a"), b("b");
    supervisor sup(ctx.executor(), patient(ctx, strategy::one_for_all), {a.spec(), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.advance(99ms);
    BOOST_TEST(list(ctx, sup) == "a restarting 1, b running 1");
    ctx.advance(1ms);
    BOOST_TEST(list(ctx, sup) == "a running 2, b running 2");
    ctx.await(sup.stop());
}

BOOST_AUTO_TEST_SUITE_END()
