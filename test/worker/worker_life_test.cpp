// The life of workers: kill, crash, graceful stop, overflow, a pool that gives up.
#include "worker/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(worker_life)

LIFEGUARD_TEST(kill_of_a_busy_worker_charges_its_job_and_makes_it_available_at_once) {
    rig r(ctx, workers(1));
    const job_id id = r.submit("wait", 7);
    BOOST_TEST(r.state(id) == "executing");
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST(r.cancelled.load() == 1);
    BOOST_TEST(r.state(id) == "executing"); // again, without any delay
    BOOST_TEST(r.job(id).attempt == 2U);
    BOOST_TEST(r.job(id).deliveries == 2U);
    BOOST_TEST(r.job(id).errors.size() == 1U);
    BOOST_TEST(r.job(id).errors.front().text == "worker 'p/1' was killed");
    BOOST_TEST(r.job(id).errors.front().attempt == 1U);
    BOOST_TEST(r.worker(1).incarnation == 2U);
    BOOST_TEST(r.worker(1).failed == 1U);
    BOOST_TEST(r.status().killed_total == 1U);
    BOOST_TEST(r.log->count("event=worker_killed pool=p worker=p/1 incarnation=1") == 1U);
    BOOST_TEST(r.log->count("event=worker_started pool=p worker=p/1 incarnation=2") == 1U);
    BOOST_TEST(r.log->count("reason=\"worker 'p/1' was killed\"") == 1U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(ctx.await(r.pool().result(id)) == json(7));
}

LIFEGUARD_TEST(kill_gives_back_what_was_taken_and_not_started) {
    rig r(ctx, workers(1));
    r.submit("nap", 10);
    const job_id running = r.submit("wait");
    const job_id waiting = r.submit("double", 1);
    ctx.advance(10ms);
    BOOST_TEST(r.loads() == "p/1 busy 1 +1");
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST(r.job(waiting).attempt == 0U);
    BOOST_TEST(r.job(waiting).errors.empty());
    BOOST_TEST(r.job(running).attempt == 2U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(waiting) == "completed");
    BOOST_TEST(r.job(waiting).attempt == 1U);
}

LIFEGUARD_TEST(kill_of_an_idle_worker_charges_nobody) {
    rig r(ctx, workers(2));
    r.kill("p/2");
    ctx.settle();
    BOOST_TEST(r.worker(2).incarnation == 2U);
    BOOST_TEST(r.worker(2).failed == 0U);
    BOOST_TEST(r.status().lanes_abandoned == 0U);
    BOOST_TEST(r.done("double", 1) == json(2));
}

LIFEGUARD_TEST(kill_of_an_unknown_worker_and_of_a_pool_that_does_not_run) {
    rig r(ctx, workers(1));
    const auto unknown = ctx.spawn(r.pool().kill("p/7"));
    ctx.settle();
    BOOST_TEST((unknown.error() == errc::not_found));
    r.finish();
    const auto late = ctx.spawn(r.pool().kill("p/1"));
    ctx.settle();
    BOOST_TEST((late.error() == errc::no_such_pool));
}

LIFEGUARD_TEST(kill_takes_the_siblings_of_a_lane_too) {
    worker_pool_options pool = workers(1);
    pool.concurrency = 3;
    rig r(ctx, pool);
    std::vector<job_id> jobs;
    for (int n = 0; n < 3; ++n)
        jobs.push_back(r.submit("wait", n));
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST(r.cancelled.load() == 3);
    for (const job_id& id : jobs)
        BOOST_TEST(r.job(id).errors.size() == 1U);
    BOOST_TEST(r.worker(1).busy == 3U);
}

LIFEGUARD_TEST(failed_job_spares_its_worker_and_let_it_crash_does_not) {
    for (const bool crashes : {false, true}) {
        worker_pool_options pool = workers(1);
        pool.let_it_crash = crashes;
        rig r(ctx, pool);
        const job_id id = r.submit("fail", "boom");
        ctx.settle();
        BOOST_TEST(r.worker(1).incarnation >= (crashes ? 2U : 1U));
        BOOST_TEST(r.job(id).errors.front().text == "boom");
        BOOST_TEST((r.log->count("event=worker_crashed") != 0) == crashes);
        BOOST_TEST(r.status().killed_total == 0U);
        BOOST_TEST((r.state(id) == "retryable") == !crashes); // at once, until the pool gives up
    }
}

LIFEGUARD_TEST(crash_charges_its_job_which_is_available_at_once) {
    worker_pool_options pool = workers(2);
    pool.let_it_crash = true;
    rig r(ctx, pool);
    r.the_engine().handle("second", [](job_context& job) -> asio::awaitable<json> {
        if (job.attempt() == 1)
            throw std::runtime_error("first");
        co_return job.attempt();
    });
    const job_id id = r.submit("second");
    BOOST_TEST(r.state(id) == "completed");
    BOOST_TEST(r.job(id).errors.size() == 1U);
    BOOST_TEST(r.status().restarts_total == 1U);
    BOOST_TEST(r.log->count("event=job_failed") == 1U);
    BOOST_TEST(r.log->count("kind=second queue=default attempt=1 reason=first worker=p/") == 1U);
}

LIFEGUARD_TEST(crash_takes_siblings_with_it_and_charges_them) {
    worker_pool_options pool = workers(1);
    pool.let_it_crash = true;
    pool.concurrency = 2;
    rig r(ctx, pool);
    const job_id sibling = r.submit("wait");
    BOOST_TEST(message_of(r.execute("fail", "boom")) == "boom");
    BOOST_TEST(r.job(sibling).errors.size() == 1U);
    BOOST_TEST(r.job(sibling).errors.front().text == "worker 'p/1' crashed");
    BOOST_TEST(r.state(sibling) == "executing");
}

LIFEGUARD_TEST(timeout_and_verdicts_do_not_crash_a_worker) {
    worker_pool_options pool = workers(1);
    pool.let_it_crash = true;
    pool.process_timeout = 1s;
    rig r(ctx, pool);
    r.the_engine().handle("give_up", [](job_context&) -> asio::awaitable<json> {
        throw discard_job("no use");
        co_return 1;
    });
    const auto f = r.execute("wait");
    ctx.advance(1s);
    BOOST_TEST((f.error() == errc::timeout));
    BOOST_TEST(message_of(r.execute("give_up")) == "no use");
    BOOST_TEST(r.worker(1).incarnation == 1U);
}

LIFEGUARD_TEST(graceful_stop_lets_running_jobs_finish_and_begins_no_other) {
    rig r(ctx, workers(3));
    std::vector<job_id> running, waiting;
    for (int n = 0; n < 3; ++n)
        running.push_back(r.submit("nap", 1000 + n * 100));
    for (int n = 0; n < 20; ++n)
        waiting.push_back(r.submit("double", n));
    r.ask_to_stop();
    ctx.advance(1s);
    BOOST_TEST(r.state(running[0]) == "completed");
    BOOST_TEST(!r.ended());
    ctx.advance(200ms);
    BOOST_TEST(r.ended());
    for (const job_id& id : running)
        BOOST_TEST(r.state(id) == "completed");
    for (const job_id& id : waiting) {
        BOOST_TEST(r.state(id) == "available");
        BOOST_TEST(r.job(id).attempt == 0U);
    }
    BOOST_TEST(r.started.load() == 3);
    BOOST_TEST(r.log->count("event=worker_stopped") == 3U);
    BOOST_TEST(r.status().killed_total == 0U);
}

LIFEGUARD_TEST(graceful_stop_cancels_what_takes_too_long_and_gives_it_back_uncharged) {
    rig r(ctx, workers(2));
    const job_id slow = r.submit("wait");
    const job_id slower = r.submit("wait");
    r.ask_to_stop();
    ctx.advance(3999ms);
    BOOST_TEST(r.cancelled.load() == 0);
    BOOST_TEST(!r.ended());
    ctx.advance(1ms); // both: they share the time
    BOOST_TEST(r.cancelled.load() == 2);
    BOOST_TEST(r.ended());
    for (const job_id& id : {slow, slower}) {
        BOOST_TEST(r.state(id) == "available");
        BOOST_TEST(r.job(id).attempt == 0U);
        BOOST_TEST(r.job(id).errors.empty());
    }
    BOOST_TEST(r.log->count("event=job_failed") == 0U);
}

LIFEGUARD_TEST(graceful_stop_gives_up_deaf_handlers_after_the_grace_all_at_once) {
    rig r(ctx, workers(5));
    std::vector<job_id> deaf;
    for (int n = 0; n < 5; ++n)
        deaf.push_back(r.submit("deaf"));
    r.ask_to_stop();
    ctx.advance(4999ms);
    BOOST_TEST(!r.ended());
    ctx.advance(1ms);
    BOOST_TEST(r.ended());
    BOOST_TEST(r.status().lanes_abandoned == 5U);
    for (const job_id& id : deaf) {
        BOOST_TEST(r.state(id) == "available");
        BOOST_TEST(r.job(id).attempt == 0U);
    }
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.status().lanes_abandoned == 0U);
}

