// which finished jobs are kept, and for how long.
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(pruning)

namespace {

/// The same store, keeping finished jobs like this.
store_under_test that_keeps(const store_under_test& kept, keeping how) {
    return {kept.name, [make = kept.make_keeping, how] { return make(how); }};
}

job_id complete_one(queue_fixture& q, std::string payload = "null") {
    const job_id id = q.push(new_job::from_text("k", std::move(payload)));
    q.complete(q.take());
    return id;
}

job_id discard_one(test_context& ctx, queue_fixture& q) {
    const job_id id = q.push(new_job("k"));
    const taken_job t = q.take();
    ctx.await(q.queue.discard(id, t.token, "no good"));
    return id;
}

} // namespace

LIFEGUARD_STORE_TEST(Q_48_jobs_older_than_60_s_are_pruned_and_59_s_are_kept) {
    keeping how;
    how.ages.completed = how.ages.cancelled = how.ages.discarded = 60s;
    queue_fixture q(ctx, that_keeps(kept, how));
    complete_one(q);
    discard_one(ctx, q);
    ctx.advance(1s);
    complete_one(q);
    discard_one(ctx, q);
    ctx.advance(58s);
    BOOST_TEST(q.counts() == "completed 2, discarded 2");
    ctx.advance(1s + 100ms); // 60.1 s and 59.1 s old
    BOOST_TEST(q.counts() == "completed 1, discarded 1");
    ctx.advance(1s);
    BOOST_TEST(q.counts().empty());
    BOOST_TEST(ctx.time->alarms() == 0u); // nothing to wait for
}

LIFEGUARD_STORE_TEST(Q_48_each_final_state_has_its_own_age) {
    keeping how;
    how.ages.completed = 10s;
    how.ages.cancelled = 20s;
    how.ages.discarded = -1s; // for ever
    queue_fixture q(ctx, that_keeps(kept, how));
    q.handle("never started", [](job_context&) -> asio::awaitable<json> { co_return json(); });
    complete_one(q);
    const job_id dead = discard_one(ctx, q);
    { // withdrawn: the only worker is busy
        gate held;
        q.handle("held", [&](job_context&) -> asio::awaitable<json> {
            co_await held.pass();
            co_return json();
        });
        pool_fixture p(ctx, q, one_worker());
        p.submit(new_job("held"));
        execute_options impatient;
        impatient.checkout_wait = 1s;
        const auto late = ctx.spawn(p.pool.execute(new_job("never started"), impatient));
        ctx.advance(1s);
        BOOST_TEST((late.error() == errc::pool_exhausted));
        held.open();
        ctx.settle();
    }
    BOOST_TEST(q.counts() == "completed 2, cancelled 1, discarded 1");
    ctx.advance(10s + 100ms);
    BOOST_TEST(q.counts() == "cancelled 1, discarded 1");
    ctx.advance(10s);
    BOOST_TEST(q.counts() == "discarded 1");
    ctx.advance(24h * 365);
    BOOST_TEST(q.state(dead) == job_state::discarded);
}

LIFEGUARD_STORE_TEST(Q_48_what_is_not_finished_is_never_pruned) {
    keeping how;
    how.ages.completed = how.ages.cancelled = how.ages.discarded = 1s;
    queue_options options = conformance_options();
    options.lease = 24h;
    queue_fixture q(ctx, that_keeps(kept, how), options);
    const job_id dead = discard_one(ctx, q);
    const taken_job leased = ctx.await(q.queue.take_by_id(dead)); // not finished any more
    q.push(new_job("k"));
    const taken_job failed = q.take();
    q.fail(failed);
    q.push(new_job("k"));
    new_job late("k");
    late.delay = 20h;
    q.push(late);
    ctx.advance(500ms);
    BOOST_TEST(q.counts() == "scheduled 1, available 1, executing 1, retryable 1");
    ctx.advance(10h);
    BOOST_TEST(q.counts() == "scheduled 1, available 2, executing 1");
    q.release(leased);
    BOOST_TEST(q.counts() == "scheduled 1, available 3");
}

LIFEGUARD_STORE_TEST(Q_48_more_than_a_batch_is_pruned_bit_by_bit) {
    keeping how;
    how.ages.completed = 60s;
    queue_fixture q(ctx, that_keeps(kept, how));
    for (int i = 0; i < 1201; ++i)
        complete_one(q);
    BOOST_TEST(q.counts() == "completed 1201");
    ctx.advance(59s);
    BOOST_TEST(q.counts() == "completed 1201");
    ctx.advance(2s);
    BOOST_TEST(q.counts().empty());
}

LIFEGUARD_STORE_TEST(Q_48_the_oldest_go_when_all_take_too_many_bytes) {
    keeping how;
    how.bytes_max = 100'000;
    queue_fixture q(ctx, that_keeps(kept, how));
    const std::string large = '"' + std::string(30'000, 'x') + '"';
    const job_id first = complete_one(q, large);
    const job_id second = complete_one(q, large);
    complete_one(q, large);
    ctx.advance(1s);
    BOOST_TEST(q.counts() == "completed 3");
    complete_one(q, large);
    ctx.advance(1s);
    BOOST_TEST(q.counts() == "completed 3");
    BOOST_TEST(!q.queue.find(first).has_value());
    // Results count, too.
    q.push(new_job("k"));
    q.complete(q.take(), json::array({std::string(70'000, 'y')}));
    ctx.advance(1s);
    BOOST_TEST(q.counts() == "completed 1");
    BOOST_TEST(!q.queue.find(second).has_value());
    // Dead letters have a budget of their own.
    for (int i = 0; i < 4; ++i) {
        const job_id id = q.push(new_job::from_text("k", large));
        ctx.await(q.queue.discard(id, q.take().token, "no good"));
    }
    ctx.advance(1s);
    BOOST_TEST(q.counts() == "completed 1, discarded 3");
}

LIFEGUARD_STORE_TEST(Q_48_no_more_than_so_many_are_kept) {
    keeping how;
    how.number_max = 3;
    queue_fixture q(ctx, that_keeps(kept, how));
    std::vector<job_id> ids;
    for (int i = 0; i < 5; ++i)
        ids.push_back(complete_one(q));
    BOOST_TEST(q.counts() == "completed 3");
    BOOST_TEST(!q.queue.find(ids[1]).has_value());
    BOOST_TEST(q.queue.find(ids[2]).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
