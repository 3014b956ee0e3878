// The circuit breaker alone: no pool, no clock.
#include "support/errors.hpp"
#include <lifeguard/circuit_breaker.hpp>
#include <lifeguard/exit_reason.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using namespace lifeguard;
using lifeguard::test::thrown_by;

namespace {

/// A breaker and the time it lives in.
struct bench {
    explicit bench(breaker_options options = breaker_options()) : breaker(options, "mail") {}

    circuit_breaker breaker;
    time_point now = time_point() + 1h;

    bool admits() { return breaker.admit(now).has_value(); }
    /// One call that is admitted and ends; false when it was rejected.
    bool succeed() {
        const auto permit = breaker.admit(now);
        if (permit)
            breaker.success(*permit, now);
        return permit.has_value();
    }
    bool fail(const std::exception_ptr& why = nullptr) {
        const auto permit = breaker.admit(now);
        if (permit)
            breaker.failure(*permit, now, why);
        return permit.has_value();
    }
    void fail(int times) {
        for (int i = 0; i < times; ++i)
            fail();
    }
    bool exclude() {
        const auto permit = breaker.admit(now);
        if (permit)
            breaker.exclude(*permit);
        return permit.has_value();
    }
    std::string_view state() const { return name_of(breaker.state(now)); }
    /// "closed -> open", or "" when nothing has changed since it was asked last.
    std::string change() {
        const auto c = breaker.take_change();
        return c ? std::string(name_of(c->from)) + " -> " + std::string(name_of(c->to)) : "";
    }
};

breaker_options with(unsigned threshold, unsigned permits = 1, unsigned successes = 1) {
    breaker_options o;
    o.threshold = threshold;
    o.permits = permits;
    o.successes = successes;
    return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(breaker)

BOOST_AUTO_TEST_CASE(BRK_01_new_breaker_is_closed_and_has_counted_nothing) {
    bench b;
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.breaker.opened_total() == 0U);
    BOOST_TEST(b.breaker.closed_total() == 0U);
    BOOST_TEST(b.breaker.counts().requests == 0U);
    BOOST_TEST(b.breaker.counts().rejected == 0U);
    BOOST_TEST(b.breaker.counts().successes == 0U);
    BOOST_TEST(b.breaker.counts().failures == 0U);
    BOOST_TEST(b.breaker.counts().excluded == 0U);
    BOOST_TEST(b.change().empty());
    BOOST_TEST((b.breaker.retry_after(b.now) == 0s));
    BOOST_TEST(b.breaker.capacity(7, b.now) == 7U);
}

BOOST_AUTO_TEST_CASE(BRK_02_fifth_failure_opens_and_the_sixth_call_is_rejected) {
    bench b;
    b.fail(4);
    BOOST_TEST(b.state() == "closed");
    b.fail();
    BOOST_TEST(b.state() == "open");
    BOOST_TEST(b.breaker.capacity(5, b.now) == 0U);
    BOOST_TEST(!b.admits());
    BOOST_TEST(b.breaker.counts().rejected == 1U);
    BOOST_TEST(b.breaker.opened_total() == 1U);
    BOOST_TEST(b.breaker.counts().failures == 5U);
}

BOOST_AUTO_TEST_CASE(BRK_03_failures_that_are_spread_out_never_open) {
    bench b;
    for (int i = 0; i < 6; ++i, b.now += 3s) {
        b.fail();
        BOOST_TEST(b.state() == "closed");
    }
    b.now -= 3s; // t = 15 s
    b.now += 100ms;
    b.fail();
    BOOST_TEST(b.state() == "open");
}

BOOST_AUTO_TEST_CASE(BRK_03_a_failure_of_exactly_the_window_still_counts) {
    bench b(with(2));
    b.fail();
    b.now += 10s;
    b.fail();
    BOOST_TEST(b.state() == "open");

    bench late(with(2));
    late.fail();
    late.now += 10s + 1ns;
    late.fail();
    BOOST_TEST(late.state() == "closed");
}

BOOST_AUTO_TEST_CASE(BRK_04_successes_do_not_erase_failures) {
    bench b;
    for (int i = 0; i < 4; ++i, b.now += 1s) {
        b.fail();
        b.succeed();
        BOOST_TEST(b.state() == "closed");
    }
    b.fail();
    BOOST_TEST(b.state() == "open");
}

BOOST_AUTO_TEST_CASE(BRK_05_rejection_says_who_since_when_how_long_and_why) {
    bench b;
    b.fail(4);
    b.fail(std::make_exception_ptr(std::runtime_error("disk full")));
    const time_point opened = b.now;
    b.now += 1ms;
    std::string text;
    for (int asked = 0; asked < 100; ++asked) {
        BOOST_TEST(!b.admits());
        const breaker_open_error e = b.breaker.rejection(b.now);
        BOOST_TEST((e.code() == errc::breaker_open));
        BOOST_TEST(e.name == "mail");
        BOOST_TEST((e.open_since == opened));
        BOOST_TEST((e.retry_after == 9999ms));
        BOOST_TEST(describe(e.cause) == "disk full");
        BOOST_TEST((text.empty() || text == e.what()));
        text = e.what();
    }
    BOOST_TEST(text.find("breaker 'mail', try again in 9999 ms") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(BRK_06_admits_a_probe_when_its_time_is_over) {
    bench b;
    b.fail(5);
    BOOST_TEST((b.breaker.retry_after(b.now) == 10s));
    b.now += 9999ms;
    BOOST_TEST(b.state() == "open");
    BOOST_TEST((b.breaker.retry_after(b.now) == 1ms));
    BOOST_TEST(!b.admits());
    b.now += 1ms;
    BOOST_TEST((b.breaker.retry_after(b.now) == 0s));
    BOOST_TEST(b.admits());
    BOOST_TEST(b.state() == "half_open");
}

BOOST_AUTO_TEST_CASE(BRK_07_probe_that_succeeds_closes_and_resets) {
    bench b;
    b.fail(5);
    b.now += 10s;
    BOOST_TEST(b.succeed());
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.breaker.closed_total() == 1U);
    b.fail(4);
    BOOST_TEST(b.state() == "closed");
    b.fail();
    BOOST_TEST(b.state() == "open");
}

BOOST_AUTO_TEST_CASE(BRK_08_probe_that_fails_opens_for_the_full_time_again) {
    bench b;
    b.fail(5);
    b.now += 13s;
    BOOST_TEST(b.fail());
    BOOST_TEST(b.state() == "open");
    b.now += 9999ms;
    BOOST_TEST(!b.admits());
    b.now += 1ms;
    BOOST_TEST(b.admits());
    BOOST_TEST(b.breaker.opened_total() == 2U);
}

BOOST_AUTO_TEST_CASE(BRK_09_one_probe_at_a_time) {
    bench b;
    b.fail(5);
    b.now += 10s;
    BOOST_TEST(b.breaker.capacity(5, b.now) == 1U);
    BOOST_TEST(b.admits());
    BOOST_TEST(!b.admits());
    BOOST_TEST(b.state() == "half_open");
    BOOST_TEST(b.breaker.capacity(5, b.now) == 0U);
}

BOOST_AUTO_TEST_CASE(BRK_10_three_permits_and_three_successes) {
    bench b(with(1, 3, 3));
    b.fail();
    b.now += 10s;
    BOOST_TEST(b.succeed());
    BOOST_TEST(b.succeed());
    BOOST_TEST(b.state() == "half_open");
    const auto third = b.breaker.admit(b.now);
    BOOST_TEST(third.has_value());
    BOOST_TEST(b.admits());
    BOOST_TEST(b.admits());
    BOOST_TEST(!b.admits());
    b.breaker.success(*third, b.now);
    BOOST_TEST(b.state() == "closed");
}

BOOST_AUTO_TEST_CASE(BRK_12_counts_tell_everything_apart) {
    bench b;
    for (int i = 0; i < 3; ++i) {
        b.exclude();
        b.succeed();
    }
    b.fail(2);
    const breaker_counts& counts = b.breaker.counts();
    BOOST_TEST(counts.requests == 8U);
    BOOST_TEST(counts.excluded == 3U);
    BOOST_TEST(counts.successes == 3U);
    BOOST_TEST(counts.failures == 2U);
    BOOST_TEST(counts.rejected == 0U);
}

BOOST_AUTO_TEST_CASE(BRK_13_forced_open_until_somebody_resets_it) {
    bench b;
    const auto early = b.breaker.admit(b.now);
    const auto other = b.breaker.admit(b.now);
    b.breaker.force_open(b.now);
    for (const duration later : {duration(6s), duration(60s), duration(1h)}) {
        b.now += later;
        BOOST_TEST(!b.admits());
        BOOST_TEST(b.breaker.capacity(5, b.now) == 0U);
        BOOST_TEST((b.breaker.retry_after(b.now) == duration::max()));
    }
    b.breaker.success(*early, b.now);
    b.breaker.failure(*other, b.now);
    BOOST_TEST(b.state() == "forced_open");
    b.breaker.reset();
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.breaker.counts().rejected == 0U);

    b.breaker.force_open(b.now);
    b.breaker.enable();
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.admits());
}

