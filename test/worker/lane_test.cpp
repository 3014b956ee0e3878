// Lanes: the long-lived coroutines that run handlers. Each sentence of the design about them is a
// test here.
#include "worker/rig.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
namespace this_coro = asio::this_coro;

namespace {

worker_pool_options one_second(unsigned size = 1) {
    worker_pool_options pool = workers(size);
    pool.process_timeout = 1s;
    return pool;
}

std::vector<job_id> submit_many(rig& r, int count, const std::string& kind) {
    std::vector<job_id> ids;
    for (int n = 0; n < count; ++n)
        ids.push_back(r.submit(kind, n));
    return ids;
}

std::size_t handlers_run(const test_context& ctx) {
    return ctx.handlers_run(0) + ctx.handlers_run(1);
}

} // namespace

BOOST_AUTO_TEST_SUITE(lanes)

LIFEGUARD_TEST(lane_is_spawned_once_and_lets_others_run_every_16th_job) {
    engine_options more;
    more.memory.finished_max = 10'000;
    rig r(ctx, workers(1), more);
    const auto held = r.execute("wait");
    const auto ids = submit_many(r, 1600, "echo");
    const std::size_t before = handlers_run(ctx);
    r.doors.open();
    ctx.settle();
    const std::size_t turns = handlers_run(ctx) - before;
    BOOST_TEST(r.state(ids.back()) == "completed");
    BOOST_TEST(turns >= 1600U / 16);     // it yields
    BOOST_TEST(turns < 1600U / 16 + 20); // and a spawn for each job would need two handlers a job
    BOOST_TEST(held.ready());
}

