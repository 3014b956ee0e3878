// Circuit breakers at work in a pool: each worker has one.
#include "worker/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

worker_pool_options tripping(unsigned size, unsigned threshold = 5) {
    worker_pool_options pool = workers(size);
    pool.breaker.threshold = threshold;
    return pool;
}

worker_pool_options sharing(breaker_scope scope, unsigned size, unsigned threshold = 2) {
    worker_pool_options pool = tripping(size, threshold);
    pool.breaker_scope = scope;
    return pool;
}

void fail(rig& r, int times) {
    for (int i = 0; i < times; ++i)
        r.execute("fail");
}

/// The states of the breakers: "p/1 closed, p/2 open".
std::string states(const rig& r) {
    std::string text;
    for (const breaker_status& b : r.pool().breakers())
        text += (text.empty() ? "" : ", ") + b.name + " " + std::string(name_of(b.state));
    return text;
}

/// What an execute that was refused by open breakers says.
duration retry_after(const test_future<json>& f, std::string& text) {
    try {
        std::rethrow_exception(f.exception());
    } catch (const breaker_open_error& e) {
        text = e.what();
        return e.retry_after;
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(pool_breaker)

LIFEGUARD_TEST(BRK_02_execute_is_refused_once_the_only_breaker_is_open) {
    rig r(ctx, tripping(1));
    fail(r, 4);
    BOOST_TEST(r.loads() == "p/1 idle");
    fail(r, 1);
    BOOST_TEST(r.loads() == "p/1 idle open");
    const auto refused = r.execute("double", 1);
    BOOST_TEST((refused.error() == errc::breaker_open));
    BOOST_TEST(r.started.load() == 5);
    BOOST_TEST(r.state(r.submit("double", 1)) == "available");
    ctx.advance(10s);
    BOOST_TEST(r.started.load() == 6);
    BOOST_TEST(r.loads() == "p/1 idle");
}

LIFEGUARD_TEST(jobs_that_are_discarded_for_their_own_fault_open_no_breaker) {
    rig r(ctx, tripping(1, 2));
    r.the_engine().handle("bad", [](job_context&) -> asio::awaitable<json> {
        throw discard_job("no such picture");
        co_return nullptr;
    });
    for (int i = 0; i < 3; ++i)
        BOOST_TEST(message_of(r.execute("bad")).find("no such picture") != std::string::npos);
    BOOST_TEST(r.loads() == "p/1 idle");
    BOOST_TEST(r.worker(1).failed == 3U);
    fail(r, 2);
    BOOST_TEST(r.loads() == "p/1 idle open");
}

LIFEGUARD_TEST(BRK_05_refusal_says_when_to_come_back) {
    rig r(ctx, tripping(1));
    fail(r, 5);
    std::string text;
    BOOST_TEST((retry_after(r.execute("double", 1), text) == 10s));
    BOOST_TEST(text.find("breaker 'p/1', try again in 10000 ms, last error: failed") !=
                   std::string::npos,
               text);
    ctx.advance(1ms);
    BOOST_TEST((retry_after(r.execute("double", 1), text) == 9999ms));
}

LIFEGUARD_TEST(BRK_21_one_workers_breaker_is_no_others_and_a_restart_closes_it) {
    rig r(ctx, tripping(2, 1));
    const auto held = r.execute("wait");
    fail(r, 1);
    const std::string loads = r.loads();
    const std::string open = loads.find("p/1 idle open") != std::string::npos ? "p/1" : "p/2";
    BOOST_TEST(loads.find(open + " idle open") != std::string::npos, loads);
    BOOST_TEST(r.status().breakers_open == 1U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(held.ready());
    for (int n = 1; n <= 4; ++n)
        BOOST_TEST(r.done("double", n) == json(2 * n));
    BOOST_TEST(r.pool().worker(open).processed == 0U);

    r.kill(open);
    ctx.settle();
    BOOST_TEST(r.loads() == "p/1 idle, p/2 idle");
    BOOST_TEST(r.pool().worker(open).incarnation == 2U);
}

LIFEGUARD_TEST(BRK_22_one_pull_of_five_failures_opens_before_the_next_pull) {
    rig r(ctx, tripping(1));
    const auto held = r.execute("wait");
    std::vector<job_id> bad, good;
    for (int n = 0; n < 5; ++n)
        bad.push_back(r.submit("fail"));
    for (int n = 0; n < 5; ++n)
        good.push_back(r.submit("double", n));
    BOOST_TEST(r.worker(1).pulled == 1U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.loads() == "p/1 idle open");
    BOOST_TEST(r.worker(1).pulled == 6U);
    for (const job_id& id : bad)
        BOOST_TEST(r.state(id) == "retryable");
    for (const job_id& id : good) {
        BOOST_TEST(r.state(id) == "available");
        BOOST_TEST(r.job(id).attempt == 0U);
        BOOST_TEST(r.job(id).deliveries == 0U);
    }
    ctx.advance(10s);
    for (const job_id& id : good)
        BOOST_TEST(r.state(id) == "completed");
}

LIFEGUARD_TEST(BRK_22_what_is_left_of_a_pull_goes_back_when_the_breaker_opens) {
    rig r(ctx, tripping(1, 2));
    const auto held = r.execute("wait");
    std::vector<job_id> jobs;
    for (int n = 0; n < 5; ++n)
        jobs.push_back(r.submit("fail"));
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(jobs[0]) == "retryable");
    BOOST_TEST(r.state(jobs[1]) == "retryable");
    for (int n = 2; n < 5; ++n) {
        BOOST_TEST(r.state(jobs[static_cast<std::size_t>(n)]) == "available");
        BOOST_TEST(r.job(jobs[static_cast<std::size_t>(n)]).attempt == 0U);
    }
    BOOST_TEST(r.worker(1).assigned == 0U);
}

LIFEGUARD_TEST(BRK_23_tripped_worker_pulls_nothing_and_another_takes_the_jobs) {
    rig r(ctx, tripping(2, 1));
    fail(r, 1);
    const worker_status tripped = r.worker(1).failed == 1 ? r.worker(1) : r.worker(2);
    BOOST_TEST(r.status().breakers_open == 1U);
    const auto held = r.execute("wait"); // the other one is busy now
    const job_id waiting = r.submit("double", 1);
    BOOST_TEST(r.status().available == 1U);
    BOOST_TEST(r.job(waiting).attempt == 0U);
    BOOST_TEST(r.job(waiting).deliveries == 0U);
    ctx.advance(5s);
    BOOST_TEST(r.pool().worker(tripped.id).pulled == tripped.pulled);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(waiting) == "completed");
    BOOST_TEST(r.pool().worker(tripped.id).pulled == tripped.pulled);
    BOOST_TEST(held.ready());
}

LIFEGUARD_TEST(all_workers_tripped_means_refusal_with_the_soonest_time) {
    worker_pool_options pool = tripping(2, 1);
    rig r(ctx, pool);
    fail(r, 1);
    ctx.advance(3s);
    fail(r, 1);
    BOOST_TEST(r.status().breakers_open == 2U);
    std::string text;
    BOOST_TEST((retry_after(r.execute("double", 1), text) == 7s));
    ctx.advance(7s);
    BOOST_TEST(r.done("double", 1) == json(2));
    BOOST_TEST(r.status().breakers_closed_total == 1U);
    BOOST_TEST(r.status().breakers_opened_total == 2U);
}

LIFEGUARD_TEST(transitions_are_logged_once_each) {
    rig r(ctx, tripping(1, 2));
    fail(r, 2);
    r.execute("double", 1);
    ctx.advance(10s);
    r.done("double", 1);
    r.done("double", 1);
    BOOST_TEST(r.log->count("event=breaker_opened pool=p worker=p/1") == 1U);
    BOOST_TEST(r.log->count("event=breaker_closed pool=p worker=p/1") == 1U);
    BOOST_TEST(r.log->count("level=error event=breaker_opened") == 1U);
}

// With several lanes some may be idle while a probe runs.
LIFEGUARD_TEST(idle_lanes_of_a_half_open_worker_wait_for_its_probe) {
    worker_pool_options pool = tripping(1, 1);
    pool.concurrency = 3;
    rig r(ctx, pool);
    fail(r, 1);
    const job_id probe = r.submit("wait");
    const job_id next = r.submit("double", 1);
    ctx.advance(10s);
    BOOST_TEST(r.loads() == "p/1 busy 1 half_open");
    BOOST_TEST(r.state(next) == "available");
    ctx.advance(5s); // nothing spins meanwhile
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(probe) == "completed");
    BOOST_TEST(r.state(next) == "completed");
    BOOST_TEST(r.loads() == "p/1 idle");
}

