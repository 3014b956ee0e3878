// Supervisors that end when their significant children have.
#include "supervision/puppet.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(significant)

namespace {

child_spec significant_spec(const puppet& p, restart_type type) {
    child_spec spec = p.spec(type);
    spec.significant = true;
    return spec;
}

/// Significant s1 and s2, and n, which is not.
struct family {
    family(test_context& c, auto_shutdown when, restart_type type)
        : ctx(c),
          sup(c.executor(), options(c, when),
              {significant_spec(s1, type), n.spec(), significant_spec(s2, type)}),
          heard(sup),
          run(c.spawn(sup.run())) {
        ctx.settle();
        heard.take();
    }
    ~family() noexcept(false) { // what it settles may be cut
        if (ctx.is_cut())
            return;
        sup.request_stop();
        ctx.settle();
        BOOST_TEST(s1.live() + s2.live() + n.live() == 0);
    }
    static supervisor_options options(test_context& c, auto_shutdown when) {
        supervisor_options o = flags(c, 5);
        o.auto_shutdown = when;
        return o;
    }
    void kill(const puppet& who) {
        ctx.await(sup.kill_child(who.id()));
        ctx.settle();
    }
    void tell(const puppet& who, void (puppet::*order)() const) {
        (who.*order)();
        ctx.settle();
    }
    /// Whether it has shut itself down, with everything in it.
    bool has_ended() {
        const bool ended = outcome(run) == "returned";
        if (ended)
            BOOST_TEST(s1.live() + s2.live() + n.live() == 0);
        return ended;
    }

    test_context& ctx;
    puppet s1{"s1"}, s2{"s2"}, n{"n"};
    supervisor sup;
    listener heard;
    test_future<void> run;
};

} // namespace

LIFEGUARD_TEST(SUP_55_children_that_are_not_significant_never_end_the_supervisor) {
    for (const auto when :
         {auto_shutdown::never, auto_shutdown::any_significant, auto_shutdown::all_significant})
        for (const auto type : {restart_type::temporary, restart_type::transient}) {
            const puppet a("a");
            supervisor sup(ctx.executor(), family::options(ctx, when));
            const auto run = ctx.spawn(sup.run());
            const bool comes_back = type == restart_type::transient;
            ctx.await(sup.start_child(a.spec(type)));
            ctx.await(sup.terminate_child("a"));
            error_of(ctx, sup.delete_child("a"));
            ctx.await(sup.start_child(a.spec(type)));
            ctx.await(sup.kill_child("a"));
            ctx.settle();
            BOOST_TEST(a.live() == (comes_back ? 1 : 0));
            if (!comes_back)
                ctx.await(sup.start_child(a.spec(type)));
            a.crashes();
            ctx.settle();
            BOOST_TEST(a.live() == (comes_back ? 1 : 0));
            if (!comes_back)
                ctx.await(sup.start_child(a.spec(type)));
            a.returns();
            ctx.settle();
            BOOST_TEST(a.live() == 0);
            BOOST_TEST(outcome(run) == "running");
            ctx.await(sup.stop());
        }
}

LIFEGUARD_TEST(SUP_56_first_significant_temporary_child_ends_the_supervisor) {
    const auto any = [&] {
        return family(ctx, auto_shutdown::any_significant, restart_type::temporary);
    };
    {
        family f = any();
        ctx.await(f.sup.terminate_child("s1"));
        ctx.settle();
        BOOST_TEST(!f.has_ended());
        BOOST_TEST(list(ctx, f.sup) == "n running 1, s2 running 1");
    }
    {
        family f = any();
        f.tell(f.n, &puppet::crashes);
        BOOST_TEST(!f.has_ended());
        f.heard.take();
        f.kill(f.s1);
        BOOST_TEST(f.has_ended());
        BOOST_TEST(f.heard.take() == "exited s11 killed, exited s21 shutdown, exited n2 shutdown, "
                                     "ended shutdown(auto_shutdown: s1)");
    }
    for (const auto order : {&puppet::crashes, &puppet::returns}) {
        family f = any();
        f.tell(f.s1, order);
        BOOST_TEST(f.has_ended());
    }
}

LIFEGUARD_TEST(SUP_57_significant_transient_child_ends_the_supervisor_when_it_stays_down) {
    {
        family f(ctx, auto_shutdown::any_significant, restart_type::transient);
        ctx.await(f.sup.terminate_child("s1"));
        BOOST_TEST(!f.has_ended());
        ctx.await(f.sup.restart_child("s1"));
        f.kill(f.s1);
        BOOST_TEST(f.s1.live() == 1);
        f.tell(f.s1, &puppet::crashes);
        BOOST_TEST(f.s1.live() == 1);
        BOOST_TEST(!f.has_ended());
        f.tell(f.s1, &puppet::returns);
        BOOST_TEST(f.has_ended());
    }
    family f(ctx, auto_shutdown::any_significant, restart_type::transient);
    f.s1.leaves("done");
    ctx.settle();
    BOOST_TEST(f.has_ended());
}

LIFEGUARD_TEST(SUP_58_last_significant_child_ends_the_supervisor) {
    for (const auto type : {restart_type::temporary, restart_type::transient}) {
        family f(ctx, auto_shutdown::all_significant, type);
        f.tell(f.s1, &puppet::returns);
        ctx.advance(1s);
        BOOST_TEST(!f.has_ended());
        BOOST_TEST(f.s2.live() + f.n.live() == 2);
        f.tell(f.s2, &puppet::returns);
        BOOST_TEST(f.has_ended());
    }
}

LIFEGUARD_TEST(significant_child_that_was_terminated_does_not_count) {
    family f(ctx, auto_shutdown::all_significant, restart_type::transient);
    ctx.await(f.sup.terminate_child("s1"));
    BOOST_TEST(!f.has_ended());
    f.tell(f.s2, &puppet::returns);
    BOOST_TEST(f.has_ended());
}

LIFEGUARD_TEST(SUP_59_significant_children_of_a_template) {
    for (const auto when : {auto_shutdown::any_significant, auto_shutdown::all_significant}) {
        supervisor_options options = family::options(ctx, when);
        options.strategy = strategy::simple_one_for_one;
        child_spec made_of = puppets(restart_type::temporary);
        made_of.significant = true;
        const puppet a("a"), b("b"), c("c");
        supervisor sup(ctx.executor(), options, {made_of});
        const auto run = ctx.spawn(sup.run());
        for (const puppet& p : {a, b, c})
            ctx.await(sup.start_child(std::any(p)));
        ctx.await(sup.terminate_child("p/1"));
        BOOST_TEST(outcome(run) == "running");
        b.returns();
        ctx.settle();
        if (when == auto_shutdown::all_significant) {
            BOOST_TEST(outcome(run) == "running");
            c.returns();
            ctx.settle();
        }
        BOOST_TEST(outcome(run) == "returned");
        BOOST_TEST(a.live() + b.live() + c.live() == 0);
    }
}

// To a parent it is an end like any other.
LIFEGUARD_TEST(permanent_supervisor_that_shut_itself_down_is_restarted) {
    const puppet a("a");
    supervisor_options options = family::options(ctx, auto_shutdown::any_significant);
    options.name = "sub";
    supervisor sup(ctx.executor(), flags(ctx),
                   {nested_supervisor(options, {significant_spec(a, restart_type::temporary)})});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.returns();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "sub running 2");
    BOOST_TEST(a.live() == 1);
    ctx.await(sup.stop());
}

BOOST_AUTO_TEST_SUITE_END()
