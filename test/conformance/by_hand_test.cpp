// What people do with jobs by hand: bury, kick, retry (section 7.3).
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(by_hand)

namespace {

/// A job that has been buried.
job_id dead(test_context& ctx, queue_fixture& q, new_job job = new_job("k")) {
    const job_id id = q.push(std::move(job));
    const taken_job t = ctx.await(q.queue.take_by_id(id));
    ctx.await(q.queue.discard(t.id, t.token, "buried"));
    return id;
}

new_job in(duration delay) {
    new_job job("k");
    job.delay = delay;
    return job;
}

errc kick_answers(test_context& ctx, queue_fixture& q, const job_id& id) {
    return static_cast<errc>(thrown_by([&] { ctx.await(q.queue.kick(id)); }).code.value());
}

} // namespace

LIFEGUARD_STORE_TEST(Q_35_burying_needs_the_lease) {
    queue_fixture q(ctx, kept);
    const job_id id = q.push(new_job("k"));
    const auto bury = [&](std::uint32_t token) {
        return thrown_by([&] { ctx.await(q.queue.discard(id, token, "buried")); }).code;
    };
    BOOST_TEST(bury(0) == errc::lease_lost);
    BOOST_TEST(q.state(id) == job_state::available);
    const taken_job t = q.take();
    BOOST_TEST(bury(t.token + 1) == errc::lease_lost);
    BOOST_TEST(q.state(id) == job_state::executing);
    BOOST_TEST(!bury(t.token));
    BOOST_TEST(q.state(id) == job_state::discarded);
}