LIFEGUARD_TEST(handlers_that_return_at_once_do_not_recurse, *boost::unit_test::label("scale")) {
    rig r(ctx, workers(1));
    const auto held = r.execute("wait");
    const auto ids = submit_many(r, 20'000, "double");
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(ids.back()) == "completed");
    BOOST_TEST(r.worker(1).processed == 20'001U);
    BOOST_TEST(held.ready());
}

LIFEGUARD_TEST(caller_that_executes_in_a_loop_does_not_recurse, *boost::unit_test::label("scale")) {
    rig r(ctx, workers(2));
    const auto client = ctx.spawn([&]() -> asio::awaitable<int> {
        int sum = 0;
        for (int n = 0; n < 20'000; ++n) {
            const json twice = co_await r.pool().execute(new_job("double", n % 7));
            sum += twice.get<int>() - 2 * (n % 7);
        }
        co_return sum;
    });
    ctx.settle();
    BOOST_TEST(test_future(client).get() == 0);
    BOOST_TEST(r.started.load() == 20'000);
}

LIFEGUARD_TEST(late_timeout_does_not_hit_the_next_job) {
    rig r(ctx, one_second());
    const gate second;
    std::atomic<int> hit = 0;
    r.the_engine().handle("second", [&](job_context&) -> asio::awaitable<json> {
        try {
            co_await second.pass();
        } catch (...) {
            ++hit;
            throw;
        }
        co_return "second";
    });
    const auto first = r.execute("wait", "first");
    const job_id next = r.submit("second");
    // The timeout is noticed before the first handler ends, and reaches the lane after it has.
    ctx.time->advance(1s);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(first.ready());
    BOOST_TEST(r.loads() == "p/1 busy 1");
    BOOST_TEST(hit.load() == 0);
    second.open();
    ctx.settle();
    BOOST_TEST(r.state(next) == "completed");
}

LIFEGUARD_TEST(job_that_completes_as_its_timeout_passes_is_completed) {
    rig r(ctx, one_second());
    r.the_engine().handle("stubborn", [&](job_context&) -> asio::awaitable<json> {
        co_await r.doors.pass_deaf();
        co_return "after all";
    });
    const auto f = r.execute("stubborn");
    ctx.advance(1500ms); // cancelled, in vain
    r.doors.open();
    ctx.settle();
    BOOST_TEST(test_future(f).get() == json("after all"));
    BOOST_TEST(r.worker(1).processed == 1U);
    BOOST_TEST(r.status().timeouts_total == 1U);
}

LIFEGUARD_TEST(timeout_reaches_a_composed_operation) {
    using asio::local::stream_protocol;
    rig r(ctx, one_second());
    r.the_engine().handle("reader", [&](job_context&) -> asio::awaitable<json> {
        stream_protocol::socket ours(ctx.executor());
        stream_protocol::socket theirs(ctx.executor());
        asio::local::connect_pair(ours, theirs);
        std::array<char, 8> all{};
        co_await asio::async_read(ours, asio::buffer(all), asio::use_awaitable);
        co_return nullptr;
    });
    const auto f = r.execute("reader");
    ctx.advance(999ms);
    BOOST_TEST(!f.ready());
    ctx.advance(1ms);
    BOOST_TEST(f.ready());
    BOOST_TEST(r.status().timeouts_total == 1U);
    BOOST_TEST(r.status().stuck_total == 0U);
}

LIFEGUARD_TEST(each_job_has_its_own_timeout) {
    rig r(ctx, one_second());
    new_job longer("nap", 1900);
    longer.timeout = 2s;
    const auto first = r.execute(longer);
    ctx.advance(1900ms);
    BOOST_TEST(test_future(first).get() == json(1900));
    new_job shorter("nap", 1900);
    shorter.timeout = 10ms;
    const auto second = r.execute(shorter);
    ctx.advance(10ms);
    BOOST_TEST(second.ready());
    BOOST_TEST((second.error() == errc::timeout));
    const auto third = r.execute("nap", 1001);
    ctx.advance(999ms);
    BOOST_TEST(!third.ready());
    ctx.advance(1ms);
    BOOST_TEST((third.error() == errc::timeout));
    BOOST_TEST(r.status().timeouts_total == 2U);
    BOOST_TEST(r.status().timeouts_armed == 3U);
    BOOST_TEST(r.done("double", 1) == json(2)); // a cancelled lane runs the next job
    BOOST_TEST(r.worker(1).incarnation == 1U);
}

LIFEGUARD_TEST(handler_that_changes_filter_and_flag_does_not_affect_the_next) {
    rig r(ctx, one_second());
    r.the_engine().handle("spoil", [](job_context&) -> asio::awaitable<json> {
        co_await this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await this_coro::throw_if_cancelled(false);
        co_return 1;
    });
    std::atomic<bool> threw = false;
    r.the_engine().handle("late", [&](job_context&) -> asio::awaitable<json> {
        try {
            co_await r.doors.pass();
        } catch (...) { // NOLINT: the next wait must throw by itself
        }
        try {
            co_await asio::post(asio::use_awaitable);
        } catch (...) {
            threw = true;
        }
        co_return 1;
    });
    BOOST_TEST(r.done("spoil") == json(1));
    const auto waits = r.execute("wait");
    ctx.advance(1s);
    BOOST_TEST((waits.error() == errc::timeout));
    BOOST_TEST(r.cancelled.load() == 1);

    r.done("spoil");
    const auto late = r.execute("late");
    ctx.advance(1s);
    BOOST_TEST(late.ready());
    BOOST_TEST(threw.load());
}

LIFEGUARD_TEST(timeout_asks_first_and_forces_after_the_grace) {
    rig r(ctx, one_second());
    std::atomic<int> cleaned = 0;
    r.the_engine().handle("tidy", [&](job_context& job) -> asio::awaitable<json> {
        const int takes = job.payload().get<int>();
        bool cancelled = false;
        try {
            co_await r.doors.pass();
        } catch (...) {
            cancelled = true;
        }
        auto clean_up = [&]() -> asio::awaitable<void> {
            co_await nap(ctx.time, std::chrono::milliseconds(takes));
            ++cleaned;
        };
        co_await this_coro::throw_if_cancelled(false); // or the shield could not be entered
        if (cancelled)
            co_await shielded(clean_up);
        throw std::runtime_error("was cancelled");
        co_return 1;
    });
    const auto quick = r.execute("tidy", 999);
    ctx.advance(1s);
    BOOST_TEST(!quick.ready());
    ctx.advance(999ms);
    BOOST_TEST((quick.error() == errc::timeout));
    BOOST_TEST(cleaned.load() == 1);
    const auto slow = r.execute("tidy", 5000);
    ctx.advance(1999ms);
    BOOST_TEST(!slow.ready());
    ctx.advance(1ms);
    BOOST_TEST((slow.error() == errc::timeout));
    BOOST_TEST(cleaned.load() == 1);
}

LIFEGUARD_TEST(CAN_09_deaf_handler_is_stuck_once_and_its_lane_is_replaced) {
    rig r(ctx, one_second());
    const auto f = r.execute("deaf", 7);
    const job_id next = r.submit("double", 1);
    ctx.advance(10'999ms);
    BOOST_TEST(r.log->count("event=stuck") == 0U);
    BOOST_TEST(!f.ready());
    BOOST_TEST(r.state(next) == "available");
    ctx.advance(1ms);
    BOOST_TEST(r.log->count("event=stuck") == 1U);
    BOOST_TEST(r.log->count("running_ms=11000 worker=p/1") == 1U);
    BOOST_TEST((f.error() == errc::timeout));
    BOOST_TEST(r.status().stuck_total == 1U);
    BOOST_TEST(r.status().lanes_abandoned == 1U);
    BOOST_TEST(r.state(next) == "completed"); // by the new lane of the same worker
    BOOST_TEST(r.worker(1).incarnation == 1U);
    BOOST_TEST(r.worker(1).failed == 1U);
    ctx.advance(60s);
    BOOST_TEST(r.log->count("event=stuck") == 1U);

    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.log->count("event=unstuck") == 1U);
    BOOST_TEST(r.log->count("event=job_failed") == 1U);
    BOOST_TEST(r.status().lanes_abandoned == 0U);
    BOOST_TEST(r.worker(1).processed == 1U); // its late result changes nothing
    BOOST_TEST(r.worker(1).failed == 1U);
    BOOST_TEST(r.status().executing == 0U);
    BOOST_TEST(r.metric("lifeguard_job_duration_seconds", {{"outcome", "failure"}}) == 1);
    BOOST_TEST(r.metric("lifeguard_job_duration_seconds", {{"outcome", "success"}}) == 1);
}

LIFEGUARD_TEST(CAN_09_also_when_the_job_was_cancelled_beforehand_by_a_kill) {
    rig r(ctx, one_second());
    const auto f = r.execute("deaf", 7);
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST((f.error() == errc::killed));
    BOOST_TEST(r.status().lanes_abandoned == 1U);
    BOOST_TEST(r.log->count("event=stuck") == 0U);
    ctx.advance(11s);
    BOOST_TEST(r.log->count("event=stuck") == 1U);
    BOOST_TEST(r.status().timeouts_total == 0U); // it was killed, that is all
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.log->count("event=unstuck") == 1U);
    BOOST_TEST(r.status().lanes_abandoned == 0U);
    BOOST_TEST(r.log->count("event=job_failed") == 1U);
}

LIFEGUARD_TEST(deaf_handlers_that_are_too_many_are_not_replaced_before_they_end) {
    worker_pool_options pool = one_second(2);
    pool.abandoned_max = 1;
    rig r(ctx, pool);
    const auto first = r.execute("deaf", 1);
    const auto second = r.execute("deaf", 2);
    ctx.advance(11s);
    BOOST_TEST((first.error() == errc::timeout));
    BOOST_TEST((second.error() == errc::timeout));
    BOOST_TEST(r.status().lanes_abandoned == 2U);
    BOOST_TEST(r.log->count("event=short_of_lanes") == 2U);
    const job_id waits = r.submit("double", 1);
    BOOST_TEST(r.state(waits) == "available");
    r.kill("p/1"); // its next incarnation has no lane either
    ctx.settle();
    BOOST_TEST(r.worker(1).incarnation == 2U);
    BOOST_TEST(r.state(waits) == "available");

    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.status().lanes_abandoned == 0U);
    BOOST_TEST(r.state(waits) == "completed");
    BOOST_TEST(r.loads() == "p/1 idle, p/2 idle");
}

