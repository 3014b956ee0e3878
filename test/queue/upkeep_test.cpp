#include "queue/memory_queue.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(upkeep)

namespace {

new_job delayed(duration by) {
    new_job job("k");
    job.delay = by;
    return job;
}

} // namespace

LIFEGUARD_TEST(idle_queues_arm_no_timer) {
    queue_fixture q(ctx, in_memory());
    BOOST_TEST(ctx.time->alarms() == 0u);
    q.push(new_job("k"));
    BOOST_TEST(ctx.time->alarms() == 0u);
    const taken_job t = q.take();
    BOOST_TEST(ctx.time->alarms() == 1u); // its lease
    q.complete(t);
    ctx.advance(30s);
    BOOST_TEST(ctx.time->alarms() == 0u);
    q.push(delayed(1s));
    BOOST_TEST(ctx.time->alarms() == 1u);
    ctx.advance(1s);
    BOOST_TEST(ctx.time->alarms() == 0u);
    BOOST_TEST(q.counts() == "available 1, completed 1");
}

LIFEGUARD_TEST(the_earliest_of_many_moments_wakes_it) {
    queue_fixture q(ctx, in_memory());
    q.push(delayed(50s));
    q.push(delayed(10s));
    q.push(delayed(30s));
    ctx.advance(10s);
    BOOST_TEST(q.counts() == "scheduled 2, available 1");
    q.take(1); // until 40 s
    ctx.advance(20s);
    BOOST_TEST(q.counts() == "scheduled 1, available 1, executing 1");
    ctx.advance(10s);
    BOOST_TEST(q.counts() == "scheduled 1, available 2");
    ctx.advance(10s);
    BOOST_TEST(q.counts() == "available 3");
}

LIFEGUARD_TEST(a_job_of_next_year_costs_a_look_a_minute) {
    queue_fixture q(ctx, in_memory());
    q.push(delayed(24h * 365));
    const auto next = ctx.time->next_alarm();
    BOOST_TEST_REQUIRE(next.has_value());
    BOOST_TEST((*next == ctx.time->now() + 1min));
    ctx.advance(24h);
    BOOST_TEST(q.counts() == "scheduled 1");
}

LIFEGUARD_TEST(times_that_run_over_are_the_end_of_time) {
    queue_fixture q(ctx, in_memory());
    q.push(delayed(duration::max()));
    new_job last("k");
    last.run_at = wall_time::max();
    q.push(last);
    new_job first("k");
    first.run_at = wall_time::min();
    q.push(first);
    BOOST_TEST(q.counts() == "scheduled 2, available 1");
    ctx.advance(1h);
    BOOST_TEST(q.counts() == "scheduled 2, available 1");
}

LIFEGUARD_TEST(a_wall_clock_set_forward_is_noticed_within_a_minute) {
    queue_fixture q(ctx, in_memory());
    q.push(delayed(1h));
    ctx.time->set_wall(ctx.time->wall_now() + 2h);
    ctx.advance(59s);
    BOOST_TEST(q.counts() == "scheduled 1");
    ctx.advance(1s);
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_TEST(a_wall_clock_set_back_delays_what_waits_for_a_wall_time) {
    queue_fixture q(ctx, in_memory());
    const wall_time at = ctx.time->wall_now() + 1h;
    q.push(delayed(1h));
    ctx.time->set_wall(ctx.time->wall_now() - 1h);
    ctx.advance(1h);
    BOOST_TEST(q.counts() == "scheduled 1");
    ctx.advance(1h + 1min);
    BOOST_TEST((ctx.time->wall_now() >= at));
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_TEST(leases_do_not_care_for_the_wall_clock) {
    queue_fixture q(ctx, in_memory());
    q.push(new_job("k"));
    const taken_job t = q.take();
    ctx.time->set_wall(ctx.time->wall_now() + 24h);
    ctx.advance(29s);
    BOOST_TEST(q.state(t.id) == job_state::executing);
    ctx.time->set_wall(ctx.time->wall_now() - 48h);
    ctx.advance(1s);
    BOOST_TEST(q.state(t.id) == job_state::available);
}

LIFEGUARD_TEST(many_due_jobs_are_moved_in_batches) {
    const auto core =
        job_queue(ctx.executor(), memory_store(), conformance_options(), ctx.time).core();
    const job_queue queue(core); // its upkeep does not run
    for (int i = 0; i < 1001; ++i)
        ctx.await(job_queue(core).push(delayed(1s)));
    ctx.advance(1s);
    const auto tick = [&] {
        detail::wake_list wakes;
        {
            const std::lock_guard lock(core->shared().mutex);
            core->read_clock();
            core->tick(wakes);
        }
        wakes.run();
        return queue.counts("default").available;
    };
    BOOST_TEST(tick() == 500u);
    BOOST_TEST(tick() == 1000u);
    BOOST_TEST(tick() == 1001u);
}

LIFEGUARD_TEST(a_queue_has_one_upkeep_at_a_time) {
    job_queue queue(ctx.executor(), memory_store(), conformance_options(), ctx.time);
    auto first = ctx.spawn(queue.run());
    ctx.settle();
    auto second = ctx.spawn(queue.run());
    ctx.settle();
    BOOST_TEST_REQUIRE(second.ready());
    BOOST_TEST(second.error() == errc::already_started);
    ctx.await(queue.push(delayed(1s)));
    first.cancel();
    ctx.settle();
    BOOST_TEST(first.ready());
    BOOST_TEST(ctx.time->alarms() == 0u);
    ctx.advance(1s);
    BOOST_TEST(queue.counts("default").scheduled == 1u);

    // The next one takes up what the first has left.
    auto third = ctx.spawn(queue.run());
    ctx.settle();
    BOOST_TEST(queue.counts("default").available == 1u);
    third.cancel();
    ctx.settle();
}

BOOST_AUTO_TEST_SUITE_END()