BOOST_AUTO_TEST_CASE(BRK_14_reset_closes_it_for_good) {
    bench b;
    b.fail(5);
    b.now += 1s;
    b.breaker.reset();
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.breaker.counts().failures == 0U);
    BOOST_TEST(b.breaker.counts().requests == 0U);
    BOOST_TEST(b.change().empty()); // closed it was when it was asked last, and is again
    b.now += 10s;
    BOOST_TEST(b.admits());
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.change().empty());
}

BOOST_AUTO_TEST_CASE(BRK_15_disabled_admits_all_and_counts_nothing) {
    bench b(with(1));
    b.breaker.disable();
    BOOST_TEST(b.change() == "closed -> disabled");
    for (int i = 0; i < 100; ++i)
        BOOST_TEST(b.fail());
    BOOST_TEST(b.succeed());
    BOOST_TEST(b.exclude());
    BOOST_TEST(b.state() == "disabled");
    BOOST_TEST(b.breaker.capacity(7, b.now) == 7U);
    const breaker_counts& counts = b.breaker.counts();
    BOOST_TEST(counts.requests + counts.successes + counts.failures + counts.excluded == 0U);
    BOOST_TEST(b.change().empty());
    b.breaker.enable();
    b.fail();
    BOOST_TEST(b.state() == "open");
}

