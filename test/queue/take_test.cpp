#include "queue/memory_queue.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(take)

namespace {

take_options waiting(duration wait = 1h) {
    take_options options;
    options.wait = wait;
    return options;
}

} // namespace

LIFEGUARD_TEST(waiting_takes_are_served_in_the_order_in_which_they_came) {
    queue_fixture q(ctx, in_memory());
    auto first = ctx.spawn(q.queue.take(waiting()));
    ctx.settle();
    auto second = ctx.spawn(q.queue.take(waiting()));
    ctx.settle();
    const job_id a = q.push(new_job("k"));
    BOOST_TEST_REQUIRE(first.ready());
    BOOST_TEST(!second.ready());
    BOOST_TEST(first.get().at(0).id == a);
    const job_id b = q.push(new_job("k"));
    BOOST_TEST_REQUIRE(second.ready());
    BOOST_TEST(second.get().at(0).id == b);
}

LIFEGUARD_TEST(a_waiting_take_gets_only_what_it_asked_for) {
    queue_fixture q(ctx, in_memory());
    take_options options = waiting();
    options.queues = {"a", "b"};
    options.kinds = {"x"};
    auto taking = ctx.spawn(q.queue.take(options));
    ctx.settle();
    q.push("default");
    q.push("a");
    new_job job("x");
    job.queue = "c";
    q.push(job);
    BOOST_TEST(!taking.ready());
    job.queue = "b";
    const job_id wanted = q.push(job);
    BOOST_TEST_REQUIRE(taking.ready());
    BOOST_TEST(taking.get().at(0).id == wanted);
}

LIFEGUARD_TEST(a_job_that_becomes_due_or_comes_back_wakes_a_waiting_take) {
    queue_fixture q(ctx, in_memory());
    new_job later("k");
    later.delay = 10s;
    q.push(later);
    auto due = ctx.spawn(q.queue.take(waiting()));
    ctx.advance(10s);
    BOOST_TEST_REQUIRE(due.ready());
    const taken_job t = due.get().at(0);
    auto released = ctx.spawn(q.queue.take(waiting()));
    ctx.settle();
    q.release(t);
    BOOST_TEST_REQUIRE(released.ready());
    BOOST_TEST(released.get().at(0).token == 2u);
    auto rescued = ctx.spawn(q.queue.take(waiting()));
    ctx.advance(30s);
    BOOST_TEST_REQUIRE(rescued.ready());
    BOOST_TEST(rescued.get().at(0).token == 3u);
}

LIFEGUARD_TEST(a_take_that_is_cancelled_while_it_waits_has_taken_nothing) {
    queue_fixture q(ctx, in_memory());
    auto taking = ctx.spawn(q.queue.take(waiting()));
    ctx.settle();
    taking.cancel();
    ctx.settle();
    BOOST_TEST_REQUIRE(taking.ready());
    BOOST_TEST(taking.error() == asio::error::operation_aborted);
    const job_id id = q.push(new_job("k"));
    BOOST_TEST(q.counts() == "available 1");
    BOOST_TEST(q.info(id).deliveries == 0u);
    BOOST_TEST(ctx.time->alarms() == 0u);
}

LIFEGUARD_TEST(cancelled_on_the_way_home_it_gives_back_what_it_took) {
    queue_fixture q(ctx, in_memory());
    // The cancellation and the job arrive in one turn, in both orders.
    for (const bool job_first : {true, false}) {
        auto taking = ctx.spawn(q.queue.take(waiting()));
        ctx.settle();
        const auto push = [&] { return ctx.spawn(q.queue.push(new_job("k"))); };
        if (job_first)
            push();
        taking.cancel();
        if (!job_first)
            push();
        ctx.settle();
        BOOST_TEST_REQUIRE(taking.ready());
        if (taking.error()) {
            BOOST_TEST(taking.error() == asio::error::operation_aborted);
            BOOST_TEST(q.counts() == "available 1");
            BOOST_TEST(q.take().attempt == 1u);
        }
        BOOST_TEST(q.counts() == "executing 1");
        ctx.advance(30s); // its lease runs out
        const taken_job t = q.take();
        q.complete(t);
        ctx.await(q.queue.remove(t.id));
    }
}

LIFEGUARD_TEST(what_is_wrong_with_a_take_is_named) {
    queue_fixture q(ctx, in_memory());
    const auto refuses = [&](const take_options& options, errc code, std::string_view named) {
        const thrown t = thrown_by([&] { q.take(options); });
        BOOST_TEST(t.code == code);
        BOOST_TEST(t.text.find(named) != std::string::npos);
    };
    take_options options;
    options.queues.clear();
    refuses(options, errc::invalid_option, "queues");
    options = take_options();
    options.jobs_max = 0;
    refuses(options, errc::invalid_option, "jobs_max");
    options.jobs_max = 10'001;
    refuses(options, errc::invalid_option, "jobs_max");
    refuses(take_options(""), errc::invalid_job, "queue");
}

LIFEGUARD_TEST(a_wait_for_ever_is_one) {
    queue_fixture q(ctx, in_memory());
    auto taking = ctx.spawn(q.queue.take(waiting(duration::max())));
    ctx.advance(24h);
    BOOST_TEST(!taking.ready());
    BOOST_TEST(ctx.time->alarms() == 0u);
    q.push(new_job("k"));
    BOOST_TEST(taking.ready());
}

BOOST_AUTO_TEST_SUITE_END()
