// Children made from a template, by the dozen and by the thousand.
#include "supervision/puppet.hpp"
#include <lifeguard/shielded.hpp>

#include <ctime>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(simple_one_for_one)

namespace {

/// A running simple_one_for_one supervisor.
struct nursery {
    nursery(test_context& c, child_spec made_of, unsigned intensity = 2)
        : ctx(c),
          sup(c.executor(), flags(c, strategy::simple_one_for_one, intensity),
              {std::move(made_of)}),
          heard(sup),
          run(c.spawn(sup.run())) {}

    std::string add(const puppet& p) { return ctx.await(sup.start_child(std::any(p))).id; }
    std::string end() {
        sup.request_stop();
        ctx.settle();
        return outcome(run);
    }

    test_context& ctx;
    supervisor sup;
    listener heard;
    test_future<void> run;
};

/// Its children clean up for as long as their argument says.
child_spec cleaners(test_context& ctx, const std::shared_ptr<journal>& notes) {
    return child_spec("p", [&ctx, notes](const std::any& by) {
        return cleans_up(ctx.time, std::any_cast<duration>(by), notes);
    });
}

std::string cause_of(test_context& ctx, asio::awaitable<started_child> op) {
    try {
        ctx.await(std::move(op));
    } catch (const error& e) {
        try {
            std::rethrow_if_nested(e);
        } catch (const std::exception& cause) {
            return e.detail() + " | " + cause.what();
        }
    }
    return {};
}

} // namespace

LIFEGUARD_TEST(SUP_06_dynamic_child_that_ignores_is_not_kept) {
    for (const auto type : {restart_type::temporary, restart_type::permanent}) {
        const puppet a("a"), b("b");
        a.ignores(1);
        nursery n(ctx, puppets(type));
        BOOST_TEST(ctx.await(n.sup.start_child(std::any(a))).incarnation == 0U);
        BOOST_TEST(n.add(b) == "p/2");
        BOOST_TEST(list(ctx, n.sup) == "p/2 running 1");
        BOOST_TEST(counts(ctx, n.sup) == "1,1,0,1");
        BOOST_TEST(n.end() == "returned");
        BOOST_TEST(n.heard.take() == "started p/21, exited p/21 shutdown, ended shutdown");
    }
}

LIFEGUARD_TEST(SUP_10_dynamic_start_that_fails_answers_the_cause) {
    const puppet a("a");
    a.fails_to_start(1);
    child_spec made_of = puppets();
    made_of.waits_for_ready = true; // so that it can also end before it has started
    made_of.start = [first = made_of.start](const child_context& self) -> child_body {
        if (self.id() == "p/1")
            return first(self);
        return []() -> asio::awaitable<void> { throw std::runtime_error("no entry"); }();
    };
    nursery n(ctx, made_of, 0);
    BOOST_TEST(cause_of(ctx, n.sup.start_child(std::any(a))) ==
               "supervisor 'top', child 'p/1': no start | no start");
    BOOST_TEST(cause_of(ctx, n.sup.start_child(std::any(a))) ==
               "supervisor 'top', child 'p/2': no entry | no entry");
    BOOST_TEST(list(ctx, n.sup) == "");
    BOOST_TEST(n.end() == "returned");
}

LIFEGUARD_TEST(SUP_13_spec_of_a_dynamic_child_is_the_template) {
    nursery n(ctx, puppets(restart_type::temporary));
    for (const char* id : {"a", "b", "c"})
        n.add(puppet(id));
    for (const char* id : {"p/1", "p/2", "p/3", "p"}) {
        const child_spec spec = ctx.await(n.sup.get_childspec(id));
        BOOST_TEST(spec.id == "p");
        BOOST_CHECK(spec.restart == restart_type::temporary);
        BOOST_CHECK(spec.shutdown == shutdown_policy::after(5000ms));
        BOOST_TEST(!spec.significant);
    }
    BOOST_TEST(error_of(ctx, n.sup.get_childspec("p/4")) == "not_found");
    n.end();
}

LIFEGUARD_TEST(SUP_17_there_must_be_one_template) {
    const auto refusal = [&](std::vector<child_spec> specs) {
        try {
            const supervisor sup(ctx.executor(), flags(ctx, strategy::simple_one_for_one),
                                 std::move(specs));
        } catch (const error& e) {
            return e.detail();
        }
        return std::string();
    };
    BOOST_TEST(refusal({}).find("children are 0, must be one template") != std::string::npos);
    BOOST_TEST(refusal({puppets(), puppet("x").spec()}).find("children are 2") !=
               std::string::npos);
    BOOST_TEST(refusal({puppets()}) == "");
}

