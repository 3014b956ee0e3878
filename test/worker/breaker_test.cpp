// The circuit breaker alone: no pool, no clock.
#include "support/errors.hpp"
#include <lifeguard/circuit_breaker.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using namespace lifeguard;
using lifeguard::test::thrown_by;

namespace {

/// A breaker and the time it lives in.
struct bench {
    explicit bench(breaker_options options = breaker_options()) : breaker(options) {}

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
    bool fail() {
        const auto permit = breaker.admit(now);
        if (permit)
            breaker.failure(*permit, now);
        return permit.has_value();
    }
    void fail(int times) {
        for (int i = 0; i < times; ++i)
            fail();
    }
    std::string_view state() const { return name_of(breaker.state(now)); }
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
    BOOST_TEST(b.breaker.rejected_total() == 0U);
    BOOST_TEST(b.breaker.successes_total() == 0U);
    BOOST_TEST(b.breaker.failures_total() == 0U);
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
    BOOST_TEST(b.breaker.rejected_total() == 1U);
    BOOST_TEST(b.breaker.opened_total() == 1U);
    BOOST_TEST(b.breaker.failures_total() == 5U);
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

BOOST_AUTO_TEST_CASE(cancelled_probe_gives_its_permit_back) {
    bench b(with(1));
    b.fail();
    b.now += 10s;
    const auto probe = b.breaker.admit(b.now);
    BOOST_TEST(!b.admits());
    b.breaker.give_back(*probe);
    BOOST_TEST(b.state() == "half_open");
    BOOST_TEST(b.breaker.successes_total() == 0U);
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
    b.breaker.give_back(*early);
    BOOST_TEST(!b.admits()); // the probe still has the only permit
    b.breaker.success(*probe, b.now);
    BOOST_TEST(b.state() == "closed");
    b.breaker.failure(*early, b.now);
    b.fail();
    BOOST_TEST(b.state() == "closed"); // one failure of this generation
}

// --- against a model

namespace {

/// The rule, told in the plainest way: every failure is remembered.
struct model {
    explicit model(breaker_options o) : options(o) {}

    bool admit(time_point now) {
        if (state == breaker_state::open && now - opened_at >= options.open_for) {
            state = breaker_state::half_open;
            ++generation;
            probes = successes = 0;
        }
        if (state == breaker_state::open)
            return false;
        if (state == breaker_state::half_open)
            return probes < options.permits ? (++probes, true) : false;
        return true;
    }
    void success(int admitted) {
        if (admitted != generation || state != breaker_state::half_open)
            return;
        --probes;
        if (++successes == options.successes) {
            state = breaker_state::closed;
            ++generation;
            failures.clear();
        }
    }
    void failure(int admitted, time_point now) {
        if (admitted != generation)
            return;
        failures.push_back(now);
        const auto recent = std::ranges::count_if(
            failures, [&](time_point t) { return now - t <= options.window; });
        if (state == breaker_state::half_open ||
            recent >= static_cast<std::ptrdiff_t>(options.threshold)) {
            state = breaker_state::open;
            opened_at = now;
            ++generation;
        }
    }
    void give_back(int admitted) {
        if (admitted == generation && state == breaker_state::half_open)
            --probes;
    }

    breaker_options options;
    breaker_state state = breaker_state::closed;
    time_point opened_at;
    std::vector<time_point> failures;
    unsigned probes = 0, successes = 0;
    int generation = 0;
};

struct running_call {
    circuit_breaker::generation permit;
    int model_generation;
};

unsigned seed_of_this_run() {
    if (const char* given = std::getenv("LIFEGUARD_SEED"))
        return static_cast<unsigned>(std::strtoul(given, nullptr, 10));
    return std::random_device()();
}

} // namespace

BOOST_AUTO_TEST_CASE(behaves_like_a_list_of_all_failures) {
    const unsigned seed = seed_of_this_run();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::mt19937 random(seed);
    const auto upto = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    for (int round = 0; round < 300; ++round) {
        breaker_options o;
        o.threshold = 1 + upto(5);
        o.window = (1 + upto(10)) * 1s;
        o.open_for = upto(8) * 1s;
        o.permits = 1 + upto(3);
        o.successes = 1 + upto(3);
        circuit_breaker real(o);
        model naive(o);
        std::vector<running_call> calls;
        time_point now = time_point() + 1h;
        for (int step = 0; step < 300; ++step) {
            now += upto(4) * 500ms;
            if (calls.empty() || upto(2) == 0) {
                const std::size_t free = real.capacity(100, now);
                const auto permit = real.admit(now);
                const bool admitted = naive.admit(now);
                BOOST_REQUIRE_MESSAGE(permit.has_value() == admitted,
                                      "seed " << seed << ", round " << round << ", step " << step);
                BOOST_REQUIRE_MESSAGE((free != 0) == admitted, "capacity, seed " << seed);
                if (permit)
                    calls.push_back({*permit, naive.generation});
            } else {
                const auto which = calls.begin() + upto(static_cast<unsigned>(calls.size()));
                const running_call call = *which;
                calls.erase(which);
                switch (upto(3)) {
                case 0:
                    real.success(call.permit, now);
                    naive.success(call.model_generation);
                    break;
                case 1:
                    real.failure(call.permit, now);
                    naive.failure(call.model_generation, now);
                    break;
                default:
                    real.give_back(call.permit);
                    naive.give_back(call.model_generation);
                }
            }
            const bool due =
                naive.state == breaker_state::open && now - naive.opened_at >= o.open_for;
            BOOST_REQUIRE_MESSAGE(real.state(now) == (due ? breaker_state::half_open : naive.state),
                                  "seed " << seed << ", round " << round << ", step " << step);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
