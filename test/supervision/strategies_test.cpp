// Siblings that share a child's fate: one_for_all and rest_for_one.
#include "supervision/puppet.hpp"

#include <boost/asio/post.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(strategies)

namespace {

/// Three puppets that note their starts and ends, below one supervisor.
struct three {
    three(test_context& c, supervisor_options options)
        : ctx(c),
          sup(c.executor(), std::move(options), {a.spec(), b.spec(), c3.spec()}),
          run(c.spawn(sup.run())) {
        ctx.settle();
        notes->take();
    }
    /// What was noted after the child did as it was told.
    std::string after(const puppet& child, void (puppet::*order)() const) {
        (child.*order)();
        ctx.settle();
        return notes->take();
    }
    std::string end() {
        sup.request_stop();
        ctx.settle();
        BOOST_TEST(a.live() + b.live() + c3.live() == 0);
        return outcome(run);
    }

    test_context& ctx;
    std::shared_ptr<journal> notes = std::make_shared<journal>();
    puppet a{"a", notes}, b{"b", notes}, c3{"c", notes};
    supervisor sup;
    test_future<void> run;
};

} // namespace

LIFEGUARD_TEST(SUP_40_one_for_all_restarts_all_in_order) {
    const auto notes = std::make_shared<journal>();
    const puppet a("a", notes), b("b", notes);
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_all), {a.spec(), b.spec()});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    notes->take();
    heard.take();

    a.crashes();
    ctx.settle();
    BOOST_TEST(heard.take() == "exited a1 error(crash), restart a1, exited b1 shutdown, "
                               "started a2, started b2");
    BOOST_TEST(notes->take() == "-a, -b, +a, +b");
    BOOST_TEST(list(ctx, sup) == "a running 2, b running 2");
    BOOST_TEST(counts(ctx, sup) == "2,2,0,2");

    b.crashes(); // two children were restarted, for one crash
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 3, b running 3");
    a.crashes();
    ctx.settle();
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(a.live() + b.live() == 0);
}

LIFEGUARD_TEST(SUP_41_one_for_all_escalates_when_a_sibling_cannot_be_restarted) {
    const puppet a("a"), b("b");
    b.fails_to_start(1000, 1);
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_all, 4), {a.spec(), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    listener heard(sup);
    a.crashes();
    ctx.settle();
    BOOST_TEST(heard.take() == "exited a1 error(crash), restart a1, exited b1 shutdown, "
                               "started a2, failed b2 error(no start), restart b2, "
                               "exited a2 shutdown, started a3, failed b3 error(no start), "
                               "restart b3, "
                               "exited a3 shutdown, started a4, failed b4 error(no start), "
                               "restart b4, "
                               "exited a4 shutdown, started a5, failed b5 error(no start), "
                               "gave up, exited a5 shutdown, ended shutdown(intensity_exceeded)");
    BOOST_TEST(a.starts() == 1 + 4);
    BOOST_TEST(b.starts() == 1 + 4);
    BOOST_TEST(a.live() == 0);
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
}

LIFEGUARD_TEST(SUP_42_rest_for_one_restarts_those_behind) {
    three t(ctx, flags(ctx, strategy::rest_for_one));
    BOOST_TEST(t.after(t.b, &puppet::crashes) == "-b, -c, +b, +c");
    BOOST_TEST(list(ctx, t.sup) == "a running 1, b running 2, c running 2");
    BOOST_TEST(counts(ctx, t.sup) == "3,3,0,3");
    BOOST_TEST(t.after(t.c3, &puppet::crashes) == "-c, +c");
    BOOST_TEST(t.after(t.b, &puppet::crashes) == "-b, -c, -a");
    BOOST_TEST(t.end() == "shutdown(intensity_exceeded)");
}