LIFEGUARD_TEST(stop_with_nothing_to_do_is_prompt) {
    rig r(ctx, workers(3));
    r.ask_to_stop();
    ctx.settle();
    BOOST_TEST(r.ended());
    BOOST_TEST(ctx.time->alarms() == 0U);
}

LIFEGUARD_TEST(stop_ends_when_a_stuck_lane_was_the_last_thing_to_wait_for) {
    worker_pool_options pool = workers(1);
    pool.process_timeout = 1s;
    pool.stuck_threshold = 1s;
    pool.drain_wait = 1h;
    rig r(ctx, pool);
    r.submit("deaf");
    r.ask_to_stop();
    ctx.advance(2s);
    BOOST_TEST(r.ended());
    BOOST_TEST(r.status().lanes_abandoned == 1U);
}

LIFEGUARD_TEST(overflow_workers_come_when_all_are_busy_and_leave_when_idle) {
    rig r(ctx, workers(2, 2));
    std::vector<test_future<json>> all;
    for (int n = 0; n < 2; ++n)
        all.push_back(r.execute("wait", n));
    BOOST_TEST(r.status().overflow == 0U);
    for (int n = 2; n < 4; ++n)
        all.push_back(r.execute("wait", n));
    BOOST_TEST(r.status().overflow == 2U);
    BOOST_TEST(r.status().workers == 4U);
    BOOST_TEST(r.running.load() == 4);
    all.push_back(r.execute("wait", 4)); // one too many
    BOOST_TEST(r.status().workers == 4U);
    BOOST_TEST(r.status().callers_waiting == 1U);
    BOOST_TEST(r.loads() == "p/1 busy 1, p/2 busy 1, p/overflow-1 busy 1, p/overflow-2 busy 1");
    const std::string tree = ctx.await(r.the_engine().tree());
    BOOST_TEST(tree.find("p/overflow-2") != std::string::npos, tree);
    r.doors.open();
    ctx.settle();
    for (const auto& f : all)
        BOOST_TEST(f.ready());
    BOOST_TEST(r.loads() == "p/1 idle, p/2 idle");
    BOOST_TEST(r.status().overflow == 0U);

    const auto again = [&] {
        std::vector<test_future<json>> some;
        for (int n = 0; n < 4; ++n)
            some.push_back(r.execute("nap", 10));
        BOOST_TEST(r.status().overflow == 2U);
        ctx.advance(10ms);
        BOOST_TEST(r.status().overflow == 0U);
    };
    again();
    again();
}

