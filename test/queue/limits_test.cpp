// What a queue refuses, and how a push waits for space.
#include "queue/memory_queue.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(limits)

namespace {

queue_options at_most(std::size_t jobs) {
    queue_options options = conformance_options();
    options.jobs_max = jobs;
    return options;
}

test_future<job_id> push_waiting(test_context& ctx, queue_fixture& q, duration wait = 10s) {
    auto pushing = ctx.spawn(q.queue.push(new_job("k"), push_options{wait}));
    ctx.settle();
    return pushing;
}

} // namespace

LIFEGUARD_TEST(a_full_queue_refuses_one_more_until_a_job_is_final) {
    queue_fixture q(ctx, in_memory(), at_most(3));
    q.push(new_job("k"));
    q.push(new_job("k"));
    new_job later("k");
    later.delay = 1h;
    q.push(later);
    BOOST_TEST(q.refused(new_job("k")).code == errc::queue_full);
    const taken_job t = q.take();
    BOOST_TEST(q.refused(new_job("k")).code == errc::queue_full);
    q.fail(t); // waits for its next attempt
    BOOST_TEST(q.refused(new_job("k")).code == errc::queue_full);
    q.push("another queue");
    q.complete(q.take());
    q.push(new_job("k"));
    BOOST_TEST(q.refused(new_job("k")).code == errc::queue_full);
    BOOST_TEST(q.counts() == "scheduled 1, available 1, retryable 1, completed 1");
}

LIFEGUARD_TEST(a_push_may_wait_for_space) {
    queue_fixture q(ctx, in_memory(), at_most(1));
    q.push(new_job("k"));
    auto pushing = push_waiting(ctx, q);
    BOOST_TEST(!pushing.ready());
    q.complete(q.take());
    BOOST_TEST_REQUIRE(pushing.ready());
    BOOST_TEST(q.state(pushing.get()) == job_state::available);
    BOOST_TEST(q.counts() == "available 1, completed 1");
    BOOST_TEST(ctx.time->alarms() == 1u); // of the lease that was

    auto in_vain = push_waiting(ctx, q);
    ctx.advance(10s - 1ns);
    BOOST_TEST(!in_vain.ready());
    ctx.advance(1ns);
    BOOST_TEST_REQUIRE(in_vain.ready());
    BOOST_TEST(in_vain.error() == errc::queue_full);
}

LIFEGUARD_TEST(those_who_wait_for_space_are_served_in_order_and_before_newcomers) {
    queue_fixture q(ctx, in_memory(), at_most(2));
    q.push(new_job("k"));
    q.push(new_job("k"));
    auto first = push_waiting(ctx, q);
    auto second = push_waiting(ctx, q);
    auto third = push_waiting(ctx, q);
    const auto taken = q.take(2);
    {
        // Space and a newcomer in one turn: the space is not the newcomer's.
        auto completing = ctx.spawn(q.queue.complete(taken[0].id, taken[0].token, json()));
        auto newcomer = ctx.spawn(q.queue.push(new_job("k")));
        ctx.settle();
        BOOST_TEST(completing.ready());
        BOOST_TEST(newcomer.error() == errc::queue_full);
    }
    BOOST_TEST(first.ready());
    BOOST_TEST(!second.ready());
    ctx.await(q.queue.discard(taken[1].id, taken[1].token, "no"));
    BOOST_TEST(second.ready());
    BOOST_TEST(!third.ready());
    ctx.await(q.queue.remove(first.get()));
    BOOST_TEST(third.ready());
    BOOST_TEST(q.counts() == "available 2, completed 1, discarded 1");
}

LIFEGUARD_TEST(a_cancelled_wait_for_space_passes_its_place_on) {
    queue_fixture q(ctx, in_memory(), at_most(1));
    q.push(new_job("k"));
    const taken_job t = q.take();
    auto first = push_waiting(ctx, q);
    auto second = push_waiting(ctx, q);
    auto third = push_waiting(ctx, q);
    second.cancel();
    ctx.settle();
    BOOST_TEST_REQUIRE(second.ready());
    BOOST_TEST(second.error() == asio::error::operation_aborted);
    // The place is given to the first, which is cancelled before it can use it, or just after.
    auto completing = ctx.spawn(q.queue.complete(t.id, t.token, json()));
    first.cancel();
    ctx.settle();
    BOOST_TEST(completing.ready());
    BOOST_TEST_REQUIRE(first.ready());
    if (first.error()) {
        BOOST_TEST(third.ready());
    } else {
        BOOST_TEST(!third.ready());
        ctx.await(q.queue.remove(first.get()));
        BOOST_TEST(third.ready());
    }
    BOOST_TEST(q.queue.counts("default").available == 1u);
    ctx.await(q.queue.remove(third.get()));
    q.push(new_job("k")); // no place has got lost
}