LIFEGUARD_TEST(SUP_22_dynamic_children_are_administered_by_their_own_ids) {
    const puppet a("a"), b("b"), stranger("p");
    supervisor other(ctx.executor(), flags(ctx), {stranger.spec()});
    const auto other_run = ctx.spawn(other.run());
    nursery n(ctx, puppets());
    BOOST_TEST(counts(ctx, n.sup) == "1,0,0,0");
    BOOST_TEST(n.add(a) == "p/1");
    BOOST_TEST(n.add(b) == "p/2");
    BOOST_TEST(counts(ctx, n.sup) == "1,2,0,2");

    const std::string no = "simple_one_for_one";
    BOOST_TEST(error_of(ctx, n.sup.terminate_child("p")) == no);
    BOOST_TEST(error_of(ctx, n.sup.restart_child("p")) == no);
    BOOST_TEST(error_of(ctx, n.sup.restart_child("p/1")) == no);
    BOOST_TEST(error_of(ctx, n.sup.delete_child("p")) == no);
    BOOST_TEST(error_of(ctx, n.sup.start_child(stranger.spec())) == no);

    BOOST_TEST(error_of(ctx, n.sup.terminate_child("p/1")) == "");
    BOOST_TEST(counts(ctx, n.sup) == "1,1,0,1");
    BOOST_TEST(error_of(ctx, n.sup.terminate_child("p/1")) == "");
    for (const char* not_ours : {"p/3", "p/0", "p/", "p/2x", "p/-1", "p/99999999999999999999", "q"})
        BOOST_TEST(error_of(ctx, n.sup.terminate_child(not_ours)) == "not_found");
    BOOST_TEST(stranger.live() == 1);
    BOOST_TEST(error_of(ctx, other.start_child(std::any(a))) == "unsupported");
    BOOST_TEST(n.end() == "returned");
    ctx.await(other.stop());
}

LIFEGUARD_TEST(SUP_24_counting_a_thousand_children_changes_nothing) {
    for (const auto type : {child_type::worker, child_type::supervisor}) {
        child_spec made_of("p", [](const std::any&) { return forever(); });
        made_of.restart = restart_type::temporary;
        made_of.type = type;
        const auto expected = [&](const std::string& many) {
            return type == child_type::worker ? "1," + many + ",0," + many
                                              : "1," + many + "," + many + ",0";
        };
        nursery n(ctx, made_of);
        const auto add = [&](int many) {
            ctx.await([&]() -> asio::awaitable<void> {
                for (int i = 0; i < many; ++i)
                    co_await n.sup.start_child(std::any());
            });
        };
        add(1000);
        BOOST_TEST(counts(ctx, n.sup) == expected("1000"));
        BOOST_TEST(counts(ctx, n.sup) == expected("1000"));
        add(1000);
        BOOST_TEST(counts(ctx, n.sup) == expected("2000"));
        ctx.await([&]() -> asio::awaitable<void> {
            const auto all = co_await n.sup.which_children();
            for (const child_info& c : all)
                co_await n.sup.kill_child(c.id);
        });
        BOOST_TEST(counts(ctx, n.sup) == "1,0,0,0");
        BOOST_TEST(n.end() == "returned");
    }
}

LIFEGUARD_TEST(SUP_36_arguments_of_temporary_children_are_not_kept) {
    constexpr int many = 100;
    for (const auto type :
         {restart_type::permanent, restart_type::transient, restart_type::temporary}) {
        const auto megabyte = std::make_shared<int>(); // stands for what an argument owns
        // The coroutine takes nothing of it: what is counted below is what the supervisor keeps.
        child_spec made_of("p", [](const child_context& self, const std::any&) {
            if (self.id() == "p/1" && self.incarnation() == 1)
                return [](void) -> asio::awaitable<void> {
                    co_await asio::post(asio::use_awaitable);
                    throw std::runtime_error("crash");
                }();
            return forever();
        });
        made_of.restart = type;
        nursery n(ctx, made_of);
        const auto kept = [&] { return megabyte.use_count() - 1; };
        for (int i = 0; i < many; ++i)
            ctx.await(n.sup.start_child(std::any(megabyte)));
        BOOST_TEST(kept() == (type == restart_type::temporary ? 0 : many));
        ctx.await(n.sup.start_child(std::any(megabyte))); // p/1 has crashed meanwhile
        BOOST_TEST(kept() == (type == restart_type::temporary ? 0 : many + 1));
        n.end();
        BOOST_TEST(kept() == 0);
    }
}