LIFEGUARD_STORE_TEST(Q_35_a_kicked_job_is_available) {
    queue_fixture q(ctx, kept);
    BOOST_TEST(ctx.await(q.queue.kick("default")) == 0u);
    const job_id id = dead(ctx, q);
    BOOST_TEST(ctx.await(q.queue.kick("other")) == 0u);
    BOOST_TEST(ctx.await(q.queue.kick("default")) == 1u);
    BOOST_TEST(q.counts() == "available 1");
    BOOST_TEST(ctx.await(q.queue.kick("default")) == 0u);
    const taken_job t = q.take();
    BOOST_TEST(t.id == id);
    BOOST_TEST(t.token == 2u);
    q.complete(t, 1);
    BOOST_TEST(q.info(id).result == "1");
    BOOST_TEST(q.info(id).errors.size() == 1u);
    for (const std::size_t wrong : {std::size_t{0}, std::size_t{10'001}})
        BOOST_TEST(thrown_by([&] { ctx.await(q.queue.kick("default", wrong)); }).code ==
                   errc::invalid_option);
}

LIFEGUARD_STORE_TEST(Q_35_kick_by_id) {
    queue_fixture q(ctx, kept);
    const job_id buried = dead(ctx, q);
    const job_id scheduled = q.push(in(1h));
    const job_id available = q.push(new_job("k"));
    for (const job_id& id : {buried, scheduled}) {
        BOOST_TEST(kick_answers(ctx, q, id) == errc());
        BOOST_TEST(q.state(id) == job_state::available);
        BOOST_TEST(kick_answers(ctx, q, id) == errc::not_found);
    }
    BOOST_TEST(kick_answers(ctx, q, available) == errc::not_found);
    BOOST_TEST(kick_answers(ctx, q, job_id(1, 2)) == errc::not_found);
    // Behind the one that was there.
    BOOST_TEST(q.take().id == available);
    BOOST_TEST(kick_answers(ctx, q, available) == errc::not_found); // leased
    BOOST_TEST(q.take().id == buried);
    BOOST_TEST(q.take().id == scheduled);
    ctx.advance(2h);
    BOOST_TEST(q.counts() == "available 3"); // leases ran out; nothing is due twice
}

LIFEGUARD_STORE_TEST(Q_35_dead_jobs_are_kicked_first_the_oldest_first) {
    queue_fixture q(ctx, kept);
    new_job elsewhere("k");
    elsewhere.queue = "other";
    dead(ctx, q, elsewhere);
    const job_id soon = q.push(in(1h));
    const job_id late = q.push(in(2h));
    std::vector<job_id> buried;
    for (int i = 0; i < 3; ++i) {
        ctx.advance(1s);
        buried.push_back(dead(ctx, q));
    }
    BOOST_TEST(ctx.await(q.queue.kick("default", 2)) == 2u);
    BOOST_TEST(q.counts() == "scheduled 2, available 2, discarded 1");
    BOOST_TEST(q.take().id == buried[0]);
    BOOST_TEST(q.take().id == buried[1]);
    BOOST_TEST(ctx.await(q.queue.kick("default", 10)) == 1u);
    BOOST_TEST(q.counts() == "scheduled 2, available 1, executing 2");
    BOOST_TEST(ctx.await(q.queue.kick("default", 1)) == 1u);
    BOOST_TEST(q.state(soon) == job_state::available);
    BOOST_TEST(q.state(late) == job_state::scheduled);
    BOOST_TEST(ctx.await(q.queue.kick("default", 10)) == 1u);
    BOOST_TEST(q.counts() == "available 3, executing 2");
    BOOST_TEST(q.counts("other") == "discarded 1");
}

LIFEGUARD_STORE_TEST(Q_36_manual_retry) {
    queue_fixture q(ctx, kept);
    const auto retry = [&](const job_id& id) { return ctx.await(q.queue.retry(id)); };

    new_job twice("k");
    twice.max_attempts = 2;
    const job_id used_up = q.push(twice);
    q.fail(q.take());
    ctx.advance(1s);
    q.fail(q.take());
    BOOST_TEST(q.info(used_up).attempt == 2u);
    BOOST_TEST(q.state(used_up) == job_state::discarded);
    BOOST_TEST(retry(used_up) == job_state::available);
    job_info info = q.info(used_up);
    BOOST_TEST(info.state == job_state::available);
    BOOST_TEST(info.attempt == 2u);
    BOOST_TEST(info.max_attempts == 3u);
    BOOST_TEST(info.errors.size() == 2u);
    BOOST_TEST(!info.finished_at);
    const taken_job third = q.take();
    BOOST_TEST(third.attempt == 3u);
    q.fail(third);
    BOOST_TEST(q.state(used_up) == job_state::discarded);

    const job_id done = q.push(new_job("k"));
    q.complete(q.take(), 1);
    BOOST_TEST(retry(done) == job_state::available);
    info = q.info(done);
    BOOST_TEST(info.max_attempts == 20u);
    BOOST_TEST(info.result.empty());
    const taken_job again = q.take();
    BOOST_TEST(again.id == done);
    BOOST_TEST(retry(done) == job_state::executing);
    BOOST_TEST(q.state(done) == job_state::executing);
    BOOST_TEST(q.info(done).attempt == 2u);
    q.fail(again);
    BOOST_TEST(q.state(done) == job_state::retryable);
    BOOST_TEST(retry(done) == job_state::available);
    BOOST_TEST(retry(done) == job_state::available);
    const taken_job at_last = q.take();
    BOOST_TEST(at_last.id == done);
    q.complete(at_last, 2);
    BOOST_TEST(q.info(done).result == "2");

    const job_id withdrawn = q.push(new_job("k"));
    BOOST_TEST(ctx.await(q.queue.cancel(withdrawn)) == job_state::cancelled);
    BOOST_TEST(retry(withdrawn) == job_state::available);
    BOOST_TEST(q.take().id == withdrawn);
    BOOST_TEST(thrown_by([&] { retry(job_id(1, 2)); }).code == errc::not_found);
    BOOST_TEST(q.counts() == "executing 1, completed 1, discarded 1");
}

LIFEGUARD_STORE_TEST(Q_36_a_retried_job_is_run) {
    queue_fixture q(ctx, kept);
    bool works = false;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        if (!works)
            throw discard_job("not yet");
        co_return 1;
    });
    pool_fixture p(ctx, q, one_worker());
    const job_id id = p.submit(new_job("k"));
    BOOST_TEST(q.state(id) == job_state::discarded);
    works = true;
    BOOST_TEST(ctx.await(q.queue.retry(id)) == job_state::available);
    ctx.settle();
    BOOST_TEST(q.state(id) == job_state::completed);
    BOOST_TEST(ctx.await(q.queue.result(id)) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