LIFEGUARD_TEST(killed_overflow_worker_does_not_come_back_by_itself) {
    rig r(ctx, workers(1, 1));
    const job_id one = r.submit("wait");
    const job_id two = r.submit("wait");
    BOOST_TEST(r.loads() == "p/1 busy 1, p/overflow-1 busy 1");
    r.kill("p/overflow-1");
    ctx.settle();
    // Its job waits again while all are busy: that asks for a new one.
    BOOST_TEST(r.loads() == "p/1 busy 1, p/overflow-2 busy 1");
    BOOST_TEST(r.job(two).attempt == 2U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.loads() == "p/1 idle");
    BOOST_TEST(r.state(one) == "completed");
    BOOST_TEST(r.state(two) == "completed");
    BOOST_TEST(r.status().restarts_total == 0U);
}

LIFEGUARD_TEST(overflow_workers_stop_with_the_pool) {
    rig r(ctx, workers(1, 2));
    for (int n = 0; n < 3; ++n)
        r.submit("nap", 1000);
    BOOST_TEST(r.status().overflow == 2U);
    r.ask_to_stop();
    ctx.advance(1s);
    BOOST_TEST(r.ended());
    BOOST_TEST(r.metric("lifeguard_jobs_completed_total") == 3);
}

LIFEGUARD_TEST(no_overflow_while_an_idle_worker_is_tripped) {
    worker_pool_options pool = workers(1, 5);
    pool.breaker.threshold = 1;
    rig r(ctx, pool);
    r.execute("fail");
    r.submit("double", 1);
    BOOST_TEST(r.loads() == "p/1 idle open");
    ctx.advance(10s);
    BOOST_TEST(r.status().executing + r.status().available == 0U);
}

