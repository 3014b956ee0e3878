// The cases of section 7 that need workers.
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(workers)

LIFEGUARD_STORE_TEST(Q_15_a_pulled_job_counts_as_working_for_its_worker) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    worker_pool_options options = one_worker();
    options.size = 2;
    pool_fixture p(ctx, q, options);
    const job_id id = p.submit(new_job("k"));
    BOOST_TEST(q.counts() == "executing 1");
    BOOST_TEST(q.take(1).empty());
    unsigned working = 0;
    for (const worker_status& w : p.pool.workers()) {
        working += w.busy;
        if (w.busy != 0)
            BOOST_TEST((w.jobs == std::vector<job_id>{id}));
        else
            BOOST_TEST(w.jobs.empty());
    }
    BOOST_TEST(working == 1u);
    held.open();
    ctx.settle();
    BOOST_TEST(q.counts() == "completed 1");
}

LIFEGUARD_STORE_TEST(Q_21_long_work_on_a_short_lease_is_delivered_once) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    worker_pool_options options = one_worker();
    options.process_timeout = 1h;
    pool_fixture p(ctx, q, options);
    const job_id id = p.submit(new_job("k"));
    ctx.advance(10min);
    BOOST_TEST(q.state(id) == job_state::executing);
    held.open();
    ctx.settle();
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::completed);
    BOOST_TEST(info.deliveries == 1u);
    BOOST_TEST(info.attempt == 1u);
    BOOST_TEST(q.figures().lease_timeouts == 0u);
    ctx.advance(1h);
    BOOST_TEST(ctx.time->alarms() == 0u); // nobody renews anything
}

LIFEGUARD_STORE_TEST(Q_23_the_job_of_a_crashed_worker_is_available_at_once) {
    queue_options queue_opts = conformance_options();
    queue_opts.lease = 100s;
    queue_fixture q(ctx, kept, queue_opts);
    q.handle("k", [](job_context& job) -> asio::awaitable<json> {
        if (job.attempt() == 1)
            throw std::runtime_error("crash");
        co_return job.attempt();
    });
    worker_pool_options options = one_worker();
    options.let_it_crash = true;
    pool_fixture p(ctx, q, options);
    const job_id id = p.submit(new_job("k"));
    ctx.advance(1s);
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::completed);
    BOOST_TEST(info.result == "2");
    BOOST_TEST(info.deliveries == 2u);
    BOOST_TEST(info.errors.size() == 1u);
    BOOST_TEST(p.pool.worker("p/1").restarts == 1u);
}

LIFEGUARD_STORE_TEST(Q_23_so_is_that_of_a_killed_worker) {
    queue_options queue_opts = conformance_options();
    queue_opts.lease = 100s;
    queue_fixture q(ctx, kept, queue_opts);
    gate held;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    pool_fixture p(ctx, q, one_worker());
    const job_id id = p.submit(new_job("k"));
    ctx.await(p.pool.kill("p/1"));
    ctx.advance(1s);
    // The restarted worker has it.
    BOOST_TEST(q.info(id).deliveries == 2u);
    BOOST_TEST(q.info(id).attempt == 2u);
    held.open();
    ctx.settle();
    BOOST_TEST(q.state(id) == job_state::completed);
    BOOST_TEST(q.info(id).errors.size() == 1u);
}

namespace {

asio::awaitable<void> fails_deep_down() {
    co_await asio::post(asio::use_awaitable);
    throw std::runtime_error("deep down");
}

} // namespace

namespace {

/// A queue and a pool for one way to end.
struct ending {
    ending(test_context& ctx, const store_under_test& kept, const char* kind, handler run)
        : jobs(ctx, kept), pool(ctx, with_handler(jobs, kind, std::move(run)), options()) {}

    static worker_pool_options options() {
        worker_pool_options o = one_worker();
        o.process_timeout = 5s;
        return o;
    }
    static queue_fixture& with_handler(queue_fixture& q, const char* kind, handler run) {
        q.handle(kind, std::move(run));
        return q;
    }
    void check(const job_id& id, job_state state) {
        const job_info info = jobs.info(id);
        BOOST_TEST_CONTEXT(info.kind) {
            BOOST_TEST(info.state == state);
            BOOST_TEST_REQUIRE(info.errors.size() == 1u);
            BOOST_TEST(info.errors[0].attempt == 1u);
        }
    }

    queue_fixture jobs;
    pool_fixture pool; // in no optional: what it settles at its end may be cut
};

} // namespace

