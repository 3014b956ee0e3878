// Asking, forcing, abandoning: what a coroutine makes of its cancellation.
#include "supervision/puppet.hpp"

#include <lifeguard/shielded.hpp>

#include "base/executors.hpp"

#include <thread>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(cancellation)

namespace {

/// Cleans up for `by`, shielded, when it is asked to stop.
asio::awaitable<void> cleans_up(test_context& ctx, duration by, std::shared_ptr<journal> notes) {
    try {
        co_await forever();
    } catch (const boost::system::system_error&) {
        notes->add("asked");
    }
    co_await shield();
    co_await sleep(ctx.time, by);
    notes->add("clean");
}

/// Ends only when it is let go, and notes that it was. What it swallows it does not even see.
struct immovable {
    std::shared_ptr<detail::reply> let_go = std::make_shared<detail::reply>();
    std::shared_ptr<journal> notes = std::make_shared<journal>();
    bool throws_at_the_end = false;

    child_spec spec(shutdown_policy shutdown) const {
        child_spec s("rock", [*this]() -> asio::awaitable<void> {
            co_await deaf(let_go);
            notes->add("let go");
            if (throws_at_the_end)
                throw std::runtime_error("too late");
        });
        s.shutdown = shutdown;
        return s;
    }
};

supervisor_options impatient(test_context& ctx) {
    supervisor_options options = flags(ctx);
    options.kill_grace = 50ms;
    return options;
}

} // namespace

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

LIFEGUARD_TEST(CAN_02_shielded_clean_up_is_completed) {
    const auto notes = std::make_shared<journal>();
    child_spec spec("a", [&] { return cleans_up(ctx, 200ms, notes); });
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
    child_spec spec("a", [&] { return cleans_up(ctx, 3000ms, notes); });
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
    supervisor sup(ctx.executor(), impatient(ctx), {a.spec(), rock.spec(shutdown_policy::after(100ms))});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    sup.request_stop();
    ctx.advance(149ms);
    BOOST_TEST(heard.take() == "");
    ctx.advance(1ms);
    BOOST_TEST(heard.take() ==
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
        BOOST_TEST(heard.take() == "started rock1, abandoned rock1, exited rock1 killed(abandoned), "
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
    BOOST_TEST(heard.take() == "exited b1 error(clean-up failed), exited a1 shutdown, ended shutdown");
    BOOST_TEST_REQUIRE(contexts.size() == 2U);
    BOOST_CHECK(contexts[0] == supervisor_event::context::shutdown_error);
    BOOST_CHECK(contexts[1] == supervisor_event::context::shutdown);
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(CAN_10_many_waiting_children_are_stopped_together) {
    constexpr std::size_t many = 2000;
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
}

// Rule M-01: "operation aborted" may come from anywhere.
LIFEGUARD_TEST(cancellation_that_nobody_asked_for_is_an_error) {
    const auto gate = std::make_shared<detail::reply>();
    child_spec spec("a", [gate]() -> asio::awaitable<void> {
        co_await detail::reply::wait(gate);
        throw boost::system::system_error(asio::error::operation_aborted, "socket");
    });
    spec.restart = restart_type::temporary;
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    gate->arrive();
    ctx.settle();
    BOOST_TEST(heard.take().starts_with("exited a1 error(socket: "));
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(exception_of_any_type_is_an_error) {
    child_spec spec("a", []() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        throw 42; // NOLINT
    });
    spec.restart = restart_type::temporary;
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(heard.take() == "started a1, exited a1 error(an exception that is no std::exception)");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(cancelling_run_in_total_asks_the_children_to_stop) {
    const auto notes = std::make_shared<journal>();
    child_spec spec("a", [&] { return cleans_up(ctx, 200ms, notes); });
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    auto run = ctx.spawn_on(sup.executor(), sup.run());
    ctx.settle();
    run.cancel(asio::cancellation_type::total);
    ctx.advance(200ms);
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(notes->take() == "asked, clean");
}

LIFEGUARD_TEST(cancelling_run_terminally_cancels_the_children_by_force) {
    std::vector<child_spec> specs;
    for (const char* id : {"a", "b", "c"})
        specs.emplace_back(id, [&ctx]() -> asio::awaitable<void> {
            auto busy = [&ctx]() -> asio::awaitable<void> { co_await sleep(ctx.time, 1h); };
            co_await shielded(busy);
        });
    const immovable rock;
    specs.push_back(rock.spec(shutdown_policy::infinity()));
    supervisor sup(ctx.executor(), impatient(ctx), specs);
    listener heard(sup);
    auto run = ctx.spawn(sup.run());
    ctx.settle();
    run.cancel(asio::cancellation_type::total);
    ctx.advance(10min);
    BOOST_TEST(!run.ready());
    run.cancel(asio::cancellation_type::terminal);
    ctx.advance(50ms);
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(sup.figures().stops_killed == 4U);
    BOOST_TEST(sup.figures().abandoned_live == 1U);
    rock.let_go->arrive();
    ctx.settle();
}

LIFEGUARD_TEST(cancelled_call_leaves_its_caller_free) {
    const immovable rock;
    supervisor sup(ctx.executor(), impatient(ctx), {rock.spec(shutdown_policy::infinity())});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    auto call = ctx.spawn(sup.terminate_child("rock"));
    ctx.settle();
    BOOST_TEST(!call.ready());
    call.cancel();
    ctx.settle();
    BOOST_TEST(call.ready());
    BOOST_CHECK(call.error() == asio::error::operation_aborted);
    rock.let_go->arrive();
    ctx.settle();
    BOOST_TEST(counts(ctx, sup) == "1,0,0,1"); // what it asked for happened all the same
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(child_can_terminate_itself) {
    supervisor* handle = nullptr;
    child_spec spec("a", [&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        co_await handle->terminate_child("a");
    });
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    handle = &sup;
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a not_started 1");
    BOOST_TEST(sup.figures().stops_shutdown == 1U);
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(child_on_its_own_executor_is_stopped_and_restarted_there) {
    const puppet a("a");
    child_spec spec = a.spec();
    spec.executor = ctx.executor();
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 2");
    ctx.await(sup.kill_child("a"));
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 3");
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(a.live() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
