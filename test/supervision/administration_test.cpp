// Children managed by calls.
#include "supervision/puppet.hpp"
#include <lifeguard/shielded.hpp>

#include <ctime>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(administration)

namespace {

/// Takes 300 ms to stop.
child_spec slow_to_stop(test_context& ctx, std::string id) {
    return child_spec(std::move(id), [&ctx]() -> asio::awaitable<void> {
        auto busy = [&ctx]() -> asio::awaitable<void> { co_await sleep(ctx.time, 300ms); };
        try {
            co_await forever();
        } catch (const boost::system::system_error&) { // goes on below
        }
        co_await shield();
        co_await busy();
    });
}

} // namespace

LIFEGUARD_TEST(SUP_20_a_child_is_added_terminated_restarted_and_deleted) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx));
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    BOOST_TEST(ctx.await(sup.start_child(a.spec())).incarnation == 1U);

    BOOST_TEST(error_of(ctx, sup.start_child(a.spec())) == "already_started");
    BOOST_TEST(error_of(ctx, sup.terminate_child("x")) == "not_found");
    heard.take();
    BOOST_TEST(error_of(ctx, sup.terminate_child("a")) == "");
    BOOST_TEST(heard.take() == "exited a1 shutdown");
    BOOST_TEST(list(ctx, sup) == "a not_started 1");
    BOOST_TEST(counts(ctx, sup) == "1,0,0,1");
    BOOST_TEST(error_of(ctx, sup.terminate_child("a")) == "");
    BOOST_TEST(error_of(ctx, sup.start_child(a.spec())) == "already_present");
    BOOST_TEST(ctx.await(sup.restart_child("a")).incarnation == 2U);
    BOOST_TEST(counts(ctx, sup) == "1,1,0,1");
    BOOST_TEST(error_of(ctx, sup.restart_child("a")) == "running");
    BOOST_TEST(error_of(ctx, sup.delete_child("a")) == "running");
    BOOST_TEST(error_of(ctx, sup.terminate_child("a")) == "");
    BOOST_TEST(error_of(ctx, sup.delete_child("a")) == "");
    BOOST_TEST(error_of(ctx, sup.restart_child("a")) == "not_found");
    BOOST_TEST(error_of(ctx, sup.delete_child("a")) == "not_found");
    BOOST_TEST(error_of(ctx, sup.kill_child("a")) == "not_found");
    BOOST_TEST(counts(ctx, sup) == "0,0,0,0");
    BOOST_TEST(error_of(ctx, sup.start_child(a.spec())) == "");

    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
    const std::string gone = "no_such_supervisor";
    BOOST_TEST(error_of(ctx, sup.start_child(a.spec())) == gone);
    BOOST_TEST(error_of(ctx, sup.terminate_child("a")) == gone);
    BOOST_TEST(error_of(ctx, sup.restart_child("a")) == gone);
    BOOST_TEST(error_of(ctx, sup.delete_child("a")) == gone);
    BOOST_TEST(error_of(ctx, sup.kill_child("a")) == gone);
    BOOST_TEST(error_of(ctx, sup.which_children()) == gone);
    BOOST_TEST(error_of(ctx, sup.count_children()) == gone);
    BOOST_TEST(error_of(ctx, sup.get_childspec("a")) == gone);
    BOOST_TEST(error_of(ctx, sup.tree()) == gone);
}

template <typename Handle>
concept terminates_by = requires(supervisor sup, Handle handle) { sup.terminate_child(handle); };

LIFEGUARD_TEST(SUP_21_a_child_is_not_terminated_by_its_handle) {
    static_assert(terminates_by<std::string>);
    static_assert(!terminates_by<started_child>);
    static_assert(!terminates_by<child_context>);
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(error_of(ctx, sup.terminate_child("a1")) == "not_found");
    BOOST_TEST(list(ctx, sup) == "a running 1");
    ctx.await(sup.stop());
}