LIFEGUARD_TEST(a_granted_place_is_kept_when_its_job_is_refused_after_all) {
    queue_fixture q(ctx, in_memory(), at_most(1));
    const job_id id = q.push(new_job("k"));
    const taken_job t = q.take();
    new_job same("k");
    same.id = id;
    auto refused = ctx.spawn(q.queue.push(same, push_options{10s}));
    ctx.settle();
    auto next = push_waiting(ctx, q);
    q.complete(t);
    BOOST_TEST_REQUIRE(refused.ready());
    BOOST_TEST(refused.error() == errc::duplicate_id);
    BOOST_TEST(next.ready());
    BOOST_TEST(q.refused(new_job("k")).code == errc::queue_full);
}

LIFEGUARD_TEST(ids_are_unique_as_long_as_the_job_is_known) {
    queue_fixture q(ctx, in_memory());
    new_job job("k");
    job.id = job_id(1, 2);
    BOOST_TEST(q.push(job) == job.id);
    BOOST_TEST(q.refused(job).code == errc::duplicate_id);
    q.complete(q.take());
    BOOST_TEST(q.refused(job).code == errc::duplicate_id);
    ctx.await(q.queue.remove(job.id));
    BOOST_TEST(q.push(job) == job.id);
}

LIFEGUARD_TEST(kinds_and_queues_are_limited_in_number) {
    queue_options options = conformance_options();
    options.kinds_max = 2;
    options.queues_max = 2;
    queue_fixture q(ctx, in_memory(), options);
    q.push(new_job("a"));
    q.push(new_job("b"));
    const thrown kinds = q.refused(new_job("c"));
    BOOST_TEST(kinds.code == errc::limit_reached);
    BOOST_TEST(kinds.text.find("kinds_max") != std::string::npos);
    new_job job("a");
    job.queue = "second";
    q.push(job);
    job.queue = "third";
    const thrown queues = q.refused(job);
    BOOST_TEST(queues.code == errc::limit_reached);
    BOOST_TEST(queues.text.find("queues_max") != std::string::npos);
    BOOST_TEST(q.take(5).size() == 2u);
    BOOST_TEST((q.queue.queues() == std::vector<std::string>{"default", "second"}));
}

LIFEGUARD_TEST(more_queues_than_the_metrics_have_room_for) {
    queue_fixture q(ctx, in_memory());
    for (int i = 0; i < 200; ++i) {
        const std::string name = "q" + std::to_string(i);
        q.push(name);
        BOOST_TEST(q.counts(name) == "available 1");
    }
    // What is described reads what is there.
    BOOST_TEST(!q.queue.core()->shared().metrics->to_prometheus().empty());
    BOOST_TEST((q.queue.core()->shared().metrics->value(
                    "lifeguard_jobs", {{"queue", "q7"}, {"state", "available"}}) == 1));
}

LIFEGUARD_TEST(what_a_job_remembers_of_its_failures_is_limited) {
    queue_fixture q(ctx, in_memory());
    new_job job("k");
    job.max_attempts = 1100;
    const job_id id = q.push(job);
    for (int i = 1; i <= 1001; ++i) {
        const taken_job t = ctx.await(q.queue.take_by_id(id));
        q.fail(t, "\xc3\xa9" + std::string(i == 1001 ? 10'000 : 1, 'x'));
    }
    const job_info info = q.info(id);
    BOOST_TEST(info.attempt == 1001u);
    BOOST_TEST(info.errors.size() == 1000u);
    BOOST_TEST(info.errors.front().attempt == 2u);
    BOOST_TEST(info.errors.back().text.size() == 4096u);
}

BOOST_AUTO_TEST_CASE(options_out_of_range_are_named) {
    asio::io_context io;
    const auto refuses = [&](auto set, std::string_view field) {
        queue_options options;
        set(options);
        const thrown t = thrown_by([&] { job_queue(io.get_executor(), memory_store(), options); });
        BOOST_TEST(t.code == errc::invalid_option);
        BOOST_TEST_CONTEXT(t.text) { BOOST_TEST(t.text.find(field) != std::string::npos); }
    };
    refuses([](auto& o) { o.jobs_max = 0; }, "jobs_max");
    refuses([](auto& o) { o.kinds_max = 0; }, "kinds_max");
    refuses([](auto& o) { o.queues_max = 0; }, "queues_max");
    refuses([](auto& o) { o.max_attempts = 0; }, "max_attempts");
    refuses([](auto& o) { o.limits.payload_max = 0; }, "payload_max");
    refuses([](auto& o) { o.limits.depth_max = 2001; }, "depth_max");
    refuses([](auto& o) { o.retry.factor = 0; }, "factor");
}

BOOST_AUTO_TEST_SUITE_END()
