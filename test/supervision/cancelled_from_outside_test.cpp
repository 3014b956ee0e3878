// Cancellations that the supervisor did not send: of run(), of calls, of strangers.
#include "supervision/puppet.hpp"
#include <lifeguard/shielded.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(cancelled_from_outside)

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
    BOOST_TEST(heard.take() ==
               "started a1, exited a1 error(an exception that is no std::exception)");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(cancelling_run_in_total_asks_the_children_to_stop) {
    const auto notes = std::make_shared<journal>();
    child_spec spec("a", [&] { return cleans_up(ctx.time, 200ms, notes); });
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