BOOST_AUTO_TEST_CASE(BRK_16_three_changes_of_a_round_and_none_for_what_is_so_already) {
    bench b;
    b.fail(5);
    BOOST_TEST(b.change() == "closed -> open");
    b.breaker.trip(b.now);
    BOOST_TEST(b.change().empty());
    BOOST_TEST((b.breaker.retry_after(b.now) == 10s));
    b.now += 10s;
    BOOST_TEST(b.change().empty()); // time alone changes nothing
    const auto probe = b.breaker.admit(b.now);
    const auto change = b.breaker.take_change();
    BOOST_REQUIRE(change.has_value());
    BOOST_TEST(change->name == "mail");
    BOOST_TEST(name_of(change->from) == "open");
    BOOST_TEST(name_of(change->to) == "half_open");
    b.breaker.success(*probe, b.now);
    BOOST_TEST(b.change() == "half_open -> closed");
    BOOST_TEST(b.change().empty());
}

BOOST_AUTO_TEST_CASE(BRK_17_transitions_by_hand_are_refused_where_they_make_no_sense) {
    bench b;
    const auto refused = [&](auto change) {
        const std::string before(b.state());
        const auto t = thrown_by([&] { change(b.breaker); });
        return t.code == errc::illegal_transition && b.state() == before;
    };
    const auto half_open = [](circuit_breaker& x) { x.half_open(); };
    const auto trip = [&](circuit_breaker& x) { x.trip(b.now); };
    BOOST_TEST(refused(half_open));
    BOOST_TEST(b.change().empty());
    b.breaker.force_open(b.now);
    BOOST_TEST(refused(half_open));
    BOOST_TEST(refused(trip));
    b.breaker.disable();
    BOOST_TEST(refused(half_open));
    BOOST_TEST(refused(trip));

    b.breaker.enable();
    b.breaker.trip(b.now);
    BOOST_TEST(b.state() == "open");
    b.breaker.half_open();
    BOOST_TEST(b.state() == "half_open");
    BOOST_TEST(b.succeed());
    BOOST_TEST(b.state() == "closed");
}