LIFEGUARD_TEST(SUP_44_dynamic_child_is_restarted_alone) {
    const puppet a("a"), b("b");
    nursery n(ctx, puppets());
    n.add(a);
    n.add(b);
    a.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, n.sup) == "p/1 running 2, p/2 running 1");
    BOOST_TEST(counts(ctx, n.sup) == "1,2,0,2");
    a.crashes();
    ctx.settle();
    b.crashes();
    ctx.settle();
    BOOST_TEST(outcome(n.run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(a.live() + b.live() == 0);
}

LIFEGUARD_TEST(SUP_45_dynamic_child_is_restarted_with_its_own_argument) {
    const puppet a("a"), b("b");
    a.fails_to_start(1000, 1);
    nursery n(ctx, puppets(), 4);
    n.add(a);
    n.add(b);
    a.crashes();
    ctx.settle();
    BOOST_TEST(a.starts() == 1 + 4);
    BOOST_TEST(b.starts() == 1);
    BOOST_TEST(outcome(n.run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(b.live() == 0);
}

LIFEGUARD_TEST(SUP_50_dynamic_children_share_one_deadline) {
    child_spec made_of("p", [&](const std::any& how) -> asio::awaitable<void> {
        return std::any_cast<bool>(how) ? [](test_context& c) -> asio::awaitable<void> {
            auto busy = [&c]() -> asio::awaitable<void> { co_await sleep(c.time, 200s); };
            co_await shielded(busy);
        }(ctx)
                                        : forever();
    });
    made_of.shutdown = shutdown_policy::after(1000ms);
    nursery n(ctx, made_of);
    ctx.await(n.sup.start_child(std::any(true)));
    ctx.await(n.sup.start_child(std::any(false)));
    ctx.await(n.sup.start_child(std::any(true)));
    n.heard.take();
    n.sup.request_stop();
    ctx.settle();
    BOOST_TEST(n.heard.take() == "exited p/21 shutdown");
    ctx.advance(999ms);
    BOOST_TEST(n.heard.take() == "");
    ctx.advance(1ms);
    BOOST_TEST(outcome(n.run) == "returned");
    BOOST_TEST(n.heard.take() == "exited p/31 killed, exited p/11 killed, ended shutdown");
}

LIFEGUARD_TEST(SUP_51_brutal_dynamic_children_are_killed_in_one_turn) {
    child_spec made_of("p", [&](const std::any&) -> asio::awaitable<void> {
        auto busy = [&]() -> asio::awaitable<void> { co_await sleep(ctx.time, 200s); };
        co_await shielded(busy);
    });
    made_of.shutdown = shutdown_policy::brutal();
    nursery n(ctx, made_of);
    for (int i = 0; i < 10; ++i)
        ctx.await(n.sup.start_child(std::any()));
    BOOST_TEST(n.end() == "returned");
    BOOST_TEST(n.sup.figures().stops_killed == 10U);
    BOOST_CHECK(n.sup.figures().stop_latency_max == 0ms);
}

LIFEGUARD_TEST(SUP_52_dynamic_children_that_need_time_to_stop) {
    const auto notes = std::make_shared<journal>();
    child_spec made_of = cleaners(ctx, notes);
    made_of.shutdown = shutdown_policy::after(2000ms);
    nursery n(ctx, made_of);
    for (const duration by : {duration(1s), duration(1s), duration(5s)})
        ctx.await(n.sup.start_child(std::any(by)));
    n.sup.request_stop();
    ctx.advance(1s);
    BOOST_TEST(notes->take() == "asked, asked, asked, clean, clean");
    ctx.advance(999ms);
    BOOST_TEST(!n.run.ready());
    ctx.advance(1ms);
    BOOST_TEST(outcome(n.run) == "returned");
    BOOST_TEST(n.sup.figures().stops_shutdown == 2U);
    BOOST_TEST(n.sup.figures().stops_killed == 1U);
}

LIFEGUARD_TEST(immovable_dynamic_children_are_abandoned_together) {
    const auto let_go = std::make_shared<detail::reply>();
    const auto no_less = std::make_shared<detail::reply>();
    child_spec made_of("p", [](const std::any& until) {
        return deaf(std::any_cast<std::shared_ptr<detail::reply>>(until));
    });
    made_of.shutdown = shutdown_policy::after(100ms);
    nursery n(ctx, made_of);
    ctx.await(n.sup.start_child(std::any(let_go)));
    ctx.await(n.sup.start_child(std::any(no_less)));
    n.sup.request_stop();
    ctx.advance(1099ms); // kill_grace is 1 s
    BOOST_TEST(!n.run.ready());
    ctx.advance(1ms);
    BOOST_TEST(outcome(n.run) == "returned");
    BOOST_TEST(n.sup.figures().abandoned_live == 2U);
    let_go->arrive();
    no_less->arrive();
    ctx.settle();
    BOOST_TEST(n.sup.figures().abandoned_live == 0U);
}

// Ten times the children may cost ten times as much, and twice that for a bad day.
LIFEGUARD_TEST(SUP_60_cost_of_a_dynamic_child_does_not_grow_with_their_number,
               *boost::unit_test::label("scale")) {
    const auto time_to_terminate = [&](int many) {
        child_spec made_of("p", [](const std::any&) { return forever(); });
        made_of.restart = restart_type::temporary;
        nursery n(ctx, made_of);
        ctx.await([&]() -> asio::awaitable<void> {
            for (int i = 0; i < many; ++i)
                co_await n.sup.start_child(std::any());
        });
        const std::clock_t before = std::clock();
        ctx.await([&]() -> asio::awaitable<void> {
            for (int i = 1; i <= many; ++i)
                co_await n.sup.terminate_child("p/" + std::to_string(i));
        });
        const std::clock_t used = std::clock() - before;
        BOOST_TEST(n.sup.figures().stops_shutdown == static_cast<unsigned>(many));
        n.end();
        return used;
    };
    const std::clock_t of_1000 = time_to_terminate(1000);
    BOOST_TEST(time_to_terminate(10'000) <= 20 * of_1000);
}

BOOST_AUTO_TEST_SUITE_END()
