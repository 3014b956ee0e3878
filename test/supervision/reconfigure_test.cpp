// New rules and specs for a supervisor that runs (conformance rule M-19).
#include "supervision/puppet.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(reconfigure)

LIFEGUARD_TEST(new_specs_are_added_and_missing_ones_stay) {
    const puppet a("a"), b("b"), c("c");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec(), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.reconfigure(flags(ctx), {c.spec(), a.spec()}));
    BOOST_TEST(list(ctx, sup) == "b running 1, c not_started 0, a running 1");
    ctx.await(sup.restart_child("c"));
    BOOST_TEST(c.live() == 1);
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(start_function_is_used_from_the_next_start_on) {
    const auto notes = std::make_shared<journal>();
    const puppet old_one("a", notes), new_one("a", notes);
    supervisor sup(ctx.executor(), flags(ctx), {old_one.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.reconfigure(flags(ctx), {new_one.spec(restart_type::transient)}));
    BOOST_TEST(old_one.live() == 1);
    old_one.crashes();
    ctx.settle();
    BOOST_TEST(new_one.live() == 1);
    new_one.returns(); // it has become transient
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a not_started 2");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(restart_and_shutdown_change_for_the_child_that_runs) {
    const auto notes = std::make_shared<journal>();
    child_spec spec("a", [&] { return cleans_up(ctx.time, 1s, notes); });
    spec.shutdown = shutdown_policy::infinity();
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    spec.shutdown = shutdown_policy::after(100ms);
    ctx.await(sup.reconfigure(flags(ctx), {spec}));
    sup.request_stop();
    ctx.advance(100ms);
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(notes->take() == "asked");
}

LIFEGUARD_TEST(strategy_and_intensity_change_at_once) {
    const puppet a("a"), b("b");
    supervisor sup(ctx.executor(), flags(ctx, 1), {a.spec(), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    ctx.await(sup.reconfigure(flags(ctx, strategy::one_for_all, 3), {a.spec(), b.spec()}));
    a.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 3, b running 2");
    BOOST_TEST(ctx.await(sup.tree()).starts_with("top (one_for_all, 3 in 3600 s, 1 left)\n"));
    ctx.await(sup.reconfigure(flags(ctx, strategy::one_for_all, 1), {a.spec(), b.spec()}));
    a.crashes(); // the two before still count
    ctx.settle();
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
}

LIFEGUARD_TEST(template_changes_for_all_children) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx, strategy::simple_one_for_one), {puppets()});
    const auto run = ctx.spawn(sup.run());
    ctx.await(sup.start_child(std::any(a)));
    ctx.await(sup.reconfigure(flags(ctx, strategy::simple_one_for_one),
                              {puppets(restart_type::temporary)}));
    a.crashes();
    ctx.settle();
    BOOST_TEST(counts(ctx, sup) == "1,0,0,0");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(errors_leave_everything_as_it_was) {
    const puppet a("a"), b("b");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    child_spec bad = b.spec();
    bad.significant = true;
    BOOST_TEST(error_of(ctx, sup.reconfigure(flags(ctx), {b.spec(), bad})) == "invalid_option");
    BOOST_TEST(error_of(ctx, sup.reconfigure(flags(ctx), {b.spec(), b.spec()})) == "duplicate_id");
    BOOST_TEST(error_of(ctx, sup.reconfigure(flags(ctx, strategy::simple_one_for_one),
                                             {puppets()})) == "unsupported");
    BOOST_TEST(list(ctx, sup) == "a running 1");
    ctx.await(sup.stop());
    BOOST_TEST(error_of(ctx, sup.reconfigure(flags(ctx), {})) == "no_such_supervisor");
}

BOOST_AUTO_TEST_SUITE_END()
