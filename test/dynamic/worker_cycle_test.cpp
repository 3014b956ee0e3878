#include "dynamic/worker_cycle.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace std::chrono_literals;
using namespace lifeguard;
using detail::worker_cycle;
using then = detail::worker_cycle::then;

BOOST_AUTO_TEST_SUITE(worker_cycle_rules)

namespace {

constexpr time_point start = time_point(1h);

/// Milliseconds from the start to the next wake-up; -1: none.
long wake(const worker_cycle& c) {
    const auto at = c.wake_at();
    return at ? std::chrono::duration_cast<std::chrono::milliseconds>(*at - start).count() : -1;
}

worker_cycle started(worker_rhythm rhythm, json payload = json()) {
    worker_cycle c(std::move(payload), rhythm);
    c.start(start);
    return c;
}

then end(worker_cycle& c, worker_outcome o, time_point at) { return c.end_perform(o, at); }
then message(worker_cycle& c, worker_outcome o, time_point at) { return c.end_message(o, at); }

} // namespace

BOOST_AUTO_TEST_CASE(first_perform_is_after_one_interval_or_as_said) {
    BOOST_TEST(wake(started({.interval = 200ms})) == 200);
    BOOST_TEST(wake(started({.interval = 200ms, .first_perform = 0s})) == 0);
    BOOST_TEST(wake(started({.interval = 200ms, .first_perform = 30ms})) == 30);
    BOOST_TEST(started({.interval = 200ms, .first_perform = 0s}).is_due(start));
    BOOST_TEST(!started({.interval = 200ms}).is_due(start + 199ms));
    BOOST_TEST(started({.interval = 200ms}).is_due(start + 200ms));
}

BOOST_AUTO_TEST_CASE(no_interval_is_no_perform) {
    for (const duration interval : {duration(0), duration(-5ms)}) {
        const worker_cycle c = started({.interval = interval, .first_perform = 0s});
        BOOST_TEST(wake(c) == -1);
        BOOST_TEST(!c.is_due(start + 1h));
    }
}

BOOST_AUTO_TEST_CASE(delay_counts_from_the_end_of_the_perform) {
    worker_cycle c = started({.interval = 100ms, .lull = 0});
    c.begin_perform(start + 100ms);
    BOOST_TEST(c.is_performing());
    BOOST_TEST(!c.is_due(start + 1h));
    BOOST_TEST((end(c, {}, start + 350ms) == then::stays));
    BOOST_TEST(wake(c) == 450);
    BOOST_TEST(c.performs() == 1U);
}

BOOST_AUTO_TEST_CASE(perform_is_reported_once_when_its_lull_has_passed) {
    worker_cycle c = started({.interval = 1000ms});
    c.begin_perform(start + 1000ms);
    BOOST_TEST(wake(c) == 2100);
    BOOST_TEST(!c.overdue(start + 2099ms).has_value());
    const auto elapsed = c.overdue(start + 2100ms);
    BOOST_REQUIRE(elapsed.has_value());
    BOOST_TEST((*elapsed == 1100ms));
    BOOST_TEST(!c.overdue(start + 2100ms).has_value());
    BOOST_TEST(wake(c) == -1);
    end(c, {}, start + 6s);
    BOOST_TEST(!c.overdue(start + 9s).has_value()); // nothing runs
    c.begin_perform(start + 7s);
    BOOST_TEST(c.overdue(start + 9s).has_value()); // the next one
}

BOOST_AUTO_TEST_CASE(lull_of_zero_reports_nothing_and_a_huge_one_does_not_overflow) {
    worker_cycle never = started({.interval = 1ms, .lull = 0});
    never.begin_perform(start);
    BOOST_TEST(!never.overdue(start + 24h).has_value());
    worker_cycle huge = started({.interval = 24h, .lull = std::numeric_limits<double>::max()});
    huge.begin_perform(start);
    BOOST_TEST((huge.wake_at() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(outcomes_change_payload_and_value) {
    worker_cycle c = started({}, json("p"));
    BOOST_TEST((end(c, worker_outcome(), start) == then::stays));
    BOOST_TEST(c.payload() == json("p"));
    BOOST_TEST(c.value() == json());
    end(c, worker_outcome::ok(1), start);
    BOOST_TEST(c.payload() == json(1));
    BOOST_TEST(c.value() == json());
    end(c, worker_outcome::replace(2), start);
    BOOST_TEST(c.payload() == json(2));
    BOOST_TEST(c.value() == json(2));
    end(c, 21.5, start); // anything else
    BOOST_TEST(c.payload() == json(2));
    BOOST_TEST(c.value() == json(21.5));
    end(c, "text", start);
    BOOST_TEST(c.value() == json("text"));
    BOOST_TEST((end(c, worker_outcome::halt(), start) == then::halts));
    BOOST_TEST((end(c, worker_outcome::replace("b", 3), start) == then::moves));
    BOOST_TEST(c.payload() == json(2)); // of the one that goes
}

BOOST_AUTO_TEST_CASE(new_interval_stays_until_it_is_changed) {
    worker_cycle c = started({.interval = 100ms});
    c.begin_perform(start + 100ms);
    end(c, worker_outcome::ok(1).every(1s), start + 100ms);
    BOOST_TEST(wake(c) == 1100);
    c.begin_perform(start + 1100ms);
    end(c, {}, start + 1100ms);
    BOOST_TEST(wake(c) == 2100);
    end(c, worker_outcome().every(0s), start + 2100ms);
    BOOST_TEST(wake(c) == -1);
}

BOOST_AUTO_TEST_CASE(message_leaves_the_next_perform_when_it_is_but_for_a_new_interval) {
    worker_cycle c = started({.interval = 100ms});
    message(c, worker_outcome::ok(1), start + 70ms);
    BOOST_TEST(wake(c) == 100);
    message(c, worker_outcome().every(500ms), start + 80ms);
    BOOST_TEST(wake(c) == 580);
    message(c, worker_outcome().every(-1ms), start + 90ms);
    BOOST_TEST(wake(c) == -1);
    message(c, worker_outcome().every(10ms), start + 200ms); // it performs again
    BOOST_TEST(wake(c) == 210);
    BOOST_TEST(c.performs() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
