// Asking, forcing, abandoning: what a coroutine makes of its cancellation.
#include "base/executors.hpp"
#include "supervision/puppet.hpp"
#include <lifeguard/shielded.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <thread>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(cancellation)

LIFEGUARD_TEST(CAN_01_child_waiting_on_a_timer_ends_in_the_same_turn) {
    child_spec spec("a", [&]() -> asio::awaitable<void> { co_await sleep(ctx.time, 1h); });
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    sup.request_stop();
    ctx.settle();
    BOOST_TEST(heard.take() == "exited a1 shutdown, ended shutdown");
    BOOST_TEST(outcome(run) == "returned");
    const stop_figures f = sup.figures();
    BOOST_TEST(f.stops_shutdown == 1U);
    BOOST_TEST(f.force_cancel_total == 0U);
    BOOST_CHECK(f.stop_latency_max == 0ms);
}

LIFEGUARD_TEST(child_in_a_composed_operation_ends_when_it_is_asked) {
    using asio::local::stream_protocol;
    child_spec spec("reader", [&]() -> asio::awaitable<void> {
        stream_protocol::socket ours(ctx.executor());
        stream_protocol::socket theirs(ctx.executor());
        asio::local::connect_pair(ours, theirs);
        std::string line;
        co_await asio::async_read_until(ours, asio::dynamic_buffer(line), '\n',
                                        asio::use_awaitable);
    });
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    sup.request_stop();
    ctx.settle();
    BOOST_TEST(heard.take() == "started reader1, exited reader1 shutdown, ended shutdown");
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(CAN_02_shielded_clean_up_is_completed) {
    const auto notes = std::make_shared<journal>();
    child_spec spec("a", [&] { return cleans_up(ctx.time, 200ms, notes); });
    spec.shutdown = shutdown_policy::after(1000ms);
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    sup.request_stop();
    ctx.advance(199ms);
    BOOST_TEST(heard.take() == "started a1");
    ctx.advance(1ms);
    BOOST_TEST(heard.take() == "exited a1 shutdown, ended shutdown");
    BOOST_TEST(notes->take() == "asked, clean");
    BOOST_TEST(sup.figures().force_cancel_total == 0U);
    BOOST_CHECK(sup.figures().stop_latency_max == 200ms);
}

LIFEGUARD_TEST(CAN_03_clean_up_that_takes_too_long_is_cancelled_by_force) {
    const auto notes = std::make_shared<journal>();
    child_spec spec("a", [&] { return cleans_up(ctx.time, 3000ms, notes); });
    spec.shutdown = shutdown_policy::after(1000ms);
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    sup.request_stop();
    ctx.advance(1000ms);
    BOOST_TEST(heard.take() == "started a1, exited a1 killed, ended shutdown");
    BOOST_TEST(notes->take() == "asked");
    BOOST_TEST(sup.figures().force_cancel_total == 1U);
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(CAN_04_immovable_child_is_abandoned_and_accounted) {
    const immovable rock;
    const puppet a("a");
    supervisor sup(ctx.executor(), impatient(ctx),
                   {a.spec(), rock.spec(shutdown_policy::after(100ms))});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    sup.request_stop();
    ctx.advance(149ms);
    BOOST_TEST(heard.take() == "");
    ctx.advance(1ms);
    BOOST_TEST(
        heard.take() ==
        "abandoned rock1, exited rock1 killed(abandoned), exited a1 shutdown, ended shutdown");
    BOOST_TEST(outcome(run) == "returned");
    const stop_figures f = sup.figures();
    BOOST_TEST(f.abandoned_total == 1U);
    BOOST_TEST(f.abandoned_live == 1U);
    BOOST_TEST(f.abandoned_max == 1U);
    BOOST_TEST(f.stops_killed == 1U);
    BOOST_CHECK(f.stop_latency_max == 150ms);
    rock.let_go->arrive();
    ctx.settle();
    BOOST_TEST(sup.figures().abandoned_live == 0U);
}

// The case's own picture of an immovable child: it swallows every cancellation, again and again.
LIFEGUARD_TEST(CAN_04_child_that_swallows_every_cancellation_is_abandoned) {
    std::atomic<bool> let_go = false;
    child_spec spec("rock", [&]() -> asio::awaitable<void> {
        co_await asio::this_coro::throw_if_cancelled(false);
        while (!let_go) {
            try {
                co_await sleep(ctx.time, 10ms);
            } catch (const boost::system::system_error&) { // and goes on
            }
        }
    });
    spec.shutdown = shutdown_policy::after(100ms);
    supervisor sup(ctx.executor(), impatient(ctx), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    sup.request_stop();
    ctx.advance(149ms);
    BOOST_TEST(!run.ready());
    ctx.advance(1ms);
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(sup.figures().abandoned_live == 1U);
    let_go = true;
    ctx.advance(10ms);
    BOOST_TEST(sup.figures().abandoned_live == 0U);
}

LIFEGUARD_TEST(CAN_05_brutal_immovable_child_is_abandoned_after_the_grace) {
    const immovable rock;
    supervisor sup(ctx.executor(), impatient(ctx), {rock.spec(shutdown_policy::brutal())});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    sup.request_stop();
    ctx.advance(49ms);
    BOOST_TEST(!run.ready());
    ctx.advance(1ms);
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(sup.figures().abandoned_live == 1U);
    rock.let_go->arrive();
    ctx.settle();
}

LIFEGUARD_TEST(CAN_05_immovable_child_with_infinite_patience_is_waited_for) {
    const immovable rock;
    supervisor sup(ctx.executor(), impatient(ctx), {rock.spec(shutdown_policy::infinity())});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    sup.request_stop();
    ctx.advance(24h);
    BOOST_TEST(!run.ready());
    BOOST_TEST(sup.figures().abandoned_total == 0U);
    rock.let_go->arrive();
    ctx.settle();
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(sup.figures().stops_shutdown == 1U);
}

LIFEGUARD_TEST(CAN_06_abandoned_child_that_ends_at_last_changes_nothing_but_the_figure) {
    for (const bool throws : {false, true}) {
        immovable rock;
        rock.throws_at_the_end = throws;
        // The second incarnation ends when it is asked: only the first was deaf.
        int starts = 0;
        child_spec spec = rock.spec(shutdown_policy::brutal());
        spec.start = [&starts, first = spec.start](const child_context& self) {
            return ++starts == 1 ? first(self) : child_body(forever());
        };
        supervisor sup(ctx.executor(), impatient(ctx), {spec});
        listener heard(sup);
        const auto run = ctx.spawn(sup.run());
        ctx.settle();
        ctx.await(sup.kill_child("rock"));
        ctx.advance(50ms);
        BOOST_TEST(heard.take() ==
                   "started rock1, abandoned rock1, exited rock1 killed(abandoned), "
                   "restart rock1, started rock2");
        BOOST_TEST(sup.figures().abandoned_live == 1U);
        rock.let_go->arrive();
        ctx.settle();
        BOOST_TEST(rock.notes->take() == "let go");
        BOOST_TEST(heard.take() == "");
        BOOST_TEST(list(ctx, sup) == "rock running 2");
        BOOST_TEST(sup.figures().abandoned_live == 0U);
        BOOST_TEST(sup.figures().abandoned_total == 1U);
        ctx.await(sup.stop());
        BOOST_TEST(outcome(run) == "returned");
    }
}

LIFEGUARD_TEST(too_many_abandoned_incarnations_fail_the_restart) {
    const immovable rock;
    supervisor_options options = impatient(ctx);
    options.intensity = 5;
    options.abandoned_max = 1;
    supervisor sup(ctx.executor(), options, {rock.spec(shutdown_policy::brutal())});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.kill_child("rock"));
    ctx.advance(50ms);
    BOOST_TEST(list(ctx, sup) == "rock running 2"); // one abandoned is allowed
    heard.take();
    ctx.await(sup.kill_child("rock"));
    ctx.advance(50ms);
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(heard.take().find("failed rock2 error(2 abandoned incarnations still live") !=
               std::string::npos);
    BOOST_TEST(sup.figures().abandoned_max == 2U);
    rock.let_go->arrive();
    ctx.settle();
}

LIFEGUARD_TEST(CAN_07_stop_before_the_child_first_ran_reaches_it) {
    // On its own executor a child may be spawned and stopped before it first runs.
    std::atomic<int> awaits = 0;
    child_spec spec("a", [&]() -> asio::awaitable<void> {
        for (;;) {
            co_await asio::post(asio::use_awaitable);
            ++awaits;
        }
    });
    spec.executor = ctx.executor();
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    sup.request_stop();
    ctx.settle();
    const std::string events = heard.take();
    BOOST_TEST(events.find("error") == std::string::npos);
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(CAN_07_stop_between_spawn_and_first_run) {
    // The child's strand is blocked while the supervisor spawns it and is asked to stop.
    const auto strand = detail::new_strand(ctx.executor());
    std::atomic<bool> go = false;
    std::atomic<int> ran = 0;
    if (ctx.threads() == 2)
        asio::post(strand, [&] {
            while (!go)
                std::this_thread::yield();
        });
    child_spec spec("a", [&]() -> asio::awaitable<void> {
        ++ran;
        co_await asio::post(asio::use_awaitable);
        ++ran;
        co_await forever();
    });
    spec.executor = strand;
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    sup.request_stop();
    asio::post(ctx.executor(), [&] { asio::post(sup.executor(), [&] { go = true; }); });
    ctx.settle();
    BOOST_TEST(ran <= 1);
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(cancellation_that_comes_while_the_child_runs_is_seen_at_its_next_await) {
    // The child is not suspended when the request comes.
    std::atomic<int> awaits = 0;
    supervisor* handle = nullptr;
    child_spec spec("a", [&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        handle->request_stop();
        for (;; ++awaits)
            co_await asio::post(asio::use_awaitable);
    });
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    handle = &sup;
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(sup.figures().stops_shutdown == 1U);
}

LIFEGUARD_TEST(CAN_08_clean_up_that_throws_is_reported_and_the_stop_goes_on) {
    const puppet a("a");
    child_spec spec("b", []() -> asio::awaitable<void> {
        try {
            co_await forever();
        } catch (const boost::system::system_error&) {
            throw std::runtime_error("clean-up failed");
        }
    });
    supervisor sup(ctx.executor(), flags(ctx), {a.spec(), spec});
    std::vector<supervisor_event::context> contexts;
    const auto watch = sup.subscribe([&](const supervisor_event& e) {
        if (e.what == supervisor_event::kind::child_exited)
            contexts.push_back(e.when);
    });
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    ctx.await(sup.stop());
    BOOST_TEST(heard.take() ==
               "exited b1 error(clean-up failed), exited a1 shutdown, ended shutdown");
    BOOST_TEST_REQUIRE(contexts.size() == 2U);
    BOOST_CHECK(contexts[0] == supervisor_event::context::shutdown_error);
    BOOST_CHECK(contexts[1] == supervisor_event::context::shutdown);
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(CAN_10_many_waiting_children_are_stopped_together,
               *boost::unit_test::label("scale")) {
    const std::size_t many = ctx.threads() == 1 ? 100'000 : 20'000; // two threads take their time
    std::vector<child_spec> specs;
    for (std::size_t i = 0; i < many; ++i)
        specs.emplace_back("c" + std::to_string(i),
                           [&]() -> asio::awaitable<void> { co_await sleep(ctx.time, 1h); });
    supervisor sup(ctx.executor(), flags(ctx), std::move(specs));
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
    const stop_figures f = sup.figures();
    BOOST_TEST(f.stops_shutdown == many);
    BOOST_TEST(f.force_cancel_total == 0U);
    BOOST_TEST(f.abandoned_live == 0U);
    BOOST_CHECK(f.stop_latency_p99 == 0ms); // on a clock that stands still
}

LIFEGUARD_TEST(stop_latency_is_told_in_percentiles) {
    const auto notes = std::make_shared<journal>();
    std::vector<child_spec> specs;
    for (int i = 1; i <= 100; ++i)
        specs.emplace_back("c" + std::to_string(i), [&ctx, notes, i] {
            return cleans_up(ctx.time, std::chrono::milliseconds(i), notes);
        });
    supervisor sup(ctx.executor(), flags(ctx), specs);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto stopped = ctx.spawn(sup.stop());
    ctx.advance(10s);
    BOOST_TEST(stopped.ready());
    const stop_figures f = sup.figures();
    BOOST_CHECK(f.stop_latency_p50 >= 50ms && f.stop_latency_p50 <= 50ms * 5 / 4);
    BOOST_CHECK(f.stop_latency_p99 >= 99ms && f.stop_latency_p99 <= 99ms * 5 / 4);
    BOOST_CHECK(f.stop_latency_max == 100ms);
}

// The one test here that waits in real time.
BOOST_AUTO_TEST_CASE(machine_s_clock_forces_and_abandons_too) {
    asio::io_context io(1);
    const auto let_go = std::make_shared<detail::reply>();
    child_spec rock("rock", [let_go] { return deaf(let_go); });
    rock.shutdown = shutdown_policy::after(20ms);
    supervisor_options options;
    options.kill_grace = 10ms;
    supervisor sup(io.get_executor(), options, {rock});
    listener heard(sup);
    asio::co_spawn(io, sup.run(), [let_go](const std::exception_ptr&) { let_go->arrive(); });
    io.poll();
    const time_point asked = real_time_source()->now();
    sup.request_stop();
    io.run();
    BOOST_CHECK(real_time_source()->now() - asked >= 30ms);
    BOOST_TEST(heard.take() == "started rock1, abandoned rock1, exited rock1 killed(abandoned), "
                               "ended shutdown");
    BOOST_TEST(sup.figures().abandoned_live == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
