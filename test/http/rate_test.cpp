// How many requests a connection may send.
#include "http/rate_limit.hpp"
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_rate)

BOOST_AUTO_TEST_CASE(so_many_at_once_and_so_many_a_second) {
    detail::web::rate_limit rate(2, 3);
    time_point now{};
    for (int i = 0; i < 3; ++i)
        BOOST_TEST((rate.take(now) == duration::zero()));
    BOOST_TEST((rate.take(now) == 500ms));
    now += 499ms;
    BOOST_TEST((rate.take(now) > duration::zero()));
    now += 2ms;
    BOOST_TEST((rate.take(now) == duration::zero()));
    BOOST_TEST((rate.take(now) > duration::zero()));
    now += 1h; // no more than the burst is saved up
    for (int i = 0; i < 3; ++i)
        BOOST_TEST((rate.take(now) == duration::zero()));
    BOOST_TEST((rate.take(now) > duration::zero()));
}

BOOST_AUTO_TEST_CASE(no_limit) {
    detail::web::rate_limit rate(0, 1);
    for (int i = 0; i < 1000; ++i)
        BOOST_TEST((rate.take(time_point{}) == duration::zero()));
}

LIFEGUARD_TEST(too_many_requests_are_told_when_to_come_back) {
    http_options o;
    o.rate = 0.5;
    o.burst = 2;
    http_rig rig(ctx, o);
    client c = rig.connect();
    const auto ask = [&] {
        c.send(http_rig::request("GET", "/healthz"));
        ctx.settle();
        return c.receive().at(0);
    };
    BOOST_TEST(ask().status == 200u);
    BOOST_TEST(ask().status == 200u);
    const reply no = ask();
    BOOST_TEST(no.status == 429u);
    BOOST_TEST(no.fields.at("retry-after") == "2");
    BOOST_TEST(no.code() == "too_many_requests");
    BOOST_TEST(rig.get("/healthz").status == 200u); // another connection
    ctx.advance(2s);
    BOOST_TEST(ask().status == 200u);
    BOOST_TEST(ask().status == 429u);
    // Nothing of a refused request has happened.
    c.send(http_rig::request("POST", "/v1/jobs", R"({"kind":"a"})"));
    ctx.settle();
    BOOST_TEST(c.receive().at(0).status == 429u);
    BOOST_TEST(rig.get("/v1/jobs").value().at("jobs").empty());
}

BOOST_AUTO_TEST_SUITE_END()