BOOST_AUTO_TEST_CASE(BRK_18_options_are_checked_and_name_the_field) {
    const auto refused = [](auto change) {
        breaker_options o;
        change(o);
        const auto t = thrown_by([&] { const circuit_breaker b(o); });
        return (t.code == errc::invalid_option) ? t.text : "accepted";
    };
    const auto names = [](const std::string& text, const char* field) {
        return text.find(field) != std::string::npos;
    };
    BOOST_TEST(names(refused([](auto& o) { o.threshold = 0; }), "threshold"));
    BOOST_TEST(names(refused([](auto& o) { o.window = 0s; }), "window"));
    BOOST_TEST(names(refused([](auto& o) { o.window = -1s; }), "window"));
    BOOST_TEST(names(refused([](auto& o) { o.open_for = -1ns; }), "open_for"));
    BOOST_TEST(names(refused([](auto& o) { o.permits = 0; }), "permits"));
    BOOST_TEST(names(refused([](auto& o) { o.successes = 0; }), "successes"));
    BOOST_TEST(names(refused([](auto& o) { o.open_factor = 0.9; }), "open_factor"));
    BOOST_TEST(names(refused([](auto& o) { o.open_max = -1s; }), "open_max"));
    BOOST_TEST(names(refused([](auto& o) { o.probe_timeout = -1s; }), "probe_timeout"));
}

BOOST_AUTO_TEST_CASE(BRK_18_open_for_nothing_probes_at_the_next_call) {
    breaker_options o = with(1);
    o.open_for = 0s;
    bench b(o);
    b.fail();
    BOOST_TEST(b.admits());
    BOOST_TEST(!b.admits());
}

BOOST_AUTO_TEST_CASE(BRK_18_open_for_ever_does_not_overflow) {
    breaker_options o = with(1);
    o.open_for = duration::max();
    bench b(o);
    b.fail();
    b.now += 24h * 36500;
    BOOST_TEST(b.state() == "open");
    BOOST_TEST(!b.admits());
    BOOST_TEST((b.breaker.retry_after(b.now) > 0s));
}

BOOST_AUTO_TEST_CASE(BRK_18_growth_does_not_overflow_either) {
    breaker_options o = with(1);
    o.open_factor = 1e300;
    o.open_max = duration::max();
    bench b(o);
    b.fail();
    b.now += 10s;
    b.fail();
    b.breaker.half_open();
    b.fail();
    BOOST_TEST((b.breaker.retry_after(b.now) > 24h * 36500));
}

BOOST_AUTO_TEST_CASE(BRK_24_stays_open_longer_every_time_and_starts_afresh_after_a_close) {
    breaker_options o = with(1);
    o.open_for = 5s;
    o.open_factor = 1.5;
    o.open_max = 20s;
    bench b(o);
    b.fail();
    b.now += 5s;
    b.fail();
    b.now += 6s;
    BOOST_TEST(b.state() == "open");
    b.now += 5s; // 11 s
    BOOST_TEST(b.state() == "half_open");
    for (int round = 0; round < 2; ++round) {
        for (const duration expected : {duration(5s), duration(7500ms), duration(11250ms),
                                        duration(16875ms), duration(20s)}) {
            if (round == 0 && expected <= 7500ms)
                continue; // above
            b.fail();
            BOOST_TEST((b.breaker.retry_after(b.now) == expected));
            b.now += expected;
        }
        BOOST_TEST(b.succeed());
        BOOST_TEST(b.state() == "closed");
    }
}