LIFEGUARD_TEST(pool_that_gives_up_is_restarted_by_the_top_and_works_on) {
    worker_pool_options pool = workers(3); // one that is free, whoever got the two that wait
    pool.intensity = 2;
    rig r(ctx, pool);
    const auto waiting = r.execute("wait", 5, {.checkout_wait = 1h});
    const job_id waits = r.submit("wait", 6);
    for (int n = 0; n < 3; ++n) {
        r.kill("p/1");
        ctx.settle();
    }
    ctx.advance(10s); // the other workers had to be drained first
    BOOST_TEST(!r.ended());
    BOOST_TEST(r.log->count("gave_up") + r.log->count("gave up") >= 1U);
    BOOST_TEST(r.loads().find("down") == std::string::npos, r.loads());
    BOOST_TEST(r.done("double", 4).is_number());
    r.doors.open();
    ctx.settle();
    BOOST_TEST(waiting.ready());
    BOOST_TEST(r.state(waits) == "completed");
}

LIFEGUARD_TEST(engine_ends_when_pools_give_up_too_often) {
    worker_pool_options pool = workers(1);
    pool.intensity = 0;
    pool.drain_wait = 0s;
    engine_options more;
    more.intensity = 1;
    rig r(ctx, pool, more);
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST(!r.ended());
    BOOST_TEST(r.done("double", 1) == json(2));
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST(r.ended());
    BOOST_TEST((r.failure() != nullptr));
    BOOST_TEST((r.execute("double", 1).error() == errc::stopped));
}

LIFEGUARD_TEST(pool_runs_without_an_engine_and_may_run_again) {
    job_queue queue(ctx.executor(), memory_store(), queue_options(), ctx.time);
    worker_pool pool(queue, workers(2));
    for (int round = 0; round < 2; ++round) {
        auto run = ctx.spawn(pool.run());
        ctx.settle();
        BOOST_TEST(pool.status().workers == 2U);
        auto twice = ctx.spawn(pool.run());
        ctx.settle();
        BOOST_TEST((twice.error() == errc::already_started));
        run.cancel(asio::cancellation_type::total);
        ctx.settle();
        BOOST_TEST(run.ready());
        BOOST_TEST(pool.status().workers == 0U);
        BOOST_TEST(!pool.status().running);
    }
}

LIFEGUARD_TEST(log_tells_the_life_of_a_worker) {
    rig r(ctx, workers(1));
    r.execute("fail", "no\nluck");
    r.kill("p/1");
    ctx.settle();
    r.finish();
    const auto lines = r.log->lines();
    const auto at = [&](const std::string& text) {
        for (std::size_t n = 0; n < lines.size(); ++n)
            if (lines[n].find(text) != std::string::npos)
                return n;
        return lines.size();
    };
    const std::vector<std::string> expected{
        "level=info event=worker_started pool=p worker=p/1 incarnation=1",
        "level=warning event=job_failed job=",
        "level=warning event=worker_killed pool=p worker=p/1 incarnation=1",
        "level=info event=worker_started pool=p worker=p/1 incarnation=2",
        "level=info event=worker_stopped pool=p worker=p/1 incarnation=2",
    };
    std::size_t last = 0;
    for (const std::string& line : expected) {
        BOOST_TEST(at(line) < lines.size(), line);
        BOOST_TEST(at(line) >= last, line);
        last = at(line);
    }
    BOOST_TEST(r.log->count("kind=fail queue=default attempt=1 reason=\"no\\nluck\" worker=p/1") ==
               1U);
}

BOOST_AUTO_TEST_SUITE_END()