LIFEGUARD_TEST(late_result_of_a_stuck_attempt_does_not_touch_the_next_attempt) {
    engine_options more;
    more.queue.retry = backoff{.offset = 1s, .base = 0s, .factor = 1, .cap = 1h, .jitter = 0};
    rig r(ctx, one_second(), more);
    const gate next;
    r.the_engine().handle("twice", [&](job_context& job) -> asio::awaitable<json> {
        const gate& at = job.attempt() == 1 ? r.doors : next;
        co_await at.pass_deaf();
        co_return job.attempt();
    });
    const job_id id = r.submit("twice");
    ctx.advance(11s);
    BOOST_TEST(r.state(id) == "retryable");
    ctx.advance(1s);
    BOOST_TEST(r.state(id) == "executing");
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(id) == "executing");
    next.open();
    ctx.settle();
    BOOST_TEST(r.state(id) == "completed");
    BOOST_TEST(ctx.await(r.pool().result(id)) == json(2));
    BOOST_TEST(r.job(id).errors.size() == 1U);
}

LIFEGUARD_TEST(exception_of_no_known_type_is_a_failed_attempt) {
    rig r(ctx, workers(1));
    r.the_engine().handle("odd", [](job_context&) -> asio::awaitable<json> {
        throw 42;
        co_return 1;
    });
    const auto f = r.execute("odd");
    bool as_thrown = false;
    try {
        std::rethrow_exception(f.exception());
    } catch (int n) {
        as_thrown = n == 42;
    }
    BOOST_TEST(as_thrown);
    BOOST_TEST(r.worker(1).failed == 1U);
    BOOST_TEST(r.log->count("event=job_failed") == 1U);
    BOOST_TEST(r.done("double", 2) == json(4));
}

