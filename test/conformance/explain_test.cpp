// Why a job does not run.
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(explaining)

namespace {

job_explanation explain(queue_fixture& q, const job_id& id) {
    auto found = q.queue.explain(id);
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST(!found->text.empty());
    return std::move(*found);
}

std::string why(queue_fixture& q, const job_id& id) {
    return std::string(name_of(explain(q, id).why));
}

/// When it is over, from now.
duration until(test_context& ctx, queue_fixture& q, const job_id& id) {
    const auto e = explain(q, id);
    BOOST_TEST_REQUIRE(e.until.has_value());
    return std::chrono::duration_cast<duration>(*e.until - ctx.time->wall_now());
}

asio::awaitable<json> runs(job_context&) { co_return json(); }

} // namespace

LIFEGUARD_STORE_TEST(a_job_that_waits_for_its_time_says_when_that_is) {
    queue_fixture q(ctx, kept);
    BOOST_TEST(!q.queue.explain(job_id(1, 2)).has_value());
    new_job job("k");
    job.delay = 10s;
    const job_id later = q.push(job);
    BOOST_TEST(why(q, later) == "scheduled");
    BOOST_TEST((until(ctx, q, later) == 10s));
    const job_id failed = q.push(new_job("k"));
    const taken_job t = q.take();
    BOOST_TEST(why(q, failed) == "executing");
    BOOST_TEST((until(ctx, q, failed) == 30s)); // the lease
    BOOST_TEST(explain(q, failed).holder.empty());
    q.fail(t);
    BOOST_TEST(why(q, failed) == "retryable");
    BOOST_TEST((until(ctx, q, failed) == 1s));
    const taken_job again = ctx.await(q.queue.take_by_id(failed));
    q.complete(again);
    BOOST_TEST(why(q, failed) == "finished");
    BOOST_TEST(explain(q, failed).text == "it is completed");
}

LIFEGUARD_STORE_TEST(a_job_that_nobody_takes_says_whose_fault_that_is) {
    queue_fixture q(ctx, kept);
    const job_id id = q.push(new_job("k"));
    BOOST_TEST(why(q, id) == "no_handler");
    q.handle("k", runs);
    BOOST_TEST(why(q, id) == "no_worker");
    ctx.await(q.queue.pause("default", 5s));
    BOOST_TEST(why(q, id) == "queue_paused");
    BOOST_TEST((until(ctx, q, id) == 5s));
    ctx.await(q.queue.pause("default"));
    BOOST_TEST(!explain(q, id).until.has_value());
    worker_pool_options other = one_worker();
    other.priority = 3;
    pool_fixture p(ctx, q, other);
    ctx.await(q.queue.resume("default"));
    BOOST_TEST(why(q, id) == "no_worker"); // the pool takes others
}

LIFEGUARD_STORE_TEST(a_job_behind_others_says_how_many) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    pool_fixture p(ctx, q, one_worker());
    const job_id running = p.submit(new_job("k"));
    BOOST_TEST(why(q, running) == "executing");
    BOOST_TEST(explain(q, running).holder == "p/1");
    const job_id next = q.push(5);
    const job_id second = q.push(5);
    const job_id last = q.push(9);
    q.push(new_job("of another kind, which nobody can run"));
    BOOST_TEST(why(q, next) == "next_in_line");
    BOOST_TEST(why(q, second) == "behind_others");
    BOOST_TEST(explain(q, second).ahead == 1u);
    BOOST_TEST(explain(q, second).text == "1 job is ahead of it");
    BOOST_TEST(explain(q, last).ahead == 2u);
    q.push(0);
    BOOST_TEST(explain(q, last).ahead == 3u);
    BOOST_TEST(explain(q, next).ahead == 1u);
    while (held.waiting() != 0) {
        held.open();
        ctx.settle();
    }
}

LIFEGUARD_STORE_TEST(a_job_that_an_open_breaker_keeps_out_says_until_when) {
    for (const breaker_scope scope :
         {breaker_scope::worker, breaker_scope::pool, breaker_scope::kind}) {
        const std::string kind = "k" + std::to_string(static_cast<int>(scope));
        const std::string queue = "q" + kind;
        queue_fixture q(ctx, kept);
        q.handle(kind, [](job_context&) -> asio::awaitable<json> {
            throw std::runtime_error("down");
            co_return json();
        });
        worker_pool_options options = one_worker();
        options.queues = {queue};
        options.breaker.threshold = 1;
        options.breaker.open_for = 10s;
        options.breaker_scope = scope;
        pool_fixture p(ctx, q, options);
        new_job job(kind);
        job.queue = queue;
        job.max_attempts = 1;
        p.submit(job);
        const job_id waits = q.push(job);
        ctx.advance(1s);
        BOOST_TEST(why(q, waits) == "breaker_open");
        BOOST_TEST((until(ctx, q, waits) == 9s));
    }
}

BOOST_AUTO_TEST_SUITE_END()
