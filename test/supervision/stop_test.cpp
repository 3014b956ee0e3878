// How a supervisor stops its children, and itself.
#include "supervision/puppet.hpp"
#include <lifeguard/shielded.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(stop)

LIFEGUARD_TEST(SUP_01_supervisor_without_children_starts_and_stops) {
    supervisor sup(ctx.executor(), flags(ctx));
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(counts(ctx, sup) == "0,0,0,0");
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(heard.take() == "ended shutdown");
}

LIFEGUARD_TEST(SUP_48_children_with_infinite_patience_are_stopped_without_a_timer) {
    const puppet a("a"), b("b");
    child_spec as = a.spec(), bs = b.spec();
    as.type = child_type::supervisor;
    bs.shutdown = shutdown_policy::infinity();
    supervisor sup(ctx.executor(), flags(ctx), {as, bs});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    std::size_t alarms = 0;
    const auto watch =
        sup.subscribe([&](const supervisor_event&) { alarms += ctx.time->alarms(); });
    ctx.await(sup.stop());
    BOOST_TEST(heard.take() == "exited b1 shutdown, exited a1 shutdown, ended shutdown");
    BOOST_TEST(alarms == 0U);
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(SUP_49_child_that_does_not_stop_in_time_is_killed) {
    const auto notes = std::make_shared<journal>();
    const puppet a("a", notes);
    child_spec as = a.spec();
    as.shutdown = shutdown_policy::after(1000ms);
    child_spec bs("b", [&]() -> asio::awaitable<void> {
        notes->add("+b");
        auto busy = [&]() -> asio::awaitable<void> { co_await sleep(ctx.time, 200s); };
        co_await shielded(busy);
    });
    bs.shutdown = shutdown_policy::after(1000ms);
    supervisor sup(ctx.executor(), flags(ctx), {as, bs});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    sup.request_stop();
    ctx.advance(999ms);
    BOOST_TEST(heard.take() == "");
    BOOST_TEST(a.live() == 1); // b's turn comes first
    ctx.advance(1ms);
    BOOST_TEST(heard.take() == "exited b1 killed, exited a1 shutdown, ended shutdown");
    BOOST_TEST(outcome(run) == "returned");
    const stop_figures f = sup.figures();
    BOOST_TEST(f.stops_killed == 1U);
    BOOST_TEST(f.stops_shutdown == 1U);
    BOOST_TEST(f.force_cancel_total == 1U);
    BOOST_TEST(f.abandoned_total == 0U);
    BOOST_CHECK(f.stop_latency_max == 1000ms);
}

LIFEGUARD_TEST(SUP_51_brutal_child_gets_no_time_to_stop) {
    const puppet a("a");
    child_spec as = a.spec();
    as.shutdown = shutdown_policy::after(1000ms);
    std::atomic<bool> asked = false;
    child_spec bs("b", [&](child_context self) -> asio::awaitable<void> {
        auto busy = [&]() -> asio::awaitable<void> {
            // A shield lets only force through.
            co_await sleep(ctx.time, 200s);
        };
        co_await shielded(busy);
        asked = self.stop_requested();
    });
    bs.shutdown = shutdown_policy::brutal();
    supervisor sup(ctx.executor(), flags(ctx), {as, bs});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    ctx.await(sup.stop());
    BOOST_TEST(heard.take() == "exited b1 killed, exited a1 shutdown, ended shutdown");
    BOOST_TEST(!asked);
    BOOST_CHECK(sup.figures().stop_latency_max == 0ms);
}

LIFEGUARD_TEST(shutdown_zero_asks_and_forces_in_one_go) {
    child_spec deaf_to_requests("a", [&]() -> asio::awaitable<void> {
        auto busy = [&]() -> asio::awaitable<void> { co_await sleep(ctx.time, 200s); };
        co_await shielded(busy);
    });
    deaf_to_requests.shutdown = shutdown_policy::after(0ms);
    supervisor sup(ctx.executor(), flags(ctx), {deaf_to_requests});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.stop());
    BOOST_TEST(heard.take() == "started a1, exited a1 killed, ended shutdown");
}

