#include "support/errors.hpp"
#include <lifeguard/backoff.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>
#include <random>

using namespace lifeguard;
using namespace std::chrono_literals;

namespace {

// A random schedule that `validate` accepts.
backoff random_backoff(std::mt19937& random) {
    const auto up_to = [&](duration most) {
        return duration(std::uniform_int_distribution<duration::rep>(0, most.count())(random));
    };
    backoff b;
    b.cap = up_to(std::chrono::hours(24 * 36500)) + 1ns;
    b.offset = random() % 3 == 0 ? 0ns : up_to(std::min<duration>(b.cap, 1h));
    b.base = random() % 5 == 0 ? 0ns : up_to(10min);
    b.factor = std::uniform_real_distribution<>(1, 10)(random);
    b.jitter = std::uniform_real_distribution<>(0, 1)(random);
    b.validate();
    return b;
}

backoff plain(duration base, duration cap) {
    backoff b;
    b.offset = 0s;
    b.base = base;
    b.cap = cap;
    b.jitter = 0;
    return b;
}

template <typename F>
void for_random_schedules(F f) {
    const auto seed = std::random_device()();
    BOOST_TEST_MESSAGE("seed " << seed);
    BOOST_TEST_CONTEXT("seed " << seed) {
        std::mt19937 random(seed);
        for (int i = 0; i < 2000; ++i)
            f(random_backoff(random), random);
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(backoffs)

BOOST_AUTO_TEST_CASE(Q_29_default_is_15_s_and_powers_of_two) {
    const backoff b;
    b.validate();
    duration power = 1s;
    for (unsigned n = 0; n <= 16; ++n, power *= 2)
        BOOST_TEST((b.delay(n, 0.5) == 15s + power), "attempt " << n);
    BOOST_TEST((b.delay(17, 0.5) == 24h));
    BOOST_TEST((b.delay(1000000, 0.5) == 24h));
    BOOST_TEST((b.delay(1, 0) == 15300ms));
    BOOST_TEST((b.delay(1, 1) == 18700ms));
}

BOOST_AUTO_TEST_CASE(Q_29_without_an_offset_is_base_times_powers_of_two) {
    const backoff b = plain(3s, std::chrono::hours(24 * 3650));
    duration expected = 3s;
    for (unsigned n = 1; n <= 20; ++n, expected *= 2)
        BOOST_TEST((b.delay(n, 0.7) == expected), "attempt " << n);
}

BOOST_AUTO_TEST_CASE(Q_29_grows_strictly_until_the_cap) {
    for_random_schedules([](backoff b, std::mt19937& random) {
        b.jitter = 0;
        b.factor = std::max(b.factor, 1.01);
        b.base = std::max<duration>(b.base, 1us);
        const double anything = std::uniform_real_distribution<>(0, 1)(random);
        duration last = -1ns;
        for (unsigned n = 0; n <= 20; ++n) {
            const duration d = b.delay(n, anything);
            BOOST_TEST_REQUIRE(((d > last || d == b.cap) && d <= b.cap), "attempt " << n);
            last = d;
        }
    });
}

BOOST_AUTO_TEST_CASE(Q_29_never_negative_nor_above_the_cap) {
    for_random_schedules([](const backoff& b, std::mt19937& random) {
        for (const double at : {0.0, 1.0, std::uniform_real_distribution<>(0, 1)(random)})
            for (const unsigned n :
                 {0U, 1U, 20U, 1023U, 1024U, 1025U, 1000000U, std::numeric_limits<unsigned>::max(),
                  static_cast<unsigned>(random() % 1000000)}) {
                const duration d = b.delay(n, at);
                BOOST_TEST_REQUIRE((d >= 0ns && d <= b.cap), "attempt " << n);
            }
    });
}

BOOST_AUTO_TEST_CASE(Q_29_jitter_stays_within_its_bounds_and_fills_them) {
    for_random_schedules([](backoff b, std::mt19937& random) {
        b.jitter = 0.1;
        const auto n = static_cast<unsigned>(random() % 30);
        backoff middle = b;
        middle.jitter = 0;
        const auto expected = static_cast<double>(middle.delay(n, 0.5).count());
        const auto at = [&](double where) {
            return static_cast<double>(b.delay(n, where).count());
        };
        const double most = std::min(expected * 1.1, static_cast<double>(b.cap.count()));
        // A nanosecond for rounding, and what a double cannot tell apart.
        const double slack = 1 + expected * 1e-15;
        for (int i = 0; i < 10; ++i) {
            const double d = at(std::uniform_real_distribution<>(0, 1)(random));
            BOOST_TEST_REQUIRE((d >= expected * 0.9 - slack && d <= most + slack));
        }
        BOOST_TEST_REQUIRE(std::abs(at(0) - expected * 0.9) <= slack);
        BOOST_TEST_REQUIRE(std::abs(at(1) - most) <= slack);
    });
}

BOOST_AUTO_TEST_CASE(Q_29_zero_attempts_are_legal) {
    BOOST_TEST((plain(2s, 1h).delay(0, 0.5) == 1s));
    BOOST_TEST((backoff().delay(0, 0.5) == 16s));
    backoff none = plain(0s, 1h);
    for (const unsigned n : {0U, 1U, 1000000U})
        BOOST_TEST((none.delay(n, 1) == 0s));
    none.offset = 5s;
    BOOST_TEST((none.delay(1000000, 0.5) == 5s));
}

BOOST_AUTO_TEST_CASE(random_numbers_out_of_range_do_no_harm) {
    const backoff b;
    BOOST_TEST((b.delay(1, -5) == b.delay(1, 0)));
    BOOST_TEST((b.delay(1, 5) == b.delay(1, 1)));
    const duration d = b.delay(1, std::numeric_limits<double>::quiet_NaN());
    BOOST_TEST((d >= 0s && d <= b.cap));
}

BOOST_AUTO_TEST_CASE(wrong_fields_are_named) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto refuses = [](const std::string& field, auto change) {
        backoff b;
        change(b);
        const auto thrown = test::thrown_by([&] { b.validate(); });
        BOOST_TEST(thrown.code == errc::invalid_option, field);
        BOOST_TEST(thrown.text.find("backoff::" + field + " ") == 0u, thrown.text);
    };
    refuses("offset", [](backoff& b) { b.offset = -1ns; });
    refuses("offset", [](backoff& b) { b.offset = 25h; });
    refuses("base", [](backoff& b) { b.base = -1ns; });
    refuses("factor", [](backoff& b) { b.factor = 0.99; });
    refuses("factor", [&](backoff& b) { b.factor = nan; });
    refuses("factor", [](backoff& b) { b.factor = std::numeric_limits<double>::infinity(); });
    refuses("cap", [](backoff& b) { b.cap = 0s; });
    refuses("cap", [](backoff& b) { b.cap = duration::max(); });
    refuses("jitter", [](backoff& b) { b.jitter = -0.1; });
    refuses("jitter", [](backoff& b) { b.jitter = 1.1; });
    refuses("jitter", [&](backoff& b) { b.jitter = nan; });
}

BOOST_AUTO_TEST_SUITE_END()
