// The life of an execute, and its lesser relatives: submit and result.
#include "worker/rig.hpp"

#include <boost/asio/post.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

std::string nested(int levels) {
    return std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']');
}

} // namespace

BOOST_AUTO_TEST_SUITE(execute)

LIFEGUARD_TEST(result_is_what_the_handler_returned) {
    rig r(ctx, workers(2));
    BOOST_TEST(r.done("double", 4) == json(8));
    BOOST_TEST(r.done("echo", {{"a", {1, 2}}}) == json({{"a", {1, 2}}}));
    BOOST_TEST(r.done("echo") == json());
    BOOST_TEST(r.status().timeouts_armed == 3U);
}

LIFEGUARD_TEST(error_of_the_handler_passes_unchanged_and_it_is_tried_once) {
    struct own_error : std::runtime_error {
        using std::runtime_error::runtime_error;
        int detail = 7;
    };
    rig r(ctx, workers(1));
    r.the_engine().handle("own", [](job_context& job) -> asio::awaitable<json> {
        BOOST_ASSERT(job.max_attempts() == 1);
        throw own_error("mine");
        co_return 1;
    });
    const auto f = r.execute("own");
    int detail = 0;
    try {
        std::rethrow_exception(f.exception());
    } catch (const own_error& e) {
        detail = e.detail;
    }
    BOOST_TEST(detail == 7);
    BOOST_TEST(message_of(f) == "mine");
    BOOST_TEST(ctx.time->alarms() <= 1U); // no retry is planned
    BOOST_TEST(r.metric("lifeguard_jobs_discarded_total") == 1);
}

LIFEGUARD_TEST(job_may_ask_for_more_attempts) {
    engine_options more;
    more.queue.retry = backoff{.offset = 1s, .base = 0s, .factor = 1, .cap = 1h, .jitter = 0};
    rig r(ctx, workers(1), more);
    r.the_engine().handle("third", [](job_context& job) -> asio::awaitable<json> {
        if (job.attempt() < 3)
            throw std::runtime_error("not yet");
        co_return job.attempt();
    });
    new_job job("third");
    job.max_attempts = 3;
    const auto f = r.execute(job);
    ctx.advance(1s);
    BOOST_TEST(!f.ready());
    ctx.advance(1s);
    BOOST_TEST(test_future(f).get() == json(3));
}