LIFEGUARD_STORE_TEST(Q_32_jobs_that_end_in_any_way_have_one_error_at_attempt_1) {
    gate held;
    {
        ending e(ctx, kept, "throws", [](job_context&) -> asio::awaitable<json> {
            throw std::runtime_error("plain");
            co_return json();
        });
        e.check(e.pool.submit(new_job("throws")), job_state::retryable);
    }
    {
        ending e(ctx, kept, "nested", [](job_context&) -> asio::awaitable<json> {
            co_await fails_deep_down();
            co_return json();
        });
        const job_id nested = e.pool.submit(new_job("nested"));
        e.check(nested, job_state::retryable);
        BOOST_TEST(e.jobs.info(nested).errors[0].text == "deep down");
    }
    {
        ending e(ctx, kept, "forced", [&](job_context&) -> asio::awaitable<json> {
            // Deaf to the first request: only force ends it.
            co_await asio::this_coro::reset_cancellation_state(
                asio::enable_terminal_cancellation());
            co_await held.pass();
            co_return json();
        });
        new_job job("forced");
        job.timeout = 10ms;
        const job_id forced = e.pool.submit(job);
        ctx.advance(10ms);
        BOOST_TEST(e.jobs.state(forced) == job_state::executing);
        ctx.advance(ending::options().cancel_grace);
        e.check(forced, job_state::retryable);
    }
    ending e(ctx, kept, "killed", [&](job_context& job) -> asio::awaitable<json> {
        if (job.attempt() == 1)
            co_await held.pass();
        co_return json();
    });
    const job_id killed = e.pool.submit(new_job("killed"));
    ctx.await(e.pool.pool.kill("p/1"));
    ctx.settle();
    e.check(killed, job_state::completed); // it was available at once, and ran again
    BOOST_TEST(e.jobs.info(killed).attempt == 2u);
}

LIFEGUARD_STORE_TEST(Q_33_a_timed_out_job_fails_and_its_worker_lives) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("slow", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    q.handle("quick", [](job_context&) -> asio::awaitable<json> { co_return json(); });
    worker_pool_options options = one_worker();
    options.process_timeout = 5ms;
    pool_fixture p(ctx, q, options);
    const job_id slow = p.submit(new_job("slow"));
    const job_id quick = p.submit(new_job("quick"));
    ctx.advance(4ms);
    BOOST_TEST(q.state(slow) == job_state::executing);
    ctx.advance(16ms);
    const job_info info = q.info(slow);
    BOOST_TEST(info.state == job_state::retryable);
    BOOST_TEST_REQUIRE(info.errors.size() == 1u);
    BOOST_TEST(info.errors[0].text == "timed out after 5 ms");
    BOOST_TEST(q.state(quick) == job_state::completed);
    BOOST_TEST(p.pool.worker("p/1").incarnation == 1u);
    BOOST_TEST(p.pool.status().timeouts_total == 1u);
}

LIFEGUARD_STORE_TEST(Q_34_a_kind_that_nobody_can_run_is_never_taken) {
    queue_fixture q(ctx, kept);
    const auto run = [](job_context&) -> asio::awaitable<json> { co_return json(); };
    q.handle("known", run);
    pool_fixture p(ctx, q, one_worker());
    const job_id waiting = p.submit(new_job("unknown"));
    const job_id known = p.submit(new_job("known"));
    BOOST_TEST(q.state(known) == job_state::completed);
    ctx.advance(1h);
    const job_info info = q.info(waiting);
    BOOST_TEST(info.state == job_state::available);
    BOOST_TEST(info.attempt == 0u);
    BOOST_TEST(info.deliveries == 0u);
    BOOST_TEST(info.waits_for_handler);
    BOOST_TEST(q.queue.counts("default").waiting_for_handler == 1u);
    q.handle("unknown", run);
    ctx.settle();
    BOOST_TEST(q.state(waiting) == job_state::completed);
    BOOST_TEST(q.queue.counts("default").waiting_for_handler == 0u);
}

LIFEGUARD_STORE_TEST(Q_34_strict_kinds_refuses_them) {
    queue_options options = conformance_options();
    options.strict_kinds = true;
    options.kinds_max = 2;
    queue_fixture q(ctx, kept, options);
    q.handle("known", [](job_context&) -> asio::awaitable<json> { co_return json(); });
    for (int i = 0; i < 3; ++i) { // and what is refused uses up nothing
        const thrown t = q.refused(new_job("unknown" + std::to_string(i)));
        BOOST_TEST(t.code == errc::unknown_kind);
        BOOST_TEST(t.text.find("'unknown" + std::to_string(i) + "'") != std::string::npos);
    }
    q.push(new_job("known"));
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_STORE_TEST(Q_43_as_many_jobs_are_leased_as_there_are_workers) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    worker_pool_options options = one_worker();
    options.size = 5;
    pool_fixture p(ctx, q, options);
    for (int i = 0; i < 10; ++i)
        p.submit(new_job("k"));
    BOOST_TEST(q.counts() == "available 5, executing 5");
    BOOST_TEST(held.waiting() == 5u);
    ctx.advance(1s);
    BOOST_TEST(q.counts() == "available 5, executing 5");
    // A completion frees its slot for the next.
    held.open_one();
    ctx.settle();
    BOOST_TEST(q.counts() == "available 4, executing 5, completed 1");
    while (held.waiting() != 0) {
        held.open();
        ctx.settle();
    }
    BOOST_TEST(q.counts() == "completed 10");
    std::uint64_t pulled = 0;
    for (const worker_status& w : p.pool.workers())
        pulled += w.pulled;
    BOOST_TEST(pulled == 10u);
}

BOOST_AUTO_TEST_SUITE_END()