// Twenty times the children may cost twenty times as much, and ten times that for a bad day. The
// core's own test goes up to 100,000.
LIFEGUARD_TEST(SUP_61_cost_of_a_child_does_not_grow_with_their_number,
               *boost::unit_test::label("scale")) {
    const auto cost = [&](int children) {
        supervisor sup(ctx.executor(), flags(ctx));
        const auto run = ctx.spawn(sup.run());
        ctx.settle();
        const std::clock_t before = std::clock();
        ctx.await([&]() -> asio::awaitable<void> {
            for (int i = 0; i < children; ++i) {
                child_spec spec(std::to_string(i), [] { return forever(); });
                co_await sup.start_child(std::move(spec));
            }
            for (int i = 0; i < children; ++i)
                co_await sup.terminate_child(std::to_string(i));
        });
        const std::clock_t used = std::clock() - before;
        BOOST_TEST(sup.figures().stops_shutdown == static_cast<unsigned>(children));
        ctx.await(sup.stop());
        return used;
    };
    const std::clock_t of_500 = cost(500);
    BOOST_TEST(cost(10'000) <= 10 * 20 * of_500);
}

LIFEGUARD_TEST(error_names_the_supervisor_and_the_child) {
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    try {
        ctx.await(sup.terminate_child("nobody"));
        BOOST_ERROR("terminated");
    } catch (const error& e) {
        BOOST_TEST(e.detail() == "supervisor 'top', child 'nobody'");
    }
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(calls_before_run_are_answered_once_it_runs) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx));
    const auto added = ctx.spawn(sup.start_child(a.spec()));
    const auto counted = ctx.spawn(sup.count_children());
    ctx.settle();
    BOOST_TEST(!added.ready());
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(added.ready());
    BOOST_TEST(counted.ready());
    BOOST_TEST(a.live() == 1);
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(calls_before_a_stop_without_run_are_refused) {
    supervisor sup(ctx.executor(), flags(ctx));
    const auto added = ctx.spawn(sup.start_child(puppet("a").spec()));
    ctx.settle();
    ctx.await(sup.stop());
    BOOST_TEST(added.error() == errc::no_such_supervisor);
}

// OTP does nothing else while it waits for a child; here only what concerns the child waits.
LIFEGUARD_TEST(calls_about_a_child_that_is_stopping_wait_until_it_has_stopped) {
    const puppet b("b");
    supervisor sup(ctx.executor(), flags(ctx), {slow_to_stop(ctx, "a"), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto first = ctx.spawn(sup.terminate_child("a"));
    ctx.settle();
    const auto second = ctx.spawn(sup.terminate_child("a"));
    auto restarted = ctx.spawn(sup.restart_child("a"));
    ctx.settle();
    const auto again = ctx.spawn(sup.restart_child("a"));
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a stopping 1, b running 1");
    b.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a stopping 1, b running 2");
    ctx.advance(299ms);
    BOOST_TEST(!first.ready());
    BOOST_TEST(!restarted.ready());
    ctx.advance(1ms);
    BOOST_TEST(first.ready());
    BOOST_TEST(second.ready());
    BOOST_TEST_REQUIRE(restarted.ready());
    BOOST_TEST(restarted.get().incarnation == 2U);
    BOOST_TEST(again.error() == errc::running);
    const auto stopped = ctx.spawn(sup.stop());
    ctx.advance(300ms);
    BOOST_TEST(stopped.ready());
}

LIFEGUARD_TEST(killing_a_child_that_is_stopping_cuts_its_time_short) {
    child_spec spec("a", [&ctx]() -> asio::awaitable<void> {
        auto busy = [&ctx]() -> asio::awaitable<void> { co_await sleep(ctx.time, 1h); };
        co_await shielded(busy);
    });
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto terminated = ctx.spawn(sup.terminate_child("a"));
    ctx.settle();
    BOOST_TEST(!terminated.ready());
    ctx.await(sup.kill_child("a"));
    BOOST_TEST(terminated.ready());
    BOOST_TEST(counts(ctx, sup) == "1,0,0,1"); // terminated, so not restarted
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(SUP_55_children_that_are_not_significant_end_nothing) {
    for (const auto type : {restart_type::temporary, restart_type::transient}) {
        const puppet a("a");
        supervisor sup(ctx.executor(), flags(ctx, 5));
        const auto run = ctx.spawn(sup.run());
        const auto afresh = [&] {
            error_of(ctx, sup.terminate_child("a"));
            error_of(ctx, sup.delete_child("a"));
            ctx.await(sup.start_child(a.spec(type)));
        };
        afresh();
        ctx.await(sup.terminate_child("a"));
        afresh();
        ctx.await(sup.kill_child("a"));
        ctx.settle();
        BOOST_TEST(a.live() == (type == restart_type::transient ? 1 : 0));
        afresh();
        a.crashes();
        ctx.settle();
        BOOST_TEST(a.live() == (type == restart_type::transient ? 1 : 0));
        afresh();
        a.returns();
        ctx.settle();
        BOOST_TEST(a.live() == 0);
        BOOST_TEST(outcome(run) == "running");
        ctx.await(sup.stop());
    }
}

LIFEGUARD_TEST(calls_come_from_any_thread) {
    supervisor sup(ctx.executor(), flags(ctx, 1000));
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    for (int caller = 0; caller < 4; ++caller)
        ctx.spawn([&ctx, sup, caller]() mutable -> asio::awaitable<void> {
            for (int i = 0; i < 20; ++i) {
                const std::string id = std::to_string(caller) + "/" + std::to_string(i);
                child_spec spec(id, [] { return forever(); });
                spec.executor = co_await asio::this_coro::executor;
                co_await sup.start_child(std::move(spec));
                co_await sup.kill_child(id);
                const child_counts seen = co_await sup.count_children();
                ctx.check(seen.specs > 0, "counted");
                co_await sup.terminate_child(id);
                co_await sup.delete_child(id);
            }
        });
    ctx.settle();
    BOOST_TEST(counts(ctx, sup) == "0,0,0,0");
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

BOOST_AUTO_TEST_SUITE_END()
