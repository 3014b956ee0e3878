// The circuit breaker against a model that is told in the plainest way: it remembers every failure.
#include "support/seed.hpp"
#include <lifeguard/circuit_breaker.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using namespace lifeguard;

namespace {

struct model {
    breaker_options options;
    breaker_state state = breaker_state::closed;
    time_point open_until;
    std::vector<time_point> failures;
    std::map<int, time_point> probes; // by call: until when it has its place
    unsigned successes = 0, openings = 0;
    int generation = 0;

    void enter(breaker_state next) {
        state = next;
        ++generation;
        successes = 0;
        failures.clear();
        probes.clear();
        openings = next == breaker_state::closed ? 0 : openings;
    }
    void open(time_point now) {
        const double grown = static_cast<double>(options.open_for.count()) *
                             std::pow(options.open_factor, static_cast<double>(openings++));
        open_until =
            now +
            duration(std::llround(std::min(grown, static_cast<double>(options.open_max.count()))));
        enter(breaker_state::open);
    }
    bool admit(int call, time_point now) {
        if (state == breaker_state::open && now >= open_until)
            enter(breaker_state::half_open);
        if (state == breaker_state::half_open) {
            std::erase_if(probes, [&](const auto& p) { return p.second <= now; });
            if (probes.size() == options.permits)
                return false;
            probes[call] = now + options.probe_timeout;
        }
        return state != breaker_state::open && state != breaker_state::forced_open;
    }
    void answer(int call, int admitted, breaker_verdict what, time_point now) {
        if (admitted != generation || state == breaker_state::disabled)
            return;
        const bool probing = state == breaker_state::half_open;
        const bool late = probing && (!probes.contains(call) || probes[call] <= now);
        probes.erase(call);
        if (late || what == breaker_verdict::excluded)
            return;
        if (what == breaker_verdict::success) {
            if (probing && ++successes == options.successes)
                enter(breaker_state::closed);
            return;
        }
        failures.push_back(now);
        const auto recent = std::ranges::count_if(
            failures, [&](time_point t) { return now - t <= options.window; });
        if (probing || recent >= static_cast<std::ptrdiff_t>(options.threshold))
            open(now);
    }
};

/// One breaker and its model, through the same random life.
struct random_life {
    explicit random_life(unsigned seed) : random(seed) {
        breaker_options o;
        o.threshold = 1 + up_to(4);
        o.window = (1 + up_to(9)) * 1s;
        o.open_for = up_to(7) * 1s;
        o.open_factor = 1 + 0.5 * up_to(2);
        o.open_max = 30s;
        o.permits = 1 + up_to(2);
        o.successes = 1 + up_to(2);
        o.probe_timeout = (1 + up_to(5)) * 1s;
        real = circuit_breaker(o);
        naive.options = o;
    }

    unsigned up_to(unsigned n) { return static_cast<unsigned>(random() % (n + 1)); }

    void begin() {
        const std::size_t free = real.capacity(100, now);
        const auto ticket = real.admit(now);
        const bool admitted = naive.admit(++calls, now);
        BOOST_REQUIRE(ticket.has_value() == admitted);
        BOOST_REQUIRE((free != 0) == admitted);
        if (ticket)
            running.push_back({*ticket, calls, naive.generation});
    }

    void end() {
        if (running.empty())
            return;
        const auto which = running.begin() + up_to(static_cast<unsigned>(running.size()) - 1);
        const call c = *which;
        running.erase(which);
        switch (up_to(3)) {
        case 0:
            real.success(c.ticket, now);
            return naive.answer(c.number, c.generation, breaker_verdict::success, now);
        case 1:
            real.exclude(c.ticket);
            // An exclusion looks at no clock: it only gives the place back.
            return naive.answer(c.number, c.generation, breaker_verdict::excluded, now);
        default:
            real.failure(c.ticket, now);
            return naive.answer(c.number, c.generation, breaker_verdict::failure, now);
        }
    }

    void by_hand() {
        switch (up_to(4)) {
        case 0:
            real.reset();
            return naive.enter(breaker_state::closed);
        case 1:
            real.force_open(now);
            if (naive.state != breaker_state::forced_open)
                naive.enter(breaker_state::forced_open);
            return;
        case 2:
            real.disable();
            if (naive.state != breaker_state::disabled)
                naive.enter(breaker_state::disabled);
            return;
        case 3:
            real.enable();
            if (naive.state == breaker_state::forced_open || naive.state == breaker_state::disabled)
                naive.enter(breaker_state::closed);
            return;
        default:
            if (naive.state == breaker_state::open) {
                real.half_open();
                naive.enter(breaker_state::half_open);
            }
        }
    }

    void step() {
        now += up_to(3) * 500ms;
        const unsigned what = up_to(99);
        if (what < 2)
            by_hand();
        else if (what < 50)
            begin();
        else
            end();
        const bool due = naive.state == breaker_state::open && now >= naive.open_until;
        BOOST_REQUIRE(real.state(now) == (due ? breaker_state::half_open : naive.state));
        ++seen[real.state(now)];
    }

    struct call {
        circuit_breaker::ticket ticket;
        int number;
        int generation;
    };
    std::mt19937 random;
    time_point now = time_point() + 1h;
    circuit_breaker real;
    model naive;
    std::vector<call> running;
    std::map<breaker_state, int> seen;
    int calls = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(breaker_model)

BOOST_AUTO_TEST_CASE(behaves_like_a_list_of_all_failures) {
    const unsigned seed = lifeguard::test::first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::map<breaker_state, int> seen;
    for (unsigned life = 0; life < 250; ++life)
        BOOST_TEST_CONTEXT("seed " << seed + life) {
            random_life r(seed + life);
            for (int step = 0; step < 400; ++step)
                r.step();
            for (const auto& [state, times] : r.seen)
                seen[state] += times;
        }
    // It was not closed, or open, all the time.
    for (const breaker_state s :
         {breaker_state::closed, breaker_state::open, breaker_state::half_open,
          breaker_state::forced_open, breaker_state::disabled})
        BOOST_TEST(seen[s] > 1000, name_of(s));
}

BOOST_AUTO_TEST_SUITE_END()
