// Supervisors below supervisors.
#include "base/executors.hpp"
#include "supervision/puppet.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(nested)

namespace {

supervisor_options named(test_context& ctx, std::string name, unsigned intensity) {
    supervisor_options options = flags(ctx, intensity, 10s);
    options.name = std::move(name);
    return options;
}

} // namespace

LIFEGUARD_TEST(tree_shows_supervisors_below_supervisors) {
    const puppet store("store"), one("images/1"), two("images/2"), mail("mail/1");
    two.fails_to_start(0);
    child_spec idle = puppet("idle").spec();
    supervisor sup(ctx.executor(), named(ctx, "engine", 5),
                   {store.spec(),
                    nested_supervisor(named(ctx, "images", 5), {one.spec(), two.spec()}),
                    nested_supervisor(named(ctx, "mail", 1), {mail.spec()}), idle});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    one.crashes();
    ctx.settle();
    one.crashes();
    ctx.settle();
    ctx.await(sup.terminate_child("idle"));
    BOOST_TEST(ctx.await(sup.tree()) == "engine (one_for_one, 5 in 10 s)\n"
                                        "├── store (worker, running)\n"
                                        "├── images (supervisor, one_for_one, 5 in 10 s, 3 left)\n"
                                        "│   ├── images/1 (worker, running, incarnation 3)\n"
                                        "│   └── images/2 (worker, running)\n"
                                        "├── mail (supervisor, one_for_one, 1 in 10 s)\n"
                                        "│   └── mail/1 (worker, running)\n"
                                        "└── idle (worker, not started)\n");
    BOOST_TEST(counts(ctx, sup) == "4,3,2,2");
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

// Our supervisors have no init callback: the start function of a nested one is its init.
LIFEGUARD_TEST(SUP_02_supervisor_whose_init_says_ignore_does_not_run) {
    const puppet a("a");
    child_spec sub("sub", [&](const child_context& self) {
        supervisor never(self.executor(), named(ctx, "sub", 1), {a.spec()});
        return child_body::ignore();
    });
    sub.type = child_type::supervisor;
    supervisor sup(ctx.executor(), named(ctx, "top", 1), {sub});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "sub not_started 0");
    BOOST_TEST(counts(ctx, sup) == "1,0,1,0");
    BOOST_TEST(a.starts() == 0);
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(tree_is_drawn_while_a_child_is_stuck_in_its_start) {
    child_spec stuck("stuck", [] { return forever(); });
    stuck.waits_for_ready = true;
    supervisor sup(ctx.executor(), named(ctx, "top", 2),
                   {nested_supervisor(named(ctx, "sub", 1), {stuck}), puppet("later").spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(ctx.await(sup.tree()) == "top (one_for_one, 2 in 10 s)\n"
                                        "├── sub (supervisor, one_for_one, 1 in 10 s, starting)\n"
                                        "│   └── stuck (worker, starting)\n"
                                        "└── later (worker, not started)\n");
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(nested_supervisor_that_gives_up_is_restarted_with_its_first_children) {
    const puppet a("a"), added("added");
    supervisor sup(ctx.executor(), named(ctx, "top", 2),
                   {nested_supervisor(named(ctx, "sub", 1), {a.spec()})});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(heard.take() == "started sub1");
    a.crashes();
    ctx.settle();
    BOOST_TEST(heard.take() ==
               "exited sub1 shutdown(intensity_exceeded), restart sub1, started sub2");
    BOOST_TEST(a.live() == 1);
    BOOST_TEST(a.starts() == 3);
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(SUP_47_tree_of_supervisors_heals_as_a_whole) {
    const puppet p1("1"), p2("2"), p3("3"), p4("4");
    p3.fails_to_start(1000, 1);
    const auto sub = [&](const char* name, std::vector<child_spec> children) {
        return nested_supervisor(named(ctx, name, 4), std::move(children));
    };
    std::optional<supervisor> s2; // its latest incarnation
    child_spec second("s2", [&](const child_context& self) {
        s2.emplace(self.executor(), named(ctx, "s2", 4));
        return *s2;
    });
    second.type = child_type::supervisor;
    child_spec third = sub("s3", {});
    third.restart = restart_type::transient;
    supervisor_options options = named(ctx, "top", 4);
    options.strategy = strategy::one_for_all;
    supervisor top(ctx.executor(), options, {sub("s1", {p1.spec(), p2.spec()}), second, third});
    const auto run = ctx.spawn(top.run());
    ctx.settle();
    ctx.await(s2->start_child(p3.spec()));
    ctx.await(s2->start_child(p4.spec()));
    ctx.await(top.terminate_child("s3"));
    BOOST_TEST(counts(ctx, top) == "3,2,3,0");

    p4.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, *s2) == "3 running 1, 4 running 2");
    BOOST_TEST(list(ctx, top) == "s1 running 1, s2 running 1, s3 not_started 1");

    p3.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, top) == "s1 running 2, s2 running 2, s3 running 2");
    BOOST_TEST(counts(ctx, top) == "3,3,3,0");
    BOOST_TEST(p1.starts() + p2.starts() == 4);
    BOOST_TEST(p1.live() + p2.live() == 2);
    BOOST_TEST(p3.live() + p4.live() == 0); // what was added at run time is not remembered
    BOOST_TEST(list(ctx, *s2) == "");
    ctx.await(top.stop());
    BOOST_TEST(outcome(run) == "returned");
}

// Rule M-08: giving up is an exit with shutdown, so it depends on the restart type.
LIFEGUARD_TEST(transient_nested_supervisor_that_gives_up_stays_down) {
    const puppet a("a");
    child_spec sub = nested_supervisor(named(ctx, "sub", 0), {a.spec()});
    sub.restart = restart_type::transient;
    supervisor sup(ctx.executor(), named(ctx, "top", 2), {sub});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "sub not_started 1");
    BOOST_TEST(a.live() == 0);
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(escalation_reaches_the_top) {
    const puppet a("a"), bystander("bystander");
    supervisor sup(ctx.executor(), named(ctx, "top", 1),
                   {bystander.spec(), nested_supervisor(named(ctx, "sub", 0), {a.spec()})});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(outcome(run) == "running");
    a.crashes();
    ctx.settle();
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(bystander.live() + a.live() == 0);
}

// As in OTP, where a supervisor's start returns when its children have started.
LIFEGUARD_TEST(next_child_starts_when_the_nested_supervisor_has_started_its_own) {
    const auto notes = std::make_shared<journal>();
    const auto go = std::make_shared<detail::reply>();
    child_spec slow("slow", [go, notes](child_context self) -> asio::awaitable<void> {
        notes->add("slow begins");
        co_await detail::reply::wait(go);
        self.ready();
        co_await forever();
    });
    slow.waits_for_ready = true;
    const puppet in("in", notes), next("next", notes);
    supervisor sup(ctx.executor(), named(ctx, "top", 1),
                   {nested_supervisor(named(ctx, "sub", 1), {slow, in.spec()}), next.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(notes->take() == "slow begins");
    go->arrive();
    ctx.settle();
    BOOST_TEST(notes->take() == "+in, +next");
    ctx.await(sup.stop());
    BOOST_TEST(notes->take() == "-next, -in");
}

LIFEGUARD_TEST(nested_supervisor_that_cannot_start_fails_the_start_of_its_parent) {
    const puppet a("a"), b("b");
    b.fails_to_start(1);
    supervisor sup(ctx.executor(), named(ctx, "top", 1),
                   {nested_supervisor(named(ctx, "sub", 1), {a.spec(), b.spec()})});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(a.live() == 0);
    BOOST_TEST(run.error() == errc::start_failed);
    std::string all;
    try {
        std::rethrow_exception(run.exception());
    } catch (const std::exception& top) {
        try {
            std::rethrow_if_nested(top);
        } catch (const error& sub) {
            all = sub.detail();
            try {
                std::rethrow_if_nested(sub);
            } catch (const std::exception& cause) {
                all += std::string(" | ") + cause.what();
            }
        }
    }
    BOOST_TEST(all == "supervisor 'sub', child 'b': no start | no start");
}

LIFEGUARD_TEST(stopping_the_top_stops_the_tree_in_reverse_order) {
    const auto notes = std::make_shared<journal>();
    const auto child = [&](const char* id) { return puppet(id, notes).spec(); };
    supervisor sup(ctx.executor(), named(ctx, "top", 1),
                   {child("a"), nested_supervisor(named(ctx, "sub", 1), {child("b"), child("c")}),
                    child("d")});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    notes->take();
    ctx.await(sup.stop());
    BOOST_TEST(notes->take() == "-d, -c, -b, -a");
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(killing_a_nested_supervisor_kills_its_children_and_waits_for_them) {
    const auto let_go = std::make_shared<detail::reply>();
    child_spec rock("rock", [let_go] { return deaf(let_go); });
    rock.restart = restart_type::temporary;
    supervisor_options options = named(ctx, "sub", 1);
    options.kill_grace = 3s; // longer than its parent's
    supervisor sup(ctx.executor(), named(ctx, "top", 1), {nested_supervisor(options, {rock})});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    heard.take();
    ctx.await(sup.kill_child("sub"));
    ctx.advance(2999ms);
    BOOST_TEST(heard.take() == "");
    ctx.advance(1ms);
    // A supervisor of ours always ends, so it is not abandoned itself.
    BOOST_TEST(heard.take() == "exited sub1 killed, restart sub1, started sub2");
    BOOST_TEST(sup.figures().abandoned_total == 0U);
    let_go->arrive();
    ctx.settle();
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(nested_supervisor_may_live_on_a_strand_of_its_own) {
    const puppet a("a");
    supervisor inner(detail::new_strand(ctx.executor()), named(ctx, "inner", 1), {a.spec()});
    child_spec spec("inner", [inner] { return inner; });
    supervisor sup(ctx.executor(), named(ctx, "top", 1), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(ctx.await(sup.tree()) == "top (one_for_one, 1 in 10 s)\n"
                                        "└── inner (supervisor, one_for_one, 1 in 10 s, 0 left)\n"
                                        "    └── a (worker, running, incarnation 2)\n");
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(a.live() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
