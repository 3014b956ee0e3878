// Section 7.4: cancelling jobs.
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(cancel)

namespace {

job_state cancel(test_context& ctx, queue_fixture& q, const job_id& id) {
    return ctx.await(q.queue.cancel(id));
}

} // namespace

LIFEGUARD_STORE_TEST(Q_38_a_job_that_nobody_has_is_cancelled_at_once) {
    queue_fixture q(ctx, kept);
    const job_id available = q.push(new_job("k"));
    new_job later("k");
    later.delay = 1h;
    const job_id scheduled = q.push(later);
    const job_id retry = q.push(new_job("k"));
    q.fail(ctx.await(q.queue.take_by_id(retry)));
    ctx.advance(1ms); // what it says later is not about the attempt that failed now
    auto waits = ctx.spawn(q.queue.result(retry));
    ctx.settle();
    for (const job_id& id : {available, scheduled, retry}) {
        BOOST_TEST(cancel(ctx, q, id) == job_state::cancelled);
        BOOST_TEST(q.state(id) == job_state::cancelled);
        BOOST_TEST(q.info(id).finished_at.has_value());
        BOOST_TEST(cancel(ctx, q, id) == job_state::cancelled);
    }
    BOOST_TEST(q.info(available).errors.empty());
    BOOST_TEST(q.info(retry).errors.size() == 1u); // of its attempt
    ctx.settle();
    const thrown t = thrown_by([&] { waits.get(); });
    BOOST_TEST(t.code == errc::job_cancelled);
    BOOST_TEST(t.text.find("boom") == std::string::npos);
    BOOST_TEST(q.figures().cancelled == 3u);
    ctx.advance(2h);
    BOOST_TEST(q.take(1).empty());
    BOOST_TEST(thrown_by([&] { cancel(ctx, q, job_id(1, 2)); }).code == errc::not_found);
}

LIFEGUARD_STORE_TEST(Q_38_a_finished_job_stays_what_it_is) {
    queue_fixture q(ctx, kept);
    const job_id done = q.push(new_job("k"));
    q.complete(q.take(), 1);
    BOOST_TEST(cancel(ctx, q, done) == job_state::completed);
    BOOST_TEST(q.info(done).result == "1");
    const job_id dead = q.push(new_job("k"));
    const taken_job t = q.take();
    ctx.await(q.queue.discard(t.id, t.token, "no"));
    BOOST_TEST(cancel(ctx, q, dead) == job_state::discarded);
    BOOST_TEST(q.counts() == "completed 1, discarded 1");
}

LIFEGUARD_STORE_TEST(Q_38_the_handler_of_an_executing_job_is_asked_to_stop) {
    queue_fixture q(ctx, kept);
    gate held;
    bool asked = false;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        try {
            co_await held.pass();
        } catch (const boost::system::system_error&) {
            asked = true;
            throw;
        }
        co_return json();
    });
    pool_fixture p(ctx, q, one_worker());
    const job_id id = p.submit(new_job("k"));
    BOOST_TEST(held.waiting() == 1u);
    const job_id next = p.submit(new_job("k"));
    BOOST_TEST(cancel(ctx, q, id) == job_state::executing);
    ctx.settle();
    BOOST_TEST(asked);
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::cancelled);
    BOOST_TEST_REQUIRE(info.errors.size() == 1u);
    BOOST_TEST(info.errors[0].text == "cancelled");
    BOOST_TEST(info.errors[0].attempt == 1u);
    // The worker lives, and does not hold it against anybody.
    BOOST_TEST(q.state(next) == job_state::executing);
    const worker_status w = p.pool.worker("p/1");
    BOOST_TEST(w.incarnation == 1u);
    BOOST_TEST(w.failed == 0u);
    held.open();
    ctx.settle();
    BOOST_TEST(q.state(next) == job_state::completed);
    BOOST_TEST(q.figures().failed == 0u);
    BOOST_TEST(q.figures().cancelled == 1u);
}

