// OTP's restart intensity, by example and against a list that remembers everything.
#include "supervision/restart_intensity.hpp"
#include "support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <climits>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using lifeguard::detail::restart_intensity;
using lifeguard::duration;
using lifeguard::time_point;

BOOST_AUTO_TEST_SUITE(intensity)

namespace {

time_point at(duration since_start) { return time_point(1h) + since_start; }

/// Rule M-07, word by word.
class naive_intensity {
  public:
    naive_intensity(unsigned intensity, duration period) : intensity_(intensity), period_(period) {}

    bool charge(time_point now) {
        std::erase_if(restarts_, [&](time_point t) { return now - t > period_; });
        restarts_.push_back(now);
        if (restarts_.size() <= intensity_)
            return true;
        restarts_.pop_back(); // refused: it did not happen
        return false;
    }

  private:
    unsigned intensity_;
    duration period_;
    std::vector<time_point> restarts_;
};

} // namespace

BOOST_AUTO_TEST_CASE(allows_intensity_restarts_in_a_period) {
    restart_intensity limit(2, 10s);
    BOOST_TEST(limit.charge(at(0s)));
    BOOST_TEST(limit.charge(at(1s)));
    BOOST_TEST(!limit.charge(at(2s)));
}

BOOST_AUTO_TEST_CASE(restart_exactly_a_period_old_still_counts) {
    restart_intensity limit(1, 10s);
    BOOST_TEST(limit.charge(at(0s)));
    BOOST_TEST(!limit.charge(at(10s)));
    restart_intensity later(1, 10s);
    BOOST_TEST(later.charge(at(0s)));
    BOOST_TEST(later.charge(at(10s + 1ns)));
}

BOOST_AUTO_TEST_CASE(intensity_zero_allows_none) {
    restart_intensity limit(0, 10s);
    BOOST_TEST(!limit.charge(at(0s)));
    BOOST_TEST(limit.remembered() == 0U);
}

BOOST_AUTO_TEST_CASE(huge_intensity_remembers_only_what_is_young) {
    restart_intensity limit(INT_MAX, 1s);
    BOOST_TEST(limit.remembered() == 0U);
    for (int i = 0; i < 100'000; ++i)
        BOOST_REQUIRE(limit.charge(at(i * 100ms)));
    BOOST_TEST(limit.remembered() <= 12U);
}

BOOST_AUTO_TEST_CASE(agrees_with_a_list_on_random_times) {
    const unsigned seed = lifeguard::test::first_seed();
    BOOST_TEST_CONTEXT("seed " << seed) {
        std::mt19937 random(seed);
        const auto up_to = [&](int n) { return std::uniform_int_distribution<int>(0, n)(random); };
        for (int run = 0; run < 300; ++run) {
            const auto intensity = static_cast<unsigned>(up_to(9));
            const duration period = std::chrono::milliseconds(1 + up_to(20));
            restart_intensity limit(intensity, period);
            naive_intensity model(intensity, period);
            time_point now = at(0s);
            for (int i = 0; i < 200; ++i) {
                // Bursts, pauses, and ages of exactly a period.
                const int step = up_to(9);
                now += step < 5   ? duration::zero()
                       : step < 8 ? duration(std::chrono::milliseconds(up_to(5)))
                       : step < 9 ? period
                                  : 2 * period + 1ns;
                BOOST_REQUIRE_EQUAL(limit.charge(now), model.charge(now));
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
