// how pools and engines stop.
#include "conformance/queue_fixture.hpp"
#include <lifeguard/engine.hpp>

#include <atomic>
#include <map>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(stopping)

namespace {

worker_pool_options pool_of(std::string name, duration drain_wait = 4s) {
    worker_pool_options options = one_worker();
    options.queues = {name};
    options.name = std::move(name);
    options.drain_wait = drain_wait;
    options.process_timeout = 1h;
    return options;
}

/// An engine that runs, with jobs that are held at a gate.
struct engine_fixture {
    engine_fixture(test_context& context, const store_under_test& kept,
                   std::vector<worker_pool_options> pools)
        : ctx(context),
          app(ctx.executor(), options(kept, std::move(pools))),
          drains(ctx.settle_with([core = app.queue().core()] { return core->store().drain(); })),
          run(ctx.spawn(app.run())) {
        app.handle("held", [this](job_context&) -> asio::awaitable<void> {
            ++started;
            try {
                co_await held.pass();
            } catch (...) {
                ++cancelled;
                throw;
            }
        });
        ctx.settle();
    }
    ~engine_fixture() noexcept(false) { // what it settles may be cut
        if (ctx.is_cut())
            return;
        app.request_stop();
        held.open();
        ctx.settle();
        BOOST_TEST(run.ready());
    }
    engine_fixture(const engine_fixture&) = delete;
    engine_fixture& operator=(const engine_fixture&) = delete;

    engine_options options(const store_under_test& kept,
                           std::vector<worker_pool_options> pools) const {
        engine_options o;
        o.make_store = kept.make;
        o.queue = conformance_options();
        o.pools = std::move(pools);
        o.time = ctx.time;
        o.log = std::make_shared<log_capture>();
        return o;
    }

    job_id submit(const std::string& pool) {
        const job_id id = ctx.await(app.pool(pool).submit(new_job("held")));
        ctx.settle();
        return id;
    }
    job_info info(const job_id& id) { return app.queue().find(id).value(); }
    test_future<stop_answer> stop(duration wait) {
        auto stops = ctx.spawn(app.stop_within(wait));
        ctx.settle();
        return stops;
    }

    test_context& ctx;
    gate held;
    std::atomic<int> started = 0;
    std::atomic<int> cancelled = 0;
    engine app;
    std::shared_ptr<void> drains;
    test_future<void> run;
};

} // namespace

LIFEGUARD_STORE_TEST(Q_44_with_nothing_running_a_stop_is_prompt) {
    engine_fixture e(ctx, kept, {pool_of("a"), pool_of("b")});
    auto stops = e.stop(50ms); // and no time passes
    BOOST_TEST_REQUIRE(stops.ready());
    BOOST_TEST((stops.get() == stop_answer::stopped));
    BOOST_TEST(e.run.ready());
    BOOST_TEST((e.stop(50ms).get() == stop_answer::stopped)); // so is another one
}

LIFEGUARD_STORE_TEST(Q_44_a_stop_waits_for_a_running_job) {
    engine_fixture e(ctx, kept, {pool_of("a")});
    const job_id id = e.submit("a");
    auto stops = e.stop(2s);
    ctx.advance(1s);
    BOOST_TEST(!stops.ready());
    e.held.open();
    ctx.settle();
    BOOST_TEST_REQUIRE(stops.ready());
    BOOST_TEST((stops.get() == stop_answer::stopped));
    BOOST_TEST(e.info(id).state == job_state::completed);
}

LIFEGUARD_STORE_TEST(Q_44_a_stop_that_takes_too_long_says_so_and_cancels_nothing) {
    engine_fixture e(ctx, kept, {pool_of("a")});
    const job_id id = e.submit("a");
    auto stops = e.stop(50ms);
    ctx.advance(49ms);
    BOOST_TEST(!stops.ready());
    ctx.advance(1ms);
    BOOST_TEST_REQUIRE(stops.ready());
    BOOST_TEST((stops.get() == stop_answer::deadline));
    BOOST_TEST(e.info(id).state == job_state::executing);
    BOOST_TEST(e.held.waiting() == 1u);
    ctx.advance(1s);
    BOOST_TEST(e.cancelled == 0);
    auto again = e.stop(1s);
    e.held.open();
    ctx.settle();
    BOOST_TEST((again.get() == stop_answer::stopped));
    BOOST_TEST(e.info(id).state == job_state::completed);
}

LIFEGUARD_STORE_TEST(Q_44_no_pool_starts_a_job_after_the_stop_began) {
    engine_fixture e(ctx, kept, {pool_of("a"), pool_of("b")});
    e.submit("b"); // it stops first, and takes its time
    auto stops = e.stop(1s);
    const job_id late = ctx.await(e.app.queue().push([] {
        new_job job("held");
        job.queue = "a";
        return job;
    }()));
    ctx.settle();
    BOOST_TEST(e.started == 1);
    BOOST_TEST(e.info(late).state == job_state::available);
    e.held.open();
    ctx.settle();
    BOOST_TEST((stops.get() == stop_answer::stopped));
    BOOST_TEST(e.started == 1);
    BOOST_TEST(e.info(late).attempt == 0u);
}