LIFEGUARD_STORE_TEST(Q_38_a_handler_may_complete_nevertheless_or_fail_its_own_way) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("completes", [&](job_context&) -> asio::awaitable<json> {
        try {
            co_await held.pass();
        } catch (const boost::system::system_error&) { // NOLINT: it is done anyway
        }
        co_return 1;
    });
    q.handle("fails", [&](job_context&) -> asio::awaitable<json> {
        try {
            co_await held.pass();
        } catch (const boost::system::system_error&) {
            throw std::runtime_error("half done");
        }
        co_return 1;
    });
    q.handle("snoozes", [&](job_context&) -> asio::awaitable<json> {
        try {
            co_await held.pass();
        } catch (const boost::system::system_error&) {
            throw snooze_job(1h);
        }
        co_return 1;
    });
    q.handle("gives up", [&](job_context&) -> asio::awaitable<json> {
        try {
            co_await held.pass();
        } catch (const boost::system::system_error&) {
            throw discard_job("hopeless");
        }
        co_return 1;
    });
    pool_fixture p(ctx, q, one_worker());
    const auto cancelled = [&](const char* kind) {
        const job_id id = p.submit(new_job(kind));
        BOOST_TEST(cancel(ctx, q, id) == job_state::executing);
        ctx.settle();
        return q.info(id);
    };
    job_info info = cancelled("completes");
    BOOST_TEST(info.state == job_state::completed);
    BOOST_TEST(info.result == "1");
    BOOST_TEST(info.errors.empty());
    info = cancelled("fails");
    BOOST_TEST(info.state == job_state::cancelled);
    BOOST_TEST_REQUIRE(info.errors.size() == 1u);
    BOOST_TEST(info.errors[0].text == "cancelled: half done");
    info = cancelled("snoozes");
    BOOST_TEST(info.state == job_state::cancelled);
    BOOST_TEST(info.errors.size() == 1u);
    info = cancelled("gives up");
    BOOST_TEST(info.state == job_state::discarded);
    BOOST_TEST(info.errors.size() == 1u);
    BOOST_TEST(held.waiting() == 0u);
}

LIFEGUARD_STORE_TEST(Q_38_a_handler_that_does_not_obey_is_forced_and_then_given_up) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("deaf", [&](job_context&) -> asio::awaitable<json> {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        co_await held.pass();
        co_return json();
    });
    q.handle("immovable", [&](job_context&) -> asio::awaitable<json> {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await held.pass();
        co_return json();
    });
    worker_pool_options options = one_worker();
    pool_fixture p(ctx, q, options);
    const job_id deaf = p.submit(new_job("deaf"));
    BOOST_TEST(cancel(ctx, q, deaf) == job_state::executing);
    BOOST_TEST(cancel(ctx, q, deaf) == job_state::executing); // once is enough
    BOOST_TEST(q.info(deaf).cancel_asked);
    ctx.advance(options.cancel_grace - 1ns);
    BOOST_TEST(q.state(deaf) == job_state::executing);
    ctx.advance(1ns);
    BOOST_TEST(q.state(deaf) == job_state::cancelled);
    BOOST_TEST(q.info(deaf).errors.size() == 1u);
    BOOST_TEST(p.pool.status().timeouts_total == 0u);

    const job_id immovable = p.submit(new_job("immovable"));
    BOOST_TEST(cancel(ctx, q, immovable) == job_state::executing);
    ctx.advance(options.stuck_threshold + options.cancel_grace);
    const job_info info = q.info(immovable);
    BOOST_TEST(info.state == job_state::cancelled);
    BOOST_TEST_REQUIRE(info.errors.size() == 1u);
    BOOST_TEST(info.errors[0].text == "cancelled: it did not stop");
    BOOST_TEST(p.pool.status().stuck_total == 1u);
    held.open();
    ctx.settle();
    BOOST_TEST(q.state(immovable) == job_state::cancelled); // too late
}

