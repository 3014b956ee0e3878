// What becomes of a child that ends by itself: three restart types, three ways to end.
#include "supervision/puppet.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(restart_types)

namespace {

/// A one_for_one 2/3600 supervisor with one running child.
struct one_child {
    one_child(test_context& c, restart_type type)
        : ctx(c), sup(c.executor(), flags(c), {child.spec(type)}), run(c.spawn(sup.run())) {
        ctx.settle();
        BOOST_TEST(child.live() == 1);
    }
    ~one_child() noexcept(false) { // what it settles may be cut
        if (ctx.is_cut())
            return;
        sup.request_stop();
        ctx.settle();
        BOOST_TEST(outcome(run) == "returned");
        BOOST_TEST(child.live() == 0);
    }

    /// What a look at it shows after the child was told what to do.
    std::string after(void (puppet::*order)() const) {
        (child.*order)();
        return look();
    }
    std::string after_leaving(std::string detail) {
        child.leaves(std::move(detail));
        return look();
    }
    std::string look() {
        ctx.settle();
        return list(ctx, sup) + " | " + counts(ctx, sup);
    }

    test_context& ctx;
    puppet child{"a"};
    supervisor sup;
    test_future<void> run;
};

} // namespace

LIFEGUARD_TEST(SUP_26_permanent_child_that_returns_is_restarted) {
    one_child one(ctx, restart_type::permanent);
    BOOST_TEST(one.after(&puppet::returns) == "a running 2 | 1,1,0,1");
}

LIFEGUARD_TEST(SUP_27_permanent_child_that_exits_with_shutdown_is_restarted) {
    one_child one(ctx, restart_type::permanent);
    BOOST_TEST(one.after_leaving("") == "a running 2 | 1,1,0,1");
    BOOST_TEST(one.after_leaving("why") == "a running 3 | 1,1,0,1");
}

LIFEGUARD_TEST(SUP_28_permanent_child_that_crashes_is_restarted) {
    one_child one(ctx, restart_type::permanent);
    BOOST_TEST(one.after(&puppet::crashes) == "a running 2 | 1,1,0,1");
}

LIFEGUARD_TEST(SUP_29_transient_child_that_returns_stays_down) {
    one_child one(ctx, restart_type::transient);
    BOOST_TEST(one.after(&puppet::returns) == "a not_started 1 | 1,0,0,1");
}

LIFEGUARD_TEST(SUP_30_transient_child_that_exits_with_shutdown_stays_down) {
    one_child one(ctx, restart_type::transient);
    BOOST_TEST(one.after_leaving("") == "a not_started 1 | 1,0,0,1");
    BOOST_TEST(ctx.await(one.sup.restart_child("a")).incarnation == 2);
    BOOST_TEST(one.after_leaving("why") == "a not_started 2 | 1,0,0,1");
}

LIFEGUARD_TEST(SUP_31_transient_child_that_crashes_is_restarted) {
    one_child one(ctx, restart_type::transient);
    BOOST_TEST(one.after(&puppet::crashes) == "a running 2 | 1,1,0,1");
}

LIFEGUARD_TEST(SUP_32_temporary_child_that_returns_is_forgotten) {
    one_child one(ctx, restart_type::temporary);
    BOOST_TEST(one.after(&puppet::returns) == " | 0,0,0,0");
}

LIFEGUARD_TEST(SUP_33_temporary_child_that_exits_with_shutdown_is_forgotten) {
    one_child one(ctx, restart_type::temporary);
    BOOST_TEST(one.after_leaving("") == " | 0,0,0,0");
    BOOST_TEST(
        ctx.await(one.sup.start_child(one.child.spec(restart_type::temporary))).incarnation == 1);
    BOOST_TEST(one.after_leaving("why") == " | 0,0,0,0");
}

LIFEGUARD_TEST(SUP_34_temporary_child_that_crashes_is_forgotten) {
    one_child one(ctx, restart_type::temporary);
    BOOST_TEST(one.after(&puppet::crashes) == " | 0,0,0,0");
}

// Killed is abnormal, like a crash.
LIFEGUARD_TEST(killed_child_is_restarted_unless_it_is_temporary) {
    for (const auto& [type, expected] :
         {std::pair(restart_type::permanent, "a running 2 | 1,1,0,1"),
          std::pair(restart_type::transient, "a running 2 | 1,1,0,1"),
          std::pair(restart_type::temporary, " | 0,0,0,0")}) {
        one_child one(ctx, type);
        listener heard(one.sup);
        ctx.await(one.sup.kill_child("a"));
        BOOST_TEST(one.look() == expected);
        BOOST_TEST(heard.take().starts_with("exited a1 killed"));
    }
}

LIFEGUARD_TEST(SUP_35_id_of_a_temporary_child_that_ended_is_free) {
    for (const auto order : {&puppet::returns, &puppet::crashes}) {
        one_child one(ctx, restart_type::temporary);
        one.after(order);
        BOOST_TEST(error_of(ctx, one.sup.start_child(one.child.spec())) == "");
    }
    {
        one_child one(ctx, restart_type::temporary);
        ctx.await(one.sup.terminate_child("a"));
        BOOST_TEST(error_of(ctx, one.sup.start_child(one.child.spec())) == "");
    }
    {
        one_child one(ctx, restart_type::temporary);
        ctx.await(one.sup.kill_child("a"));
        BOOST_TEST(error_of(ctx, one.sup.start_child(one.child.spec())) == "");
    }
}

LIFEGUARD_TEST(SUP_35_id_of_a_permanent_child_stays_taken) {
    for (const auto order : {&puppet::returns, &puppet::crashes}) {
        one_child one(ctx, restart_type::permanent);
        one.after(order);
        BOOST_TEST(error_of(ctx, one.sup.start_child(one.child.spec())) == "already_started");
    }
    one_child one(ctx, restart_type::permanent);
    ctx.await(one.sup.terminate_child("a"));
    BOOST_TEST(error_of(ctx, one.sup.start_child(one.child.spec())) == "already_present");
}

LIFEGUARD_TEST(SUP_35_id_of_a_transient_child_stays_taken) {
    one_child returned(ctx, restart_type::transient);
    returned.after(&puppet::returns);
    BOOST_TEST(error_of(ctx, returned.sup.start_child(returned.child.spec())) == "already_present");
    one_child crashed(ctx, restart_type::transient);
    crashed.after(&puppet::crashes);
    BOOST_TEST(error_of(ctx, crashed.sup.start_child(crashed.child.spec())) == "already_started");
}

BOOST_AUTO_TEST_SUITE_END()
