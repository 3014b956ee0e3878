// The accounting alone: what the coroutines around it cannot show.
#include "pool/pool_accounting.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>

using namespace lifeguard;
using namespace lifeguard::detail;

namespace {

struct asker : pool_waiter {
    pooled* got = nullptr;
};

struct world final : pool_actions {
    world(unsigned size, unsigned overflow, reuse_order order = reuse_order::lifo)
        : accounting(size, overflow, order) {
        accounting.open(*this);
    }
    void start() override { ++starts; }
    void end(pooled&) override { ++ends; }
    void grant(pool_waiter& w, pooled& p) override { static_cast<asker&>(w).got = &p; }

    pooled& arrive() {
        --starts;
        pooled& p = all.emplace_back();
        accounting.started(p, *this);
        return p;
    }

    pool_accounting accounting;
    std::deque<pooled> all;
    int starts = 0;
    int ends = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(accounting)

BOOST_AUTO_TEST_CASE(who_waits_for_a_start_is_served_by_whatever_comes_first) {
    world w(1, 1);
    pooled& first = w.arrive();
    BOOST_TEST(w.accounting.checkout() == &first);
    asker a;
    w.accounting.wait(a, w); // overflow is started for it
    BOOST_TEST(w.starts == 1);
    w.accounting.checkin(first, w);
    BOOST_TEST(a.got == &first);
    w.arrive(); // nobody needs it now
    BOOST_TEST(w.ends == 1);
    BOOST_TEST(w.accounting.overflow() == 0U);
}

BOOST_AUTO_TEST_CASE(first_starts_serve_who_waits_before_overflow_is_started) {
    world w(2, 5);
    asker a;
    asker b;
    asker c;
    w.accounting.wait(a, w);
    w.accounting.wait(b, w);
    BOOST_TEST(w.starts == 2);
    w.accounting.wait(c, w);
    BOOST_TEST(w.starts == 3);
    BOOST_TEST(w.accounting.overflow() == 1U);
    w.accounting.give_up(a);
    w.accounting.give_up(b);
    w.accounting.give_up(c);
}

BOOST_AUTO_TEST_CASE(start_that_failed_is_tried_again_only_while_it_is_needed) {
    world w(1, 1);
    BOOST_TEST(w.accounting.start_failed()); // a permanent one
    pooled& first = w.arrive();
    w.accounting.checkout();
    asker a;
    w.accounting.wait(a, w);
    BOOST_TEST(w.accounting.start_failed());
    w.accounting.give_up(a);
    BOOST_TEST(!w.accounting.start_failed());
    BOOST_TEST(w.accounting.overflow() == 0U);
    BOOST_TEST(w.accounting.starting() == 0U);
    w.accounting.checkin(first, w);
}

BOOST_AUTO_TEST_CASE(closed_pool_forgets_its_resources_and_serves_who_waits_when_it_opens_again) {
    world w(1, 1);
    pooled& old = w.arrive();
    w.accounting.checkout();
    asker a;
    asker b;
    w.accounting.wait(a, w);
    w.accounting.close();
    w.starts = 0;
    w.accounting.wait(b, w);
    BOOST_TEST(w.starts == 0);
    w.accounting.checkin(old, w); // of another life
    BOOST_TEST(a.got == nullptr);
    w.accounting.open(w);
    BOOST_TEST(w.starts == 2);
    w.arrive();
    w.arrive();
    BOOST_TEST(a.got != nullptr);
    BOOST_TEST(b.got != nullptr);
    w.accounting.close();
}

BOOST_AUTO_TEST_SUITE_END()
