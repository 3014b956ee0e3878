// What a resource pool tells Prometheus.
#include "pool/rig.hpp"
#include <lifeguard/metrics.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(resource_metrics)

LIFEGUARD_TEST(every_metric_follows_what_it_names) {
    const auto registry = std::make_shared<metrics_registry>();
    resource_pool_options options = pool_of(2, 0);
    options.metrics = registry;
    rig r(ctx, options);
    const auto value = [&](std::string_view name, metric_labels more = {}) {
        more.emplace_back("pool", "p");
        return registry->value(name, more).value_or(-1);
    };
    BOOST_TEST(value("lifeguard_resources", {{"state", "idle"}}) == 2);
    auto first = r.take();
    auto second = r.take();
    auto waits = r.ask({.timeout = 1s});
    BOOST_TEST(value("lifeguard_resources", {{"state", "idle"}}) == 0);
    BOOST_TEST(value("lifeguard_resources", {{"state", "leased"}}) == 2);
    BOOST_TEST(value("lifeguard_resource_waiters") == 1);
    BOOST_TEST(value("lifeguard_checkouts_total") == 2);
    ctx.advance(1s);
    BOOST_TEST((waits.error() == errc::timeout));
    BOOST_TEST(value("lifeguard_resource_waiters") == 0);
    BOOST_TEST(value("lifeguard_checkout_timeouts_total") == 1);
    r.crash(first);
    BOOST_TEST(value("lifeguard_resource_deaths_total") == 1);
    BOOST_TEST(value("lifeguard_resources", {{"state", "idle"}}) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
