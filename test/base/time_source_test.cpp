#include "support/test_context.hpp"
#include <lifeguard/manual_time_source.hpp>

#include <boost/asio/executor_work_guard.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace lifeguard;
using namespace std::chrono_literals;

namespace {

/// Alarms that write their names down.
struct alarms {
    explicit alarms(test::test_context& c) : ctx(c) {}

    std::unique_ptr<lifeguard::alarm> make(const std::string& name) {
        return ctx.time->make_alarm(strand, [this, name] { rang += name; });
    }

    test::test_context& ctx;
    asio::any_io_executor strand = asio::make_strand(ctx.io); // keeps the order with two threads
    std::string rang;
};

} // namespace

BOOST_AUTO_TEST_SUITE(manual_time)

LIFEGUARD_TEST(stands_still_until_it_is_moved) {
    const time_point before = ctx.time->now();
    const wall_time wall = ctx.time->wall_now();
    ctx.settle();
    BOOST_TEST((ctx.time->now() == before));
    ctx.time->advance(3s);
    BOOST_TEST((ctx.time->now() - before == 3s));
    BOOST_TEST((ctx.time->wall_now() - wall == 3s));
    ctx.time->advance_to(before);
    BOOST_TEST((ctx.time->now() - before == 3s)); // never back
}

LIFEGUARD_TEST(alarms_ring_in_order_of_time_and_of_setting) {
    alarms bell(ctx);
    const auto now = ctx.time->now();
    const auto c = bell.make("c"), a = bell.make("a"), d = bell.make("d"), b = bell.make("b");
    d->set(now + 3s);
    c->set(now + 2s);
    a->set(now + 1s);
    b->set(now + 1s);
    BOOST_TEST(ctx.time->alarms() == 4u);
    BOOST_TEST((ctx.time->next_alarm() == now + 1s));
    ctx.time->advance(2s);
    BOOST_TEST(bell.rang == "");
    ctx.settle();
    BOOST_TEST(bell.rang == "abc");
    BOOST_TEST((ctx.time->next_alarm() == now + 3s));
    ctx.advance(1s);
    BOOST_TEST(bell.rang == "abcd");
    BOOST_TEST(!ctx.time->next_alarm().has_value());
}

LIFEGUARD_TEST(many_alarms_at_one_moment_ring_in_the_order_of_setting) {
    alarms bell(ctx);
    const auto at = ctx.time->now() + 1s;
    std::vector<std::unique_ptr<lifeguard::alarm>> all;
    std::string expected;
    for (char c = 'a'; c <= 'z'; ++c) {
        all.push_back(bell.make({c}));
        expected.insert(expected.begin(), c);
    }
    for (auto it = all.rbegin(); it != all.rend(); ++it)
        (*it)->set(at);
    ctx.advance(1s);
    BOOST_TEST(bell.rang == expected);
}

LIFEGUARD_TEST(an_alarm_set_in_the_past_rings_at_once) {
    alarms bell(ctx);
    const auto a = bell.make("a"), b = bell.make("b");
    a->set(ctx.time->now());
    b->set(ctx.time->now() - 1h);
    BOOST_TEST(ctx.time->alarms() == 0u);
    ctx.settle();
    BOOST_TEST(bell.rang == "ab");
}

LIFEGUARD_TEST(setting_again_replaces_and_clearing_silences) {
    alarms bell(ctx);
    const auto a = bell.make("a"), b = bell.make("b");
    a->set(ctx.time->now() + 1s);
    a->set(ctx.time->now() + 5s);
    b->set(ctx.time->now() + 1s);
    b->clear();
    BOOST_TEST(ctx.time->alarms() == 1u);
    ctx.advance(4s);
    BOOST_TEST(bell.rang == "");
    a->set(ctx.time->now() + 500ms);
    ctx.advance(10s);
    BOOST_TEST(bell.rang == "a");
}

LIFEGUARD_TEST(a_destroyed_alarm_does_not_ring) {
    alarms bell(ctx);
    auto a = bell.make("a");
    a->set(ctx.time->now() + 1s);
    a.reset();
    BOOST_TEST(ctx.time->alarms() == 0u);
    ctx.advance(2s);
    BOOST_TEST(bell.rang == "");
}

LIFEGUARD_TEST(the_wall_clock_moves_alone_when_it_is_set) {
    alarms bell(ctx);
    const auto a = bell.make("a");
    a->set(ctx.time->now() + 10s);
    const auto before = ctx.time->now();
    const wall_time then = ctx.time->wall_now() - std::chrono::hours(24);
    ctx.time->set_wall(then);
    BOOST_TEST((ctx.time->wall_now() == then));
    BOOST_TEST((ctx.time->now() == before));
    ctx.advance(10s);
    BOOST_TEST((ctx.time->wall_now() == then + 10s));
    BOOST_TEST(bell.rang == "a");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(real_time)

BOOST_AUTO_TEST_CASE(clocks_are_the_machines) {
    const auto time = real_time_source();
    const auto before = std::chrono::steady_clock::now();
    const auto seen = time->now();
    BOOST_TEST((before <= seen && seen <= std::chrono::steady_clock::now()));
    const auto wall_before = std::chrono::system_clock::now();
    const auto wall = time->wall_now();
    BOOST_TEST((wall_before <= wall && wall <= std::chrono::system_clock::now()));
}

BOOST_AUTO_TEST_CASE(an_alarm_rings_when_its_time_has_come) {
    asio::io_context io;
    const auto time = real_time_source();
    std::vector<time_point> rang;
    const auto alarm = time->make_alarm(io.get_executor(), [&] { rang.push_back(time->now()); });
    const auto at = time->now() + 20ms;
    alarm->set(at - 15ms);
    alarm->set(at);
    io.run();
    BOOST_TEST_REQUIRE(rang.size() == 1u);
    BOOST_TEST((rang[0] >= at));

    io.restart();
    alarm->set(time->now() - 1h);
    io.run();
    BOOST_TEST(rang.size() == 2u);

    io.restart();
    alarm->set(time_point::max());
    alarm->clear();
    io.run(); // returns: nothing is left to wait for
    BOOST_TEST(rang.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
