// A supervisor that restarts each child on its own.
#include "supervision/puppet.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(one_for_one)

LIFEGUARD_TEST(SUP_38_one_for_one_restarts_only_the_crashed_child) {
    const puppet a("a"), b("b");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec(), b.spec()});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();

    a.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 2, b running 1");
    BOOST_TEST(counts(ctx, sup) == "2,2,0,2");

    b.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 2, b running 2");
    BOOST_TEST(heard.take() == "started a1, started b1, "
                               "exited a1 error(crash), restart a1, started a2, "
                               "exited b1 error(crash), restart b1, started b2");

    a.crashes();
    ctx.settle();
    BOOST_TEST(heard.take() == "exited a2 error(crash), gave up, exited b2 shutdown, "
                               "ended shutdown(intensity_exceeded)");
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(a.starts() == 2);
    BOOST_TEST(b.starts() == 2);
    BOOST_TEST(a.live() + b.live() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
