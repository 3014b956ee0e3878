// How the engine does, once a second, and how it did.
#include "http/percentile.hpp"
#include "http/sample_history.hpp"
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
namespace web = lifeguard::detail::web;

BOOST_AUTO_TEST_SUITE(http_samples)

namespace {

json samples(http_rig& rig, const std::string& query = "") {
    return rig.get("/v1/history" + query).value().at("samples");
}

web::event_hub::published sample_of(std::string text) {
    web::event_hub::published p;
    p.length = text.size();
    p.text = std::make_shared<const std::string>(std::move(text));
    return p;
}

} // namespace

LIFEGUARD_TEST(a_sample_shows_queues_pools_and_totals) {
    http_rig rig(ctx);
    rig.app.handle("good", [](job_context&) -> asio::awaitable<json> { co_return 1; });
    rig.app.handle("bad", [](job_context&) -> asio::awaitable<json> {
        throw std::runtime_error("no");
        co_return 1;
    });
    rig.start_samples();
    const json begin = samples(rig);
    BOOST_REQUIRE(begin.size() == 1u);
    BOOST_TEST(begin[0].at("pools").at("default").at("wait_ms").at("p50").is_null());
    BOOST_TEST(begin[0].at("store").is_null());

    for (int i = 0; i < 3; ++i)
        rig.post("/v1/jobs", {{"kind", "good"}});
    rig.post("/v1/jobs", {{"kind", "bad"}, {"max_attempts", 1}});
    rig.post("/v1/jobs", {{"kind", "nobody's"}, {"queue", "o\"dd"}});
    rig.ask("POST", "/v1/queues/o%22dd/pause");
    ctx.advance(1s);
    const json all = samples(rig);
    BOOST_REQUIRE(all.size() == 2u);
    const json& now = all[1];
    BOOST_TEST(now.at("at").get<std::int64_t>() == begin[0].at("at").get<std::int64_t>() + 1000);
    BOOST_TEST(now.at("totals").at("pushed") == 5);
    BOOST_TEST(now.at("totals").at("completed") == 3);
    BOOST_TEST(now.at("totals").at("discarded") == 1);
    BOOST_TEST(now.at("totals").at("failed_attempts") == 1);
    const json& odd = now.at("queues").at("o\"dd");
    BOOST_TEST(odd.at("available") == 1);
    BOOST_TEST(odd.at("paused") == true);
    BOOST_TEST(odd.at("oldest_ms") == 1000);
    BOOST_TEST(now.at("queues").at("default").at("completed") == 3);
    BOOST_TEST(now.at("queues").at("default").at("oldest_ms").is_null());
    const json& pool = now.at("pools").at("default");
    BOOST_TEST(pool.at("workers") == 10);
    BOOST_TEST(pool.at("idle") == 10);
    BOOST_TEST(pool.at("done") == 3);
    BOOST_TEST(pool.at("failed") == 1);
    BOOST_TEST(pool.at("run_ms").at("p99").is_number());
    BOOST_TEST(now.at("loop_lag_ms") == 0);
    BOOST_TEST(now.at("process").at("rss_bytes") > 0);
    ctx.advance(1s);
    const json later = samples(rig).back();
    BOOST_TEST(later.at("pools").at("default").at("run_ms").at("p99").is_null()); // none since
}

LIFEGUARD_TEST(history_and_stream_leave_no_gap) {
    http_rig rig(ctx);
    rig.start_samples();
    ctx.advance(3s);
    const json history = rig.get("/v1/history").value();
    BOOST_TEST(history.at("samples").size() == 4u);
    ctx.advance(2s);
    client c = rig.connect();
    c.send(http_rig::request("GET", "/v1/events?topics=sample&after=" +
                                        history.at("last_event").get<std::string>()));
    ctx.settle();
    const std::string text = c.text();
    const auto data = [&](std::size_t from) {
        const std::size_t at = text.find("data: ", from);
        return json::parse(text.substr(at + 6, text.find('\n', at) - at - 6));
    };
    const std::size_t first = text.find("event: sample");
    BOOST_REQUIRE(first != std::string::npos);
    BOOST_TEST(data(first).at("at").get<std::int64_t>() ==
               history.at("samples").back().at("at").get<std::int64_t>() + 1000);
    const std::size_t second = text.find("event: sample", first + 1);
    BOOST_REQUIRE(second != std::string::npos);
    BOOST_TEST(text.find("event: sample", second + 1) == std::string::npos);
}

LIFEGUARD_TEST(an_hour_is_kept_the_last_minutes_by_the_second, *boost::unit_test::label("scale")) {
    http_rig rig(ctx);
    rig.start_samples();
    ctx.advance(90min);
    const auto kept = [&](std::uint64_t seconds) {
        return json::parse(rig.watch().samples->history(seconds));
    };
    const json all = kept(3600);
    BOOST_TEST(all.size() == 300u + 330u);
    for (std::size_t i = 1; i < all.size(); ++i) {
        const auto step =
            all[i].at("at").get<std::int64_t>() - all[i - 1].at("at").get<std::int64_t>();
        BOOST_TEST(step > 0);
        BOOST_TEST(step <= 10'000);
    }
    BOOST_TEST(all.back().at("at").get<std::int64_t>() -
                   all[all.size() - 300].at("at").get<std::int64_t>() ==
               299'000);
    BOOST_TEST(samples(rig, "?seconds=10").size() == 11u);
    BOOST_TEST(rig.get("/v1/history?seconds=3601").status == 422u);
}

LIFEGUARD_TEST(a_sample_lists_the_fullest_of_very_many_queues) {
    http_rig rig(ctx);
    for (int i = 0; i < 150; ++i)
        rig.ask("POST", "/v1/queues/q" + std::to_string(i) + "/pause");
    rig.post("/v1/jobs", {{"kind", "a"}, {"queue", "q149"}});
    rig.start_samples();
    const json now = samples(rig).back();
    BOOST_TEST(now.at("queues").size() == 100u);
    BOOST_TEST(now.at("queues").contains("q149"));
    BOOST_TEST(now.at("queues_omitted").get<int>() >= 50);
}

BOOST_AUTO_TEST_CASE(what_is_kept_has_a_bound_in_bytes) {
    web::sample_history h;
    const std::string big(1U << 20U, '1');
    for (std::int64_t i = 0; i < 100; ++i) {
        h.add(i * 1000, sample_of(big));
        h.add_coarse(i * 1000, big);
        BOOST_TEST(h.bytes() <= web::sample_history::bytes_max);
    }
    BOOST_TEST(h.bytes() > web::sample_history::bytes_max / 2);
    BOOST_TEST(h.since(99'000).size() == big.size() + 2);
}

BOOST_AUTO_TEST_CASE(percentiles_lie_within_their_range) {
    const std::vector<double> bounds = {1, 2, 4};
    BOOST_TEST(!web::percentile(bounds, {0, 0, 0, 0}, 0.5).has_value());
    BOOST_TEST(*web::percentile(bounds, {10, 0, 0, 0}, 0.5) == 0.5);
    BOOST_TEST(*web::percentile(bounds, {5, 0, 5, 0}, 0.99) == 3.96);
    BOOST_TEST(*web::percentile(bounds, {0, 0, 0, 3}, 0.5) == 4);
}

BOOST_AUTO_TEST_SUITE_END()
