#include "queue/memory_queue.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(result)

LIFEGUARD_TEST(a_result_can_be_awaited_before_and_after_the_end) {
    queue_fixture q(ctx, in_memory());
    const job_id id = q.push(new_job("k"));
    auto early = ctx.spawn(q.queue.result(id));
    auto also = ctx.spawn(q.queue.result(id));
    ctx.settle();
    BOOST_TEST(!early.ready());
    json value;
    value["n"] = 7;
    q.complete(q.take(), value);
    BOOST_TEST_REQUIRE(early.ready());
    BOOST_TEST((early.get() == value));
    BOOST_TEST((also.get() == value));
    BOOST_TEST((ctx.await(q.queue.result(id)) == value));
    BOOST_TEST(q.info(id).result == R"({"n":7})");
}

LIFEGUARD_TEST(a_job_without_a_result_says_why) {
    queue_fixture q(ctx, in_memory());
    const job_id dead = q.push(new_job("k"));
    auto waits = ctx.spawn(q.queue.result(dead));
    ctx.settle();
    const taken_job t = q.take();
    ctx.await(q.queue.discard(t.id, t.token, "no good"));
    for (int i = 0; i < 2; ++i) { // waiting, and later
        const thrown e = thrown_by([&] { i == 0 ? waits.get() : ctx.await(q.queue.result(dead)); });
        BOOST_TEST(e.code == errc::job_discarded);
        BOOST_TEST(e.text.find("no good") != std::string::npos);
    }
    const job_id gone = q.push(new_job("k"));
    auto removed = ctx.spawn(q.queue.result(gone));
    ctx.settle();
    ctx.await(q.queue.remove(gone));
    BOOST_TEST(removed.error() == errc::job_cancelled);
    BOOST_TEST(thrown_by([&] { ctx.await(q.queue.result(gone)); }).code == errc::not_found);
}

LIFEGUARD_TEST(a_waiter_that_is_cancelled_leaves_the_job_alone) {
    queue_fixture q(ctx, in_memory());
    const job_id id = q.push(new_job("k"));
    auto waits = ctx.spawn(q.queue.result(id));
    ctx.settle();
    waits.cancel();
    ctx.settle();
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(waits.error() == asio::error::operation_aborted);
    q.complete(q.take(), 1);
    BOOST_TEST((ctx.await(q.queue.result(id)) == json(1)));
}

LIFEGUARD_TEST(results_are_forgotten_when_there_are_too_many) {
    memory_store_options options;
    options.finished_max = 2;
    options.discarded_max = 0;
    queue_fixture q(ctx, in_memory(options));
    std::vector<job_id> ids;
    for (int i = 0; i < 3; ++i) {
        ids.push_back(q.push(new_job("k")));
        q.complete(q.take(), i);
    }
    BOOST_TEST(!q.queue.find(ids[0]));
    BOOST_TEST((ctx.await(q.queue.result(ids[2])) == json(2)));
    // One that is forgotten at once still answers who waits for it.
    const job_id dead = q.push(new_job("k"));
    auto waits = ctx.spawn(q.queue.result(dead));
    ctx.settle();
    const taken_job t = q.take();
    ctx.await(q.queue.discard(t.id, t.token, "no good"));
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(waits.error() == errc::job_discarded);
    BOOST_TEST(!q.queue.find(dead));
    BOOST_TEST(q.counts() == "completed 2");
}

LIFEGUARD_TEST(a_result_that_is_not_utf8_can_be_looked_at) {
    queue_fixture q(ctx, in_memory());
    const job_id id = q.push(new_job("k"));
    q.complete(q.take(), "caf\xe9");
    BOOST_TEST(json::accept(q.info(id).result));
}

LIFEGUARD_TEST(find_tells_what_is_known) {
    queue_fixture q(ctx, in_memory());
    BOOST_TEST(!q.queue.find(job_id(1, 2)));
    new_job job("k", json::parse(R"({"a":1})"));
    job.queue = "q";
    job.priority = 2;
    job.delay = 5s;
    const wall_time start = ctx.time->wall_now();
    const job_id id = q.push(job);
    job_info info = q.info(id);
    BOOST_TEST(info.kind == "k");
    BOOST_TEST(info.queue == "q");
    BOOST_TEST(info.priority == 2);
    BOOST_TEST(info.max_attempts == 20u);
    BOOST_TEST(info.payload == R"({"a":1})");
    BOOST_TEST((info.created_at == start));
    BOOST_TEST((info.run_at == start + 5s));
    BOOST_TEST(!info.attempted_at.has_value());
    BOOST_TEST(info.waits_for_handler == false);
    ctx.advance(5s);
    BOOST_TEST(q.info(id).waits_for_handler);
    q.complete(q.take(1, "q").at(0));
    info = q.info(id);
    BOOST_TEST((info.attempted_at == start + 5s));
    BOOST_TEST((info.finished_at == start + 5s));
    BOOST_TEST(info.result == "null");
}

BOOST_AUTO_TEST_SUITE_END()
