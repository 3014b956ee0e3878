// Section 7.2: leases, by take and token. What workers do with leases is in workers_test.cpp.
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(leases)

namespace {

take_options for_lease(duration lease) {
    take_options options;
    options.lease = lease;
    return options;
}

} // namespace

LIFEGUARD_STORE_TEST(Q_15_a_taken_job_is_leased) {
    queue_fixture q(ctx, kept);
    const job_id id = q.push(new_job("k"));
    const taken_job t = q.take();
    BOOST_TEST(t.id == id);
    BOOST_TEST(t.attempt == 1u);
    BOOST_TEST(q.take(1).empty());
    BOOST_TEST(q.counts() == "executing 1");
}

LIFEGUARD_STORE_TEST(Q_16_a_second_ack_with_the_same_token_says_already_done) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    const taken_job t = q.take();
    q.complete(t, 1);
    BOOST_TEST(q.counts() == "completed 1");
    BOOST_TEST(q.complete_answers(t.id, t.token) == "already_done");
    BOOST_TEST(q.complete_answers(t.id, t.token + 1) == "lease_lost");
    BOOST_TEST(q.complete_answers(t.id, t.token - 1) == "lease_lost");
    BOOST_TEST(q.complete_answers(job_id(), 1) == "not_found");
    BOOST_TEST(q.complete_answers(job_id(1, 2), 1) == "not_found");
    BOOST_TEST(q.figures().completed == 1u);
    BOOST_TEST(q.info(t.id).result == "1");
}

LIFEGUARD_STORE_TEST(Q_17_a_released_job_is_anybodys) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    const auto taken = q.take(for_lease(1s));
    BOOST_TEST_REQUIRE(taken.size() == 1u);
    ctx.advance(200ms);
    BOOST_TEST(q.state(taken[0].id) == job_state::executing);
    q.release(taken[0]);
    BOOST_TEST(q.state(taken[0].id) == job_state::available);
    BOOST_TEST(q.info(taken[0].id).attempt == 0u);
    BOOST_TEST(q.complete_answers(taken[0].id, taken[0].token) == "lease_lost");
    BOOST_TEST(q.take().attempt == 1u);
}

LIFEGUARD_STORE_TEST(Q_18_an_expired_lease_makes_the_job_available_again) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    const taken_job first = q.take();
    BOOST_TEST(first.token == 1u);
    ctx.advance(30s - 1ns);
    BOOST_TEST(q.state(first.id) == job_state::executing);
    ctx.advance(1ns);
    BOOST_TEST(q.state(first.id) == job_state::available);
    BOOST_TEST(q.figures().lease_timeouts == 1u);
    const taken_job second = q.take();
    BOOST_TEST(second.token == 2u);
    BOOST_TEST(second.attempt == 2u);
    BOOST_TEST(q.complete_answers(first.id, first.token) == "lease_lost");
    BOOST_TEST(q.counts() == "executing 1");
    q.complete(second);
}

LIFEGUARD_STORE_TEST(Q_19_leases_out_of_range_are_replaced_by_the_default) {
    queue_fixture q(ctx, kept);
    const auto in_force = [&](duration asked) {
        q.push(new_job("k"));
        const auto taken = q.take(for_lease(asked));
        BOOST_TEST_REQUIRE(taken.size() == 1u);
        const duration length = taken[0].lease_until - ctx.time->now();
        BOOST_TEST((ctx.await(q.queue.extend(taken[0].id, taken[0].token, asked)) ==
                    taken[0].lease_until));
        q.complete(taken[0]);
        return length;
    };
    for (const duration wrong :
         {duration(0s), duration(-1s), duration(999ms), duration(24h + 1s), duration::max()})
        BOOST_TEST((in_force(wrong) == 30s));
    for (const auto exact : {1s, 120s, 4294s, 4295s, 21600s, 86400s})
        BOOST_TEST((in_force(exact) == exact));

    queue_options options = conformance_options();
    options.lease = 999ms;
    queue_fixture other(ctx, kept, options);
    other.push(new_job("k"));
    const taken_job t = other.take();
    BOOST_TEST((t.lease_until - ctx.time->now() == queue_options().lease));
    other.complete(t);
}

LIFEGUARD_STORE_TEST(Q_20_extend_counts_from_now) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    const taken_job t = q.take();
    ctx.advance(20s);
    const time_point until = ctx.await(q.queue.extend(t.id, t.token));
    BOOST_TEST((until - ctx.time->now() == 30s));
    ctx.advance(30s - 1ns);
    BOOST_TEST(q.state(t.id) == job_state::executing);
    ctx.advance(1ns);
    BOOST_TEST(q.state(t.id) == job_state::available);
}

LIFEGUARD_STORE_TEST(Q_20_extending_a_list_touches_only_those) {
    queue_fixture q(ctx, kept);
    for (int i = 0; i < 4; ++i)
        q.push(new_job("k"));
    const auto taken = q.take(3);
    BOOST_TEST_REQUIRE(taken.size() == 3u);
    const job_id waiting = q.push(new_job("k"));
    ctx.advance(20s);
    std::vector<lease_token> leases{{taken[0].id, taken[0].token},
                                    {waiting, 0},
                                    {job_id(1, 2), 1},
                                    {taken[1].id, taken[1].token}};
    const auto answers = ctx.await(q.queue.extend(leases));
    BOOST_TEST_REQUIRE(answers.size() == 4u);
    BOOST_TEST(!answers[0]);
    BOOST_TEST(answers[1] == errc::lease_lost);
    BOOST_TEST(answers[2] == errc::not_found);
    BOOST_TEST(!answers[3]);
    BOOST_TEST(q.state(waiting) == job_state::available);
    ctx.advance(10s);
    BOOST_TEST(q.state(taken[0].id) == job_state::executing);
    BOOST_TEST(q.state(taken[1].id) == job_state::executing);
    BOOST_TEST(q.state(taken[2].id) == job_state::available);
    ctx.advance(20s);
    BOOST_TEST(q.counts() == "available 5");
}