LIFEGUARD_TEST(handler_that_throws_before_it_is_a_coroutine_is_a_failed_attempt) {
    rig r(ctx, workers(1));
    r.the_engine().handle("early", [](job_context&) -> asio::awaitable<json> {
        throw std::logic_error("not even started");
    });
    BOOST_TEST(message_of(r.execute("early")) == "not even started");
    BOOST_TEST(r.done("double", 2) == json(4));
}

LIFEGUARD_TEST(stop_is_a_flag_that_a_handler_cannot_undo) {
    worker_pool_options pool = workers(1);
    pool.drain_wait = 1s;
    rig r(ctx, pool);
    r.the_engine().handle("undo", [&](job_context&) -> asio::awaitable<json> {
        try {
            co_await r.doors.pass();
        } catch (...) { // NOLINT: it wants to go on
        }
        co_await this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_return "done all the same";
    });
    const auto f = r.execute("undo");
    const job_id next = r.submit("double", 1);
    r.ask_to_stop();
    ctx.settle();
    BOOST_TEST(!r.ended());
    BOOST_TEST(r.state(next) == "available");
    ctx.advance(1s);
    BOOST_TEST(r.ended());
    BOOST_TEST(test_future(f).get() == json("done all the same"));
    BOOST_TEST(r.state(next) == "available"); // not begun after the stop
}