LIFEGUARD_TEST(SUP_43_rest_for_one_escalates_when_a_child_behind_cannot_be_restarted) {
    const puppet a("a"), b("b");
    b.fails_to_start(1000, 1);
    supervisor sup(ctx.executor(), flags(ctx, strategy::rest_for_one, 4), {a.spec(), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    listener heard(sup);
    a.crashes();
    ctx.settle();
    BOOST_TEST(heard.take() == "exited a1 error(crash), restart a1, exited b1 shutdown, "
                               "started a2, failed b2 error(no start), "
                               "restart b2, failed b3 error(no start), "
                               "restart b3, failed b4 error(no start), "
                               "restart b4, failed b5 error(no start), "
                               "gave up, exited a2 shutdown, ended shutdown(intensity_exceeded)");
    BOOST_TEST(a.starts() == 2);
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
}

LIFEGUARD_TEST(SUP_46_temporary_bystander_is_stopped_and_forgotten) {
    for (const auto how : {strategy::one_for_all, strategy::rest_for_one}) {
        const puppet a("a"), b("b");
        supervisor sup(ctx.executor(), flags(ctx, how),
                       {a.spec(), b.spec(restart_type::temporary)});
        listener heard(sup);
        const auto run = ctx.spawn(sup.run());
        ctx.settle();
        heard.take();
        a.returns();
        ctx.settle();
        BOOST_TEST(heard.take() == "exited a1 normal, restart a1, exited b1 shutdown, started a2");
        BOOST_TEST(list(ctx, sup) == "a running 2");
        BOOST_TEST(b.live() == 0);
        ctx.await(sup.stop());
        BOOST_TEST(outcome(run) == "returned");
    }
}

LIFEGUARD_TEST(SUP_35_ids_under_every_strategy) {
    for (const auto how : {strategy::one_for_one, strategy::one_for_all, strategy::rest_for_one})
        for (const auto type :
             {restart_type::permanent, restart_type::transient, restart_type::temporary})
            for (const std::string_view end : {"killed", "returns", "crashes", "terminated"}) {
                const puppet a("a");
                supervisor sup(ctx.executor(), flags(ctx, how), {a.spec(type)});
                const auto run = ctx.spawn(sup.run());
                ctx.settle();
                if (end == "killed")
                    ctx.await(sup.kill_child("a"));
                else if (end == "terminated")
                    ctx.await(sup.terminate_child("a"));
                else
                    end == "returns" ? a.returns() : a.crashes();
                ctx.settle();
                const bool stays_down =
                    end == "terminated" || (end == "returns" && type == restart_type::transient);
                BOOST_TEST_CONTEXT(end)
                BOOST_TEST(error_of(ctx, sup.start_child(a.spec(type))) ==
                           (type == restart_type::temporary ? ""
                            : stays_down                    ? "already_present"
                                                            : "already_started"));
                ctx.await(sup.stop());
                BOOST_TEST(outcome(run) == "returned");
            }
}

LIFEGUARD_TEST(children_that_are_down_are_started_with_the_others) {
    const puppet a("a"), b("b"), c("c");
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_all),
                   {a.spec(restart_type::transient), b.spec(), c.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.returns();
    ctx.await(sup.terminate_child("c"));
    BOOST_TEST(counts(ctx, sup) == "3,1,0,3");
    b.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 2, b running 2, c running 2");
    ctx.await(sup.stop());
}

// In OTP the supervisor would not look at them before.
LIFEGUARD_TEST(calls_wait_until_the_siblings_have_been_restarted) {
    const auto notes = std::make_shared<journal>();
    const puppet a("a", notes), d("d", notes);
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_all),
                   {a.spec(), child_spec("slow", [&] { return cleans_up(ctx.time, 1s, notes); })});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    const auto added = ctx.spawn(sup.start_child(d.spec()));
    ctx.advance(999ms);
    BOOST_TEST(!added.ready());
    BOOST_TEST(a.live() == 0);
    ctx.advance(1ms);
    BOOST_TEST(added.ready());
    BOOST_TEST(notes->take() == "+a, -a, asked, clean, +a, +d");
    const auto stopped = ctx.spawn(sup.stop());
    ctx.advance(1s);
    BOOST_TEST(stopped.ready());
}