LIFEGUARD_STORE_TEST(Q_44_a_run_that_is_cancelled_stops_all_pools_at_once_too) {
    engine_fixture e(ctx, kept, {pool_of("a"), pool_of("b")});
    e.submit("b");
    e.run.cancel(asio::cancellation_type::total);
    ctx.settle();
    ctx.await(e.app.queue().push([] {
        new_job job("held");
        job.queue = "a";
        return job;
    }()));
    ctx.settle();
    BOOST_TEST(e.started == 1);
    e.held.open();
    ctx.settle();
    BOOST_TEST(e.run.ready());
    BOOST_TEST(e.started == 1);
}

LIFEGUARD_STORE_TEST(Q_44_under_continuous_enqueue_no_job_is_left_leased) {
    worker_pool_options a = pool_of("a");
    a.size = 3;
    a.max_overflow = 2;
    a.pull_size = 5;
    worker_pool_options b = pool_of("b");
    b.size = 2;
    engine_fixture e(ctx, kept, {a, b});
    std::atomic<int> ran = 0;
    std::atomic<int> pushed = 0;
    std::atomic<bool> stopped = false;
    std::atomic<int> ran_late = 0;
    e.app.handle("quick", [&](job_context&) -> asio::awaitable<void> {
        ran_late += stopped ? 1 : 0;
        ++ran;
        co_await asio::post(asio::use_awaitable);
    });
    const auto produce = [&](int producer) -> asio::awaitable<void> {
        for (int i = 0; i < 30; ++i) {
            new_job job("quick");
            job.queue = (producer + i) % 2 == 0 ? "a" : "b";
            co_await e.app.queue().push(std::move(job));
            if (++pushed == 150) {
                e.app.request_stop();
                stopped = true;
            }
        }
    };
    std::vector<test_future<void>> producers;
    for (int p = 0; p < 10; ++p)
        producers.push_back(ctx.spawn([&, p] { return produce(p); }));
    ctx.settle();
    BOOST_TEST(e.run.ready());
    BOOST_TEST(pushed == 300);
    // A second thread may have been between taking a job and its handler.
    if (ctx.threads() == 1)
        BOOST_TEST(ran_late == 0);
    std::size_t left = 0;
    for (const char* name : {"a", "b"}) {
        const queue_counts c = e.app.queue().counts(name);
        BOOST_TEST(c.executing == 0u);
        left += c.available;
    }
    BOOST_TEST(left + static_cast<std::size_t>(ran) == 300u);
    BOOST_TEST(left != 0u);
}

LIFEGUARD_STORE_TEST(Q_45_a_job_that_a_stop_cut_short_was_not_attempted) {
    queue_fixture q(ctx, kept);
    gate held;
    std::atomic<int> runs = 0;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        if (++runs == 1)
            co_await held.pass();
        throw std::runtime_error("a real error");
        co_return json();
    });
    worker_pool_options options = one_worker();
    options.drain_wait = 100ms;
    worker_pool pool(q.queue, options);
    auto first = ctx.spawn(pool.run());
    ctx.settle();
    const job_id id = ctx.await(pool.submit(new_job("k")));
    ctx.settle();
    first.cancel(asio::cancellation_type::total);
    ctx.advance(99ms);
    BOOST_TEST(!first.ready());
    BOOST_TEST(q.state(id) == job_state::executing);
    ctx.advance(1ms);
    BOOST_TEST(first.ready());
    job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::available);
    BOOST_TEST(info.attempt == 0u);
    BOOST_TEST(info.errors.empty());
    BOOST_TEST(runs == 1);

    auto second = ctx.spawn(pool.run());
    ctx.settle();
    info = q.info(id);
    BOOST_TEST(info.state == job_state::retryable);
    BOOST_TEST(info.attempt == 1u);
    BOOST_TEST_REQUIRE(info.errors.size() == 1u);
    BOOST_TEST(info.errors[0].attempt == 1u);
    BOOST_TEST(info.errors[0].text == "a real error");
    second.cancel(asio::cancellation_type::total);
    ctx.settle();
}

LIFEGUARD_STORE_TEST(Q_46_pools_share_the_time_to_finish) {
    engine_fixture e(ctx, kept, {pool_of("a", 100ms), pool_of("b", 100ms), pool_of("c", 100ms)});
    std::vector<job_id> stuck;
    for (const char* pool : {"a", "b", "c"})
        stuck.push_back(e.submit(pool));
    BOOST_TEST(e.held.waiting() == 3u);
    auto stops = e.stop(10s);
    ctx.advance(99ms);
    BOOST_TEST(!stops.ready());
    ctx.advance(1ms); // one period, not three
    BOOST_TEST_REQUIRE(stops.ready());
    BOOST_TEST((stops.get() == stop_answer::stopped));
    for (const job_id& id : stuck) {
        BOOST_TEST(e.info(id).state == job_state::available);
        BOOST_TEST(e.info(id).attempt == 0u);
        BOOST_TEST(e.info(id).errors.empty());
    }
}

LIFEGUARD_STORE_TEST(Q_46_a_worker_that_is_killed_meanwhile_takes_nothing_when_it_is_back) {
    engine_fixture e(ctx, kept, {pool_of("a"), pool_of("b")});
    e.submit("a");
    e.submit("b");
    auto stops = e.stop(10s); // b's turn
    ctx.await(e.app.pool("a").kill("a/1"));
    ctx.settle();
    BOOST_TEST(e.started == 2);
    e.held.open();
    ctx.settle();
    BOOST_TEST((stops.get() == stop_answer::stopped));
    BOOST_TEST(e.started == 2);
    BOOST_TEST(e.app.queue().counts("a").available == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