LIFEGUARD_TEST(lanes_of_a_worker_run_side_by_side_each_on_its_own_strand) {
    worker_pool_options pool = workers(1);
    pool.concurrency = 3;
    rig r(ctx, pool);
    std::vector<test_future<json>> all;
    for (int n = 0; n < 5; ++n)
        all.push_back(r.execute("wait", n));
    BOOST_TEST(r.running.load() == 3);
    BOOST_TEST(r.worker(1).busy == 3U);
    BOOST_TEST(r.worker(1).jobs.size() == 3U);
    r.doors.open();
    ctx.settle();
    for (int n = 0; n < 5; ++n)
        BOOST_TEST(all[static_cast<std::size_t>(n)].get() == json(n));
    BOOST_TEST(r.running_max.load() == 3);
}

LIFEGUARD_TEST(handlers_run_on_the_executor_that_the_options_name) {
    asio::io_context elsewhere(1);
    std::atomic<bool> there = false;
    {
        worker_pool_options pool = workers(1);
        pool.handler_executor = elsewhere.get_executor();
        rig r(ctx, pool);
        r.the_engine().handle("where", [&](job_context&) -> asio::awaitable<json> {
            there = elsewhere.get_executor().running_in_this_thread();
            co_return 1;
        });
        const auto settle = [&] {
            for (int i = 0; i < 4; ++i) {
                ctx.settle();
                elsewhere.restart();
                elsewhere.poll();
            }
            ctx.settle();
        };
        settle();
        const auto f = r.execute("where");
        BOOST_TEST(!f.ready());
        settle();
        BOOST_TEST(test_future(f).get() == json(1));
        BOOST_TEST(there.load());
        r.ask_to_stop();
        settle();
    }
}

LIFEGUARD_TEST(context_of_the_handlers_may_go_first) {
    worker_pool_options pool = workers(2);
    auto elsewhere = std::make_unique<asio::io_context>(1);
    pool.handler_executor = elsewhere->get_executor();
    rig r(ctx, pool);
    std::atomic<int> live = 0;
    r.the_engine().handle("spin", [&](job_context&) -> asio::awaitable<json> {
        struct alive {
            explicit alive(std::atomic<int>& c) : count(c) { ++count; }
            ~alive() { --count; }
            std::atomic<int>& count;
        } one(live);
        for (;;)
            co_await asio::post(asio::use_awaitable);
    });
    ctx.settle();
    elsewhere->poll(); // both lanes wait
    const job_id running = r.submit("spin");
    elsewhere->restart();
    for (int n = 0; n < 10; ++n)
        elsewhere->poll_one();
    BOOST_TEST(live.load() == 1);
    elsewhere.reset();
    ctx.settle();
    BOOST_TEST(r.state(running) == "available");
    BOOST_TEST(r.job(running).attempt == 0U);
    BOOST_TEST(live.load() == 0);
}

// A cancellation that comes between two jobs, or before a handler's first wait, must find it.
BOOST_AUTO_TEST_CASE(kill_is_never_lost_wherever_it_strikes) {
    for (int cut = 0; cut < 120; ++cut) {
        BOOST_TEST_CONTEXT("killed after " << cut << " handlers") {
            test_context ctx(1);
            worker_pool_options pool = workers(1);
            pool.max_overflow = 0;
            rig r(ctx, pool);
            const gate first;
            r.the_engine().handle("hold", [&](job_context&) -> asio::awaitable<json> {
                co_await first.pass();
                co_return 1;
            });
            r.submit("hold");
            for (int n = 0; n < 40; ++n)
                r.submit(n % 16 == 14 ? "wait" : "double", n);
            first.open();
            ctx.io.restart();
            for (int n = 0; n < cut; ++n)
                ctx.io.poll_one();
            auto killed = ctx.spawn(r.pool().kill("p/1"));
            ctx.settle();
            BOOST_TEST(killed.ready());
            BOOST_TEST(r.status().lanes_abandoned == 0U);
            BOOST_TEST(r.running.load() <= 1);
            BOOST_TEST(r.worker(1).incarnation == 2U);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