LIFEGUARD_TEST(idle_lanes_take_jobs_again_when_a_sibling_keeps_busy_after_the_probe) {
    worker_pool_options pool = tripping(1, 1);
    pool.concurrency = 2;
    rig r(ctx, pool);
    fail(r, 1);
    const job_id first = r.submit("nap", 1);
    const job_id second = r.submit("wait");
    const job_id third = r.submit("wait");
    ctx.advance(10s);
    ctx.advance(1ms); // the probe succeeds and its lane goes on with the next job
    BOOST_TEST(r.state(first) == "completed");
    BOOST_TEST(r.loads() == "p/1 busy 2");
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(second) == "completed");
    BOOST_TEST(r.state(third) == "completed");
}

LIFEGUARD_TEST(snoozed_and_killed_jobs_are_no_failures_of_the_breaker) {
    rig r(ctx, tripping(1, 1));
    r.the_engine().handle("snooze", [](job_context& job) -> asio::awaitable<json> {
        if (job.delivery() == 1)
            throw snooze_job(1s);
        co_return 1;
    });
    const auto snoozed = r.execute("snooze");
    BOOST_TEST(r.loads() == "p/1 idle");
    ctx.advance(1s);
    BOOST_TEST(snoozed.ready());
    BOOST_TEST(r.status().breakers_opened_total == 0U);
}