BOOST_AUTO_TEST_CASE(probe_that_is_never_answered_loses_its_place) {
    breaker_options o = with(1);
    o.probe_timeout = 5s;
    bench b(o);
    b.fail();
    b.now += 10s;
    const auto lost = b.breaker.admit(b.now);
    b.now += 5s - 1ns;
    BOOST_TEST(!b.admits());
    b.now += 1ns;
    BOOST_TEST(b.breaker.capacity(3, b.now) == 1U);
    b.breaker.success(*lost, b.now); // too late, even if nobody has its place yet
    BOOST_TEST(b.state() == "half_open");
    const auto second = b.breaker.admit(b.now);
    BOOST_REQUIRE(second.has_value());
    b.breaker.failure(*lost, b.now);
    b.breaker.exclude(*lost);
    BOOST_TEST(!b.admits()); // the second one still has the only place
    b.breaker.success(*second, b.now);
    BOOST_TEST(b.state() == "closed");
}

BOOST_AUTO_TEST_CASE(probe_that_is_expected_to_take_longer_keeps_its_place) {
    breaker_options o = with(1);
    o.probe_timeout = 5s;
    bench b(o);
    b.fail();
    b.now += 10s;
    const auto slow = b.breaker.admit(b.now, 1h);
    b.now += 59min;
    BOOST_TEST(!b.admits());
    b.breaker.success(*slow, b.now);
    BOOST_TEST(b.state() == "closed");
}

BOOST_AUTO_TEST_CASE(judge_says_what_an_error_means) {
    const auto error = std::make_exception_ptr(std::runtime_error("no"));
    BOOST_TEST((verdict_of(error, nullptr) == breaker_verdict::failure));
    const breaker_judge lenient = [](const auto&) { return breaker_verdict::excluded; };
    BOOST_TEST((verdict_of(error, lenient) == breaker_verdict::excluded));
    const breaker_judge broken = [](const auto&) -> breaker_verdict { throw 1; };
    BOOST_TEST((verdict_of(error, broken) == breaker_verdict::failure));
}

BOOST_AUTO_TEST_CASE(breaker_is_small) { BOOST_TEST(sizeof(circuit_breaker) <= 320U); }

BOOST_AUTO_TEST_CASE(cancelled_probe_gives_its_permit_back) {
    bench b(with(1));
    b.fail();
    b.now += 10s;
    const auto probe = b.breaker.admit(b.now);
    BOOST_TEST(!b.admits());
    b.breaker.exclude(*probe);
    BOOST_TEST(b.state() == "half_open");
    BOOST_TEST(b.breaker.counts().successes == 0U);
    BOOST_TEST(b.succeed());
    BOOST_TEST(b.state() == "closed");
}

BOOST_AUTO_TEST_CASE(result_of_a_call_admitted_before_a_change_alters_nothing) {
    bench b(with(2));
    const auto early = b.breaker.admit(b.now);
    const auto other = b.breaker.admit(b.now);
    b.fail(2);
    b.now += 10s;
    const auto probe = b.breaker.admit(b.now);
    b.breaker.success(*early, b.now); // not the probe's
    BOOST_TEST(b.state() == "half_open");
    b.breaker.failure(*other, b.now);
    BOOST_TEST(b.state() == "half_open");
    b.breaker.exclude(*early);
    BOOST_TEST(!b.admits()); // the probe still has the only permit
    b.breaker.success(*probe, b.now);
    BOOST_TEST(b.state() == "closed");
    b.breaker.failure(*early, b.now);
    b.fail();
    BOOST_TEST(b.state() == "closed"); // one failure of this generation
}

BOOST_AUTO_TEST_SUITE_END()