LIFEGUARD_TEST(SUP_53_children_start_in_list_order_and_stop_in_reverse) {
    const auto notes = std::make_shared<journal>();
    std::vector<child_spec> specs;
    for (const char* id : {"ch7", "ch3", "ch10", "ch2", "ch5"})
        specs.push_back(puppet(id, notes).spec());
    supervisor sup(ctx.executor(), flags(ctx), specs);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(notes->take() == "+ch7, +ch3, +ch10, +ch2, +ch5");
    ctx.await(sup.stop());
    BOOST_TEST(notes->take() == "-ch5, -ch2, -ch10, -ch3, -ch7");
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(children_added_later_stop_first) {
    const auto notes = std::make_shared<journal>();
    supervisor sup(ctx.executor(), flags(ctx), {puppet("a", notes).spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const puppet b("b", notes), c("c", notes);
    ctx.await(sup.start_child(b.spec()));
    ctx.await(sup.start_child(c.spec()));
    b.crashes(); // keeps its place
    ctx.settle();
    notes->take();
    ctx.await(sup.stop());
    BOOST_TEST(notes->take() == "-c, -b, -a");
}

LIFEGUARD_TEST(SUP_54_stop_twice_and_from_two_coroutines_is_one_stop) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto first = ctx.spawn(sup.stop());
    const auto second = ctx.spawn(sup.stop());
    sup.request_stop();
    ctx.settle();
    BOOST_TEST(outcome(first) == "returned");
    BOOST_TEST(outcome(second) == "returned");
    BOOST_TEST(outcome(run) == "returned");
    ctx.await(sup.stop());
    BOOST_TEST(heard.take() == "started a1, exited a1 shutdown, ended shutdown");
}

LIFEGUARD_TEST(SUP_54_all_who_stop_wait_for_a_slow_child) {
    child_spec slow("slow", [&]() -> asio::awaitable<void> {
        auto busy = [&]() -> asio::awaitable<void> { co_await sleep(ctx.time, 300ms); };
        co_await shielded(busy);
    });
    supervisor sup(ctx.executor(), flags(ctx), {slow});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto first = ctx.spawn(sup.stop());
    ctx.settle();
    const auto second = ctx.spawn(sup.stop());
    ctx.advance(299ms);
    BOOST_TEST(!first.ready());
    BOOST_TEST(!second.ready());
    ctx.advance(1ms);
    BOOST_TEST(outcome(first) == "returned");
    BOOST_TEST(outcome(second) == "returned");
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(stop_before_run_makes_run_return_at_once) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    ctx.await(sup.stop());
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(a.starts() == 0);
}

LIFEGUARD_TEST(second_run_is_refused) {
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(error_of(ctx, sup.run()) == "already_started");
    ctx.await(sup.stop());
    BOOST_TEST(error_of(ctx, sup.run()) == "already_started");
}

LIFEGUARD_TEST(stop_during_the_initial_start_ends_what_has_started) {
    const auto notes = std::make_shared<journal>();
    child_spec never_ready("b", [notes]() -> asio::awaitable<void> {
        notes->add("+b");
        co_await forever();
    });
    never_ready.waits_for_ready = true;
    const puppet c("c", notes);
    supervisor sup(ctx.executor(), flags(ctx), {puppet("a", notes).spec(), never_ready, c.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto call = ctx.spawn(sup.count_children());
    ctx.settle();
    BOOST_TEST(!call.ready());
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(notes->take() == "+a, +b, -a");
    BOOST_TEST(c.starts() == 0);
    BOOST_TEST(call.ready());
}

LIFEGUARD_TEST(children_are_not_restarted_while_the_supervisor_stops) {
    const puppet a("a");
    child_spec slow("slow", [&]() -> asio::awaitable<void> {
        auto busy = [&]() -> asio::awaitable<void> { co_await sleep(ctx.time, 300ms); };
        co_await shielded(busy);
    });
    supervisor sup(ctx.executor(), flags(ctx), {a.spec(), slow});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    sup.request_stop();
    ctx.advance(100ms);
    a.crashes();
    ctx.settle();
    BOOST_TEST(a.live() == 0);
    BOOST_TEST(error_of(ctx, sup.start_child(puppet("late").spec())) == "no_such_supervisor");
    BOOST_TEST(list(ctx, sup) == "a not_started 1, slow stopping 1");
    ctx.advance(200ms);
    BOOST_TEST(heard.take() == "exited a1 error(crash), exited slow1 shutdown, ended shutdown");
    BOOST_TEST(outcome(run) == "returned");
}

BOOST_AUTO_TEST_SUITE_END()