// --- breakers that workers share

LIFEGUARD_TEST(pool_scope_failures_of_all_workers_open_the_one_breaker) {
    rig r(ctx, sharing(breaker_scope::pool, 3));
    fail(r, 2); // by two workers
    BOOST_TEST(states(r) == "p open");
    BOOST_TEST(r.status().breakers_open == 1U);
    BOOST_TEST(name_of(r.worker(3).breaker) == "open");
    std::string text;
    ctx.advance(1s);
    BOOST_TEST((retry_after(r.execute("double", 1), text) == 9s));
    BOOST_TEST(text.find("breaker 'p', try again in 9000 ms") != std::string::npos, text);
    const job_id waiting = r.submit("double", 1);
    BOOST_TEST(r.job(waiting).deliveries == 0U);
    ctx.advance(9s);
    BOOST_TEST(r.state(waiting) == "completed");
    BOOST_TEST(states(r) == "p closed");
    BOOST_TEST(r.log->count("event=breaker_opened pool=p breaker=p") == 1U);
    BOOST_TEST(r.log->count("event=breaker_half_open pool=p breaker=p") == 1U);
    BOOST_TEST(r.log->count("event=breaker_closed pool=p breaker=p") == 1U);
    BOOST_TEST(r.status().breakers_opened_total == 1U);
    BOOST_TEST(r.status().breakers_closed_total == 1U);
}

LIFEGUARD_TEST(pool_scope_one_probe_at_a_time_whoever_is_idle) {
    rig r(ctx, sharing(breaker_scope::pool, 3));
    fail(r, 2);
    std::vector<job_id> jobs;
    for (int n = 0; n < 4; ++n)
        jobs.push_back(r.submit("wait", n));
    ctx.advance(10s);
    BOOST_TEST(r.running.load() == 1);
    BOOST_TEST(r.status().available == 3U);
    BOOST_TEST(states(r) == "p half_open");
    r.doors.admit();
    ctx.settle();
    BOOST_TEST(r.running.load() == 3); // closed: everybody works again
    r.doors.open();
    ctx.settle();
    for (const job_id& id : jobs)
        BOOST_TEST(r.state(id) == "completed");
}

LIFEGUARD_TEST(pool_scope_outlives_its_workers) {
    rig r(ctx, sharing(breaker_scope::pool, 2));
    fail(r, 2);
    r.kill("p/1");
    r.kill("p/2");
    ctx.settle();
    BOOST_TEST(states(r) == "p open");
    const job_id probe = r.submit("wait");
    ctx.advance(10s);
    const std::string prober = r.worker(1).busy == 1 ? "p/1" : "p/2";
    BOOST_TEST(states(r) == "p half_open");
    r.kill(prober); // its probe is no answer: another one may run
    ctx.settle();
    BOOST_TEST(r.running.load() == 1);
    BOOST_TEST(r.job(probe).attempt == 2U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(probe) == "completed");
    BOOST_TEST(states(r) == "p closed");
}

LIFEGUARD_TEST(pool_scope_open_breaker_calls_no_overflow_workers) {
    worker_pool_options pool = sharing(breaker_scope::pool, 1);
    pool.max_overflow = 3;
    rig r(ctx, pool);
    fail(r, 2);
    for (int n = 0; n < 5; ++n)
        r.submit("double", n);
    BOOST_TEST(r.status().workers == 1U);
    ctx.advance(10s);
    BOOST_TEST(r.status().available == 0U);
}