LIFEGUARD_TEST(siblings_that_crash_while_they_are_stopped_together_cost_nothing_more) {
    const puppet a("a"), b("b"), first("first");
    const auto notes = std::make_shared<journal>();
    supervisor sup(ctx.executor(), flags(ctx, strategy::rest_for_one, 2),
                   {first.spec(), a.spec(), b.spec(),
                    child_spec("slow", [&] { return cleans_up(ctx.time, 1s, notes); })});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    a.crashes();
    ctx.settle();
    b.crashes();     // is to be stopped anyway
    first.crashes(); // is not: its turn comes when the others run again
    ctx.settle();
    BOOST_TEST(heard.take() == "exited a1 error(crash), restart a1, exited b1 error(crash), "
                               "exited first1 error(crash)");
    ctx.advance(1s);
    BOOST_TEST(heard.take() == "exited slow1 shutdown, started a2, started b2, started slow2, "
                               "restart first1");
    ctx.advance(1s);
    BOOST_TEST(heard.take() == "exited slow2 shutdown, exited b2 shutdown, exited a2 shutdown, "
                               "started first2, started a3, started b3, started slow3");
    const auto stopped = ctx.spawn(sup.stop());
    ctx.advance(1s);
    BOOST_TEST(stopped.ready());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(stop_while_siblings_are_restarted_ends_all) {
    const auto notes = std::make_shared<journal>();
    const puppet a("a"), b("b");
    supervisor sup(
        ctx.executor(), flags(ctx, strategy::one_for_all),
        {a.spec(), child_spec("slow", [&] { return cleans_up(ctx.time, 1s, notes); }), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    const auto call = ctx.spawn(sup.restart_child("b"));
    const auto stopped = ctx.spawn(sup.stop());
    ctx.settle();
    BOOST_TEST(call.error() == errc::no_such_supervisor);
    ctx.advance(1s);
    BOOST_TEST(stopped.ready());
    BOOST_TEST(a.starts() == 1);
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(child_that_is_starting_is_stopped_with_its_siblings) {
    const puppet a("a");
    child_spec slow("slow", [] { return forever(); });
    slow.waits_for_ready = true;
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_all), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    const auto call = ctx.spawn(sup.start_child(slow));
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 1, slow starting 1");
    a.crashes();
    ctx.settle();
    BOOST_TEST(call.error() == errc::start_failed);
    BOOST_TEST(list(ctx, sup) == "a running 2");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(supervisor_that_restarts_siblings_in_a_loop_answers_and_stops) {
    for (const auto how : {strategy::one_for_all, strategy::rest_for_one}) {
        const puppet a("a"), b("b");
        b.fails_to_start(1'000'000'000, 1);
        supervisor sup(ctx.executor(), flags(ctx, how, 2'000'000'000), {a.spec(), b.spec()});
        const auto run = ctx.spawn(sup.run());
        ctx.settle();
        const auto calls = ctx.spawn([&]() -> asio::awaitable<void> {
            a.crashes();
            while (b.starts() < 10)
                co_await asio::post(asio::use_awaitable);
            const child_counts counted = co_await sup.count_children();
            ctx.check(counted.specs == 2, "counted");
            co_await sup.terminate_child("b"); // ends the loop
        });
        ctx.settle();
        BOOST_TEST(calls.ready());
        BOOST_TEST(a.live() == 1);
        BOOST_TEST(b.live() == 0);
        ctx.await(sup.stop());
        BOOST_TEST(outcome(run) == "returned");
    }
}

LIFEGUARD_TEST(crash_during_the_initial_start_is_dealt_with_after_it) {
    const auto go = std::make_shared<detail::reply>();
    const puppet a("a");
    child_spec slow("slow", [go](child_context self) -> asio::awaitable<void> {
        co_await detail::reply::wait(go);
        self.ready();
        co_await forever();
    });
    slow.waits_for_ready = true;
    supervisor sup(ctx.executor(), flags(ctx, strategy::one_for_all), {a.spec(), slow});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(heard.take() == "started a1, exited a1 error(crash)");
    go->arrive();
    ctx.settle();
    BOOST_TEST(heard.take() == "started slow1, restart a1, exited slow1 shutdown, started a2, "
                               "started slow2");
    ctx.await(sup.stop());
}

BOOST_AUTO_TEST_SUITE_END()