LIFEGUARD_STORE_TEST(Q_38_a_job_that_a_worker_has_not_started_is_cancelled_at_once) {
    queue_fixture q(ctx, kept);
    gate held;
    int ran = 0;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        ++ran;
        co_await held.pass();
        co_return json();
    });
    std::vector<job_id> ids;
    for (int i = 0; i < 5; ++i)
        ids.push_back(q.push(new_job("k")));
    worker_pool_options options = one_worker();
    options.pull_size = 4;
    pool_fixture p(ctx, q, options);
    BOOST_TEST(q.counts() == "available 1, executing 4");
    BOOST_TEST(cancel(ctx, q, ids[2]) == job_state::cancelled);
    BOOST_TEST(cancel(ctx, q, ids[2]) == job_state::cancelled);
    BOOST_TEST(q.info(ids[2]).attempt == 0u);
    BOOST_TEST(q.info(ids[2]).errors.empty());
    while (held.waiting() != 0) {
        held.open();
        ctx.settle();
    }
    BOOST_TEST(ran == 4);
    BOOST_TEST(q.counts() == "completed 4, cancelled 1");
}

LIFEGUARD_STORE_TEST(Q_38_who_took_the_job_decides_by_how_it_ends) {
    queue_fixture q(ctx, kept);
    const auto taken = [&] {
        q.push(new_job("k"));
        taken_job t = q.take();
        BOOST_TEST(cancel(ctx, q, t.id) == job_state::executing);
        BOOST_TEST(q.info(t.id).cancel_asked);
        return t;
    };
    const auto check = [&](const taken_job& t, std::string_view text) {
        const job_info info = q.info(t.id);
        BOOST_TEST(info.state == job_state::cancelled);
        BOOST_TEST_REQUIRE(info.errors.size() == 1u);
        BOOST_TEST(info.errors[0].text == text);
        BOOST_TEST(!info.cancel_asked);
    };
    taken_job t = taken();
    q.complete(t, 1);
    BOOST_TEST(q.state(t.id) == job_state::completed);
    t = taken();
    q.fail(t);
    check(t, "cancelled: boom");
    t = taken();
    ctx.await(q.queue.retry_at(t.id, t.token, ctx.time->wall_now() + 1h, "later"));
    check(t, "cancelled: later");
    t = taken();
    ctx.await(q.queue.snooze(t.id, t.token, 1h));
    check(t, "cancelled");
    t = taken();
    q.release(t);
    check(t, "cancelled");
    // Who asks for more time is told; who says nothing loses the job.
    t = taken();
    BOOST_TEST(thrown_by([&] { ctx.await(q.queue.extend(t.id, t.token)); }).code ==
               errc::job_cancelled);
    const auto answers = ctx.await(q.queue.extend(std::vector{lease_token{t.id, t.token}}));
    BOOST_TEST((answers.at(0) == errc::job_cancelled));
    ctx.advance(30s);
    check(t, "cancelled: lease expired");
    BOOST_TEST(q.complete_answers(t.id, t.token) == "lease_lost");
    BOOST_TEST(q.counts() == "completed 1, cancelled 5");
    // Run again by hand, it is a job like any other.
    BOOST_TEST(ctx.await(q.queue.retry(t.id)) == job_state::available);
    q.fail(q.take());
    BOOST_TEST(q.state(t.id) == job_state::retryable);
}

LIFEGUARD_STORE_TEST(Q_38_who_executes_is_told) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    pool_fixture p(ctx, q, one_worker());
    for (const bool starts : {true, false}) {
        new_job job("k");
        job.id = job_id(1, starts ? 2 : 3);
        job.delay = starts ? 0s : 1s;
        auto waits = ctx.spawn(p.pool.execute(job));
        ctx.settle();
        BOOST_TEST(cancel(ctx, q, job.id) ==
                   (starts ? job_state::executing : job_state::cancelled));
        ctx.settle();
        BOOST_TEST_REQUIRE(waits.ready());
        const thrown t = thrown_by([&] { waits.get(); });
        BOOST_TEST(t.code == errc::job_cancelled);
        BOOST_TEST_CONTEXT(t.text) { BOOST_TEST(t.text.find("cancelled") != std::string::npos); }
    }
}

BOOST_AUTO_TEST_SUITE_END()