LIFEGUARD_TEST(kind_scope_other_kinds_go_on) {
    rig r(ctx, sharing(breaker_scope::kind, 2));
    r.done("double", 1);
    fail(r, 2);
    BOOST_TEST(states(r) == "p:double closed, p:fail open");
    std::string text;
    BOOST_TEST((retry_after(r.execute("fail"), text) == 10s));
    BOOST_TEST(text.find("breaker 'p:fail'") != std::string::npos, text);
    const job_id waiting = r.submit("fail");
    for (int n = 0; n < 3; ++n)
        BOOST_TEST(r.done("double", n) == json(2 * n));
    BOOST_TEST(r.state(waiting) == "available");
    BOOST_TEST(r.job(waiting).deliveries == 0U);
    ctx.advance(10s); // it probes, and fails
    BOOST_TEST(r.state(waiting) == "retryable");
    BOOST_TEST(states(r) == "p:double closed, p:fail open");
    BOOST_TEST(r.status().breakers_opened_total == 2U);
}

LIFEGUARD_TEST(kind_scope_what_was_pulled_of_the_kind_goes_back_and_the_rest_is_done) {
    rig r(ctx, sharing(breaker_scope::kind, 1));
    const auto held = r.execute("wait");
    std::vector<job_id> bad, good;
    for (int n = 0; n < 4; ++n) {
        bad.push_back(r.submit("fail"));
        good.push_back(r.submit("double", n));
    }
    r.doors.open();
    ctx.settle();
    for (const job_id& id : good)
        BOOST_TEST(r.state(id) == "completed");
    BOOST_TEST(r.state(bad[1]) == "retryable");
    BOOST_TEST(r.state(bad[2]) == "available");
    BOOST_TEST(r.job(bad[3]).attempt == 0U);
    BOOST_TEST(r.loads() == "p/1 idle");
    BOOST_TEST(held.ready());
}

LIFEGUARD_TEST(kind_scope_one_probe_of_the_kind_at_a_time) {
    worker_pool_options pool = sharing(breaker_scope::kind, 3, 1);
    rig r(ctx, pool);
    std::atomic<bool> works = false;
    r.the_engine().handle("flaky", [&](job_context&) -> asio::awaitable<json> {
        if (!works)
            throw std::runtime_error("down");
        co_await r.doors.pass();
        co_return 1;
    });
    r.execute("flaky");
    works = true;
    std::vector<job_id> jobs;
    for (int n = 0; n < 4; ++n)
        jobs.push_back(r.submit("flaky"));
    ctx.advance(10s);
    BOOST_TEST(r.status().busy == 1U);
    BOOST_TEST(r.done("double", 2) == json(4)); // meanwhile
    r.doors.admit();
    ctx.settle();
    BOOST_TEST(r.status().busy == 3U);
    r.doors.open();
    ctx.settle();
    for (const job_id& id : jobs)
        BOOST_TEST(r.state(id) == "completed");
}

LIFEGUARD_TEST(judge_decides_which_errors_of_handlers_count) {
    worker_pool_options pool = tripping(1, 1);
    pool.process_timeout = 1s;
    pool.judge = [](const std::exception_ptr& e) {
        return describe(e) == "bad request" ? breaker_verdict::excluded : breaker_verdict::failure;
    };
    rig r(ctx, pool);
    for (int n = 0; n < 3; ++n)
        BOOST_TEST(message_of(r.execute("fail", "bad request")).find("bad request") !=
                   std::string::npos);
    BOOST_TEST(r.loads() == "p/1 idle");
    BOOST_TEST(r.pool().breakers()[0].counts.excluded == 3U);
    const auto slow = r.execute("nap", 5000);
    ctx.advance(1s); // a timeout is nothing to judge about
    BOOST_TEST((slow.error() == errc::timeout));
    BOOST_TEST(r.loads() == "p/1 idle open");
}

LIFEGUARD_TEST(pool_scope_refuses_an_execute_that_wants_an_idle_worker_too) {
    rig r(ctx, sharing(breaker_scope::pool, 2));
    fail(r, 2);
    execute_options how;
    how.dispatch = dispatch::next_available;
    BOOST_TEST((r.execute("double", 1, how).error() == errc::breaker_open));
    ctx.advance(10s);
    BOOST_TEST(test_future(r.execute("double", 1, how)).get() == json(2));
}

BOOST_AUTO_TEST_SUITE_END()