LIFEGUARD_STORE_TEST(Q_22_rescue_of_expired_leases) {
    queue_fixture q(ctx, kept);
    new_job once("k");
    once.max_attempts = 1;
    const job_id expires = q.push(new_job("k"));
    const job_id expires_last = q.push(once);
    BOOST_TEST(q.take(for_lease(10s)).size() == 1u);
    const auto last = q.take(for_lease(10s));
    BOOST_TEST_REQUIRE(last.size() == 1u);
    q.push(new_job("k"));
    q.push(new_job("k"));
    BOOST_TEST(q.take(2).size() == 2u);
    ctx.advance(10s);
    BOOST_TEST(q.counts() == "available 1, executing 2, discarded 1");
    for (const job_id& id : {expires, expires_last}) {
        const job_info info = q.info(id);
        BOOST_TEST_REQUIRE(info.errors.size() == 1u);
        BOOST_TEST(info.errors[0].text == "lease expired");
        BOOST_TEST(info.errors[0].attempt == 1u);
    }
    BOOST_TEST(q.state(expires) == job_state::available);
    BOOST_TEST(q.state(expires_last) == job_state::discarded);
    // The loser must not take that for its own success.
    BOOST_TEST(q.complete_answers(expires_last, last[0].token) == "lease_lost");
    BOOST_TEST(q.figures().lease_timeouts == 2u);
    ctx.advance(20s);
    BOOST_TEST(q.counts() == "available 3, discarded 1");
    ctx.advance(1h); // over an empty set
    BOOST_TEST(q.figures().lease_timeouts == 4u);
}

LIFEGUARD_STORE_TEST(Q_22_a_time_limit_longer_than_the_lease_protects) {
    queue_fixture q(ctx, kept);
    new_job slow("k");
    slow.timeout = 100s;
    q.push(slow);
    const taken_job t = q.take();
    BOOST_TEST((t.lease_until - ctx.time->now() == 100s));
    ctx.advance(100s - 1ns);
    BOOST_TEST(q.state(t.id) == job_state::executing);
    ctx.advance(1ns);
    BOOST_TEST(q.state(t.id) == job_state::available);
}

LIFEGUARD_STORE_TEST(Q_24_removing_jobs) {
    queue_fixture q(ctx, kept);
    const job_id available = q.push(new_job("k"));
    ctx.await(q.queue.remove(available));
    BOOST_TEST(!q.queue.find(available));

    new_job later("k");
    later.delay = 1h;
    const job_id scheduled = q.push(later);
    ctx.await(q.queue.remove(scheduled));
    BOOST_TEST(!q.queue.find(scheduled));

    const job_id dead = q.push(new_job("k"));
    const taken_job dying = q.take();
    ctx.await(q.queue.discard(dying.id, dying.token, "no"));
    ctx.await(q.queue.remove(dead));
    BOOST_TEST(!q.queue.find(dead));

    q.push(new_job("k"));
    const taken_job t = q.take();
    BOOST_TEST(thrown_by([&] { ctx.await(q.queue.remove(t.id)); }).code == errc::executing);
    BOOST_TEST(q.counts() == "executing 1");
    q.complete(t);
    ctx.await(q.queue.remove(t.id));
    BOOST_TEST(thrown_by([&] { ctx.await(q.queue.remove(t.id)); }).code == errc::not_found);
    BOOST_TEST(q.counts() == "");
}

LIFEGUARD_STORE_TEST(Q_25_take_by_id) {
    queue_fixture q(ctx, kept);
    const auto take_and_release = [&](const job_id& id) {
        const taken_job t = ctx.await(q.queue.take_by_id(id));
        BOOST_TEST(t.id == id);
        BOOST_TEST(q.state(id) == job_state::executing);
        BOOST_TEST(thrown_by([&] { ctx.await(q.queue.take_by_id(id)); }).code == errc::not_found);
        q.release(t);
        BOOST_TEST(q.state(id) == job_state::available);
    };
    for (int i = 0; i < 3; ++i)
        q.push(new_job("k"));
    take_and_release(q.push(new_job("k")));
    new_job later("k");
    later.delay = 1h;
    take_and_release(q.push(later));
    const job_id dead = q.push(new_job("k"));
    const taken_job dying = ctx.await(q.queue.take_by_id(dead));
    ctx.await(q.queue.discard(dying.id, dying.token, "no"));
    take_and_release(dead);
    BOOST_TEST(thrown_by([&] { ctx.await(q.queue.take_by_id(job_id(1, 2))); }).code ==
               errc::not_found);
    // It can be taken as any other then.
    std::size_t taken = 0;
    while (q.take(1).size() == 1)
        ++taken;
    BOOST_TEST(taken == 6u);
    BOOST_TEST(q.counts() == "executing 6");
}

BOOST_AUTO_TEST_SUITE_END()