LIFEGUARD_TEST(exhausted_pool_withdraws_the_job_unattempted) {
    rig r(ctx, workers(1));
    const auto held = r.execute("wait");
    new_job job("double", 1);
    job.id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-1234567890ab");
    const auto f = r.execute(job, {.checkout_wait = 100ms});
    ctx.advance(99ms);
    BOOST_TEST(!f.ready());
    ctx.advance(1ms);
    BOOST_TEST((f.error() == errc::pool_exhausted));
    BOOST_TEST(message_of(f).find("pool 'p'") != std::string::npos, message_of(f));
    BOOST_TEST(r.state(job.id) == "cancelled");
    BOOST_TEST(r.job(job.id).attempt == 0U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(held.ready());
    BOOST_TEST(r.started.load() == 1);
}

LIFEGUARD_TEST(job_that_a_busy_worker_has_taken_in_advance_is_withdrawn_too) {
    rig r(ctx, workers(1));
    r.submit("nap", 10);
    r.submit("wait");
    const auto f = r.execute("double", 1, {.checkout_wait = 100ms});
    ctx.advance(10ms);
    BOOST_TEST(r.loads() == "p/1 busy 1 +1"); // it took both
    ctx.advance(90ms);
    BOOST_TEST((f.error() == errc::pool_exhausted));
    BOOST_TEST(r.loads() == "p/1 busy 1");
    BOOST_TEST(r.status().callers_waiting == 0U);
}

LIFEGUARD_TEST(job_that_has_been_started_is_not_withdrawn) {
    rig r(ctx, workers(1));
    const auto first = r.execute("nap", 3000);
    const auto second = r.execute("nap", 10'000);
    ctx.advance(3s);
    BOOST_TEST(first.ready());
    ctx.advance(9s);
    BOOST_TEST(!second.ready());
    BOOST_TEST(r.status().exhausted_total == 0U);
    ctx.advance(1s);
    BOOST_TEST(test_future(second).get() == json(10'000));
}

LIFEGUARD_TEST(no_checkout_wait_at_all) {
    rig r(ctx, workers(1));
    BOOST_TEST(test_future(r.execute("double", 1, {.checkout_wait = 0s})).get() == json(2));
    const auto held = r.execute("wait");
    const auto f = r.execute("double", 1, {.checkout_wait = 0s});
    ctx.advance(0s);
    BOOST_TEST((f.error() == errc::pool_exhausted));
}

LIFEGUARD_TEST(wait_for_a_worker_begins_when_the_job_is_due) {
    rig r(ctx, workers(1));
    new_job later("double", 1);
    later.delay = 20s;
    const auto f = r.execute(later);
    ctx.advance(19s);
    BOOST_TEST(!f.ready());
    BOOST_TEST(r.status().exhausted_total == 0U);
    ctx.advance(1s);
    BOOST_TEST(test_future(f).get() == json(2));
    new_job blocked("double", 1);
    blocked.delay = 20s;
    const auto held = r.execute(new_job("wait"));
    const auto g = r.execute(blocked);
    ctx.advance(24s);
    BOOST_TEST(!g.ready());
    ctx.advance(1s);
    BOOST_TEST((g.error() == errc::pool_exhausted));
}

LIFEGUARD_TEST(execute_wait_bounds_the_caller_and_the_job_goes_on) {
    rig r(ctx, workers(1));
    new_job job("nap", 2000);
    job.id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-1234567890ab");
    const auto f = r.execute(job, {.execute_wait = 1s});
    ctx.advance(1s);
    BOOST_TEST((f.error() == errc::timeout));
    BOOST_TEST(r.state(job.id) == "executing");
    ctx.advance(1s);
    BOOST_TEST(r.state(job.id) == "completed");
    BOOST_TEST(ctx.await(r.pool().result(job.id)) == json(2000));
}

LIFEGUARD_TEST(job_whose_caller_gave_up_waiting_is_not_withdrawn) {
    rig r(ctx, workers(1));
    const auto held = r.execute("wait");
    new_job job("double", 1);
    job.id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-1234567890ab");
    const auto f = r.execute(job, {.checkout_wait = 5s, .execute_wait = 1s});
    ctx.advance(1s);
    BOOST_TEST((f.error() == errc::timeout));
    ctx.advance(10s);
    BOOST_TEST(r.state(job.id) == "available");
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(job.id) == "completed");
}

LIFEGUARD_TEST(cancelled_caller_goes_away_and_the_job_goes_on) {
    rig r(ctx, workers(1));
    for (const bool started : {false, true}) {
        const auto held = started ? r.execute("double", 1) : r.execute("wait");
        new_job job("nap", 100);
        auto caller = r.execute(job);
        const auto before = r.status();
        BOOST_TEST(before.callers_waiting == (started ? 0U : 1U));
        caller.cancel();
        ctx.settle();
        BOOST_TEST((caller.error() == asio::error::operation_aborted));
        BOOST_TEST(r.status().callers_waiting == 0U);
        ctx.advance(10s);
        r.doors.open();
        ctx.settle();
        ctx.advance(1s);
    }
    BOOST_TEST(r.metric("lifeguard_jobs_completed_total") == 4);
    BOOST_TEST(r.status().exhausted_total == 0U);
}

LIFEGUARD_TEST(result_of_a_job_without_its_caller_is_had_by_id) {
    rig r(ctx, workers(1));
    new_job job("echo", {1, 2});
    job.id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-1234567890ab");
    const auto held = r.execute("wait");
    auto caller = r.execute(job);
    caller.cancel();
    ctx.settle();
    const auto other = ctx.spawn(r.pool().result(job.id));
    r.doors.open();
    ctx.settle();
    BOOST_TEST(test_future(other).get() == json({1, 2}));
    BOOST_TEST(ctx.await(r.pool().result(job.id)) == json({1, 2}));
}

// The cancellation slot of a caller must not keep what referred to the finished execute.
LIFEGUARD_TEST(caller_cancelled_after_its_execute_is_over_is_not_our_business) {
    rig r(ctx, workers(1));
    auto caller = ctx.spawn([&]() -> asio::awaitable<int> {
        int turns = 0;
        co_await r.pool().execute(new_job("double", 1));
        co_await asio::this_coro::throw_if_cancelled(false);
        while ((co_await asio::this_coro::cancellation_state).cancelled() ==
               asio::cancellation_type::none) {
            ++turns;
            co_await asio::post(asio::use_awaitable);
            if (turns > 1000)
                co_await asio::this_coro::throw_if_cancelled(true);
            if (turns > 100'000)
                break;
        }
        co_return turns;
    });
    caller.cancel();
    ctx.settle();
    BOOST_TEST(caller.ready());
}

LIFEGUARD_TEST(executor_gets_the_only_copy_unless_it_asks_to_keep_one) {
    rig r(ctx, workers(1));
    new_job lent("echo", {1, 2}), kept("echo", {3, 4}), plain("double", 5);
    lent.id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-000000000001");
    kept.id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-000000000002");
    plain.id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-000000000003");
    BOOST_TEST(test_future(r.execute(lent)).get() == json({1, 2}));
    BOOST_TEST(test_future(r.execute(kept, {.keep_result = true})).get() == json({3, 4}));
    BOOST_TEST(test_future(r.execute(plain)).get() == json(10));
    BOOST_TEST(ctx.await(r.pool().result(kept.id)) == json({3, 4}));
    BOOST_TEST(ctx.await(r.pool().result(plain.id)) == json(10));
    const auto gone = ctx.spawn(r.pool().result(lent.id));
    ctx.settle();
    BOOST_TEST((gone.error() == errc::not_found));
}

LIFEGUARD_TEST(killed_worker_means_killed_and_another_worker_may_try_again) {
    rig r(ctx, workers(1));
    const auto f = r.execute("wait");
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST((f.error() == errc::killed));
    new_job twice("wait", 5);
    twice.max_attempts = 2;
    const auto g = r.execute(twice);
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST(!g.ready());
    r.doors.open();
    ctx.settle();
    BOOST_TEST(test_future(g).get() == json(5));
}

LIFEGUARD_TEST(job_of_an_unknown_kind_waits_where_it_can_be_seen) {
    rig r(ctx, workers(1));
    const job_id id = r.submit("tomorrow", 1);
    BOOST_TEST(r.state(id) == "available");
    BOOST_TEST(r.job(id).waits_for_handler);
    BOOST_TEST(r.pool().queue().counts("default").waiting_for_handler == 1U);
    BOOST_TEST((r.done("double", 1) == json(2))); // it is in nobody's way
    const auto f = r.execute("tomorrow", 2);
    ctx.advance(5s);
    BOOST_TEST((f.error() == errc::pool_exhausted));
    r.the_engine().handle(
        "tomorrow", [](job_context& job) -> asio::awaitable<json> { co_return job.payload(); });
    ctx.settle();
    BOOST_TEST(ctx.await(r.pool().result(id)) == json(1));
}

LIFEGUARD_TEST(strict_kinds_refuse_what_nobody_can_run) {
    engine_options more;
    more.queue.strict_kinds = true;
    rig r(ctx, workers(1), more);
    BOOST_TEST((r.execute("tomorrow").error() == errc::unknown_kind));
    BOOST_TEST((r.done("double", 1) == json(2)));
}

LIFEGUARD_TEST(queue_that_is_not_the_pools_is_refused) {
    worker_pool_options pool = workers(1);
    pool.queues = {"mail", "news"};
    rig r(ctx, pool);
    new_job job("double", 1);
    job.queue = "default";
    BOOST_TEST((r.execute(job).error() == errc::no_such_queue));
    const auto f = ctx.spawn(r.pool().submit(job));
    ctx.settle();
    BOOST_TEST((f.error() == errc::no_such_queue));
    BOOST_TEST(message_of(f).find("'default'") != std::string::npos);
    job.queue = "news";
    BOOST_TEST(test_future(r.execute(job)).get() == json(2));
    job.queue.clear();
    BOOST_TEST(r.job(r.submit(job)).queue == "mail"); // the first one
}

LIFEGUARD_TEST(oversized_deep_and_broken_payloads_are_refused) {
    engine_options more;
    more.queue.limits.payload_max = 100;
    more.queue.limits.depth_max = 5;
    rig r(ctx, workers(1), more);
    const auto refusal = [&](std::string text) {
        return r.execute(new_job::from_text("echo", std::move(text))).error();
    };
    BOOST_TEST((refusal('"' + std::string(99, 'x') + '"') == errc::payload_too_large));
    BOOST_TEST((refusal(nested(6)) == errc::too_deep));
    BOOST_TEST((refusal("{") == errc::malformed_json));
    BOOST_TEST(r.started.load() == 0);
    BOOST_TEST(test_future(r.execute(new_job::from_text("echo", nested(5)))).get() ==
               json::parse(nested(5)));
    BOOST_TEST(r.status().callers_waiting == 0U);
}

LIFEGUARD_TEST(full_queue_refuses) {
    engine_options more;
    more.queue.jobs_max = 2;
    rig r(ctx, workers(1), more);
    const auto held = r.execute("wait");
    const job_id waits = r.submit("double", 1);
    BOOST_TEST((r.execute("double", 2).error() == errc::queue_full));
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(waits) == "completed");
    BOOST_TEST(r.done("double", 2) == json(4));
}

LIFEGUARD_TEST(id_that_is_taken_is_refused) {
    rig r(ctx, workers(1));
    new_job job("double", 1);
    job.id = r.submit("double", 1);
    BOOST_TEST((r.execute(job).error() == errc::duplicate_id));
}

LIFEGUARD_TEST(submit_json_reads_a_job) {
    rig r(ctx, workers(1));
    const job_id id = ctx.await(r.pool().submit_json(R"({"kind":"double","payload":21})"));
    BOOST_TEST(ctx.await(r.pool().result(id)) == json(42));
    const auto bad = ctx.spawn(r.pool().submit_json("{"));
    ctx.settle();
    BOOST_TEST((bad.error() == errc::malformed_json));
}

LIFEGUARD_TEST(handles_may_be_gone_before_their_coroutine_begins) {
    rig r(ctx, workers(1));
    auto pool = std::make_unique<worker_pool>(r.pool());
    const auto executed = ctx.spawn(pool->execute(new_job("double", 1)));
    const auto submitted = ctx.spawn(pool->submit(new_job("double", 2)));
    const auto read = ctx.spawn(pool->submit_json(R"({"kind":"double","payload":3})"));
    const auto killed = ctx.spawn(pool->kill("p/9"));
    pool.reset();
    ctx.settle();
    BOOST_TEST(test_future(executed).get() == json(2));
    BOOST_TEST(submitted.ready());
    BOOST_TEST(read.ready());
    BOOST_TEST((killed.error() == errc::not_found));
    pool = std::make_unique<worker_pool>(r.pool());
    const auto result = ctx.spawn(pool->result(test_future(submitted).get()));
    pool.reset();
    ctx.settle();
    BOOST_TEST(test_future(result).get() == json(4));
}

LIFEGUARD_TEST(engine_that_stops_answers_who_waits) {
    worker_pool_options pool = workers(1);
    pool.drain_wait = 1s;
    rig r(ctx, pool);
    const auto running = r.execute("wait");
    const auto waiting = r.execute("double", 1, {.checkout_wait = 1h});
    r.ask_to_stop();
    ctx.advance(1s);
    BOOST_TEST(r.ended());
    BOOST_TEST((running.error() == errc::stopped)); // given back, unfinished
    BOOST_TEST((waiting.error() == errc::stopped));
    BOOST_TEST((r.execute("double", 1).error() == errc::stopped));
    const auto f = ctx.spawn(r.pool().submit(new_job("double", 1)));
    ctx.settle();
    BOOST_TEST((f.error() == errc::stopped));
    BOOST_TEST(r.metric("lifeguard_jobs_pushed_total") == 2);
}

LIFEGUARD_TEST(verdicts_of_handlers) {
    rig r(ctx, workers(1));
    r.the_engine().handle("verdict", [&](job_context& job) -> asio::awaitable<json> {
        const std::string what = job.payload().get<std::string>();
        if (what == "discard")
            throw discard_job("hopeless");
        if (what == "revoke")
            throw revoke_job("unwanted");
        if (what == "retry" && job.attempt() == 1)
            throw retry_job(ctx.time->wall_now() + 7s, "later");
        if (what == "snooze" && job.delivery() == 1)
            throw snooze_job(3s);
        co_return job.attempt();
    });
    const job_id discarded = r.submit("verdict", "discard");
    BOOST_TEST(r.state(discarded) == "discarded");
    BOOST_TEST(r.job(discarded).errors.front().text == "hopeless");
    BOOST_TEST(r.log->count("event=job_failed") == 1U);

    const job_id revoked = r.submit("verdict", "revoke");
    BOOST_TEST(!r.pool().queue().find(revoked).has_value());
    BOOST_TEST(r.log->count("event=job_revoked") == 1U);

    const job_id retried = r.submit("verdict", "retry");
    BOOST_TEST(r.state(retried) == "retryable");
    ctx.advance(7s);
    BOOST_TEST(ctx.await(r.pool().result(retried)) == json(2));

    const job_id snoozed = r.submit("verdict", "snooze");
    BOOST_TEST(r.state(snoozed) == "scheduled");
    ctx.advance(3s);
    BOOST_TEST(ctx.await(r.pool().result(snoozed)) == json(1)); // not an attempt
    // Histograms count attempts: the snoozed run and the revoked one were none.
    BOOST_TEST(r.metric("lifeguard_job_duration_seconds", {{"outcome", "success"}}) == 2);
    BOOST_TEST(r.metric("lifeguard_job_duration_seconds", {{"outcome", "failure"}}) == 2);
}

BOOST_AUTO_TEST_SUITE_END()
