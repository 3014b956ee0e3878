// What a manager of dynamic workers tells Prometheus.
#include "dynamic/rig.hpp"
#include <lifeguard/metrics.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

/// A manager whose metrics can be read.
struct counted_rig : rig {
    explicit counted_rig(test_context& context) : rig(context) { options.metrics = metrics; }

    double value(std::string_view name, metric_labels more = {}) const {
        more.emplace_back("manager", "w");
        return metrics->value(name, more).value_or(-1);
    }
    double workers_in(const char* state) const {
        return value("lifeguard_dynamic_workers", {{"state", state}});
    }

    const std::shared_ptr<metrics_registry> metrics = std::make_shared<metrics_registry>();
};

} // namespace

BOOST_AUTO_TEST_SUITE(dynamic_metrics)

LIFEGUARD_TEST(workers_and_messages_are_gauges) {
    counted_rig r(ctx);
    const gate busy;
    r.behaviour.cast = [&](const std::string&, const json&, const json&) -> asio::awaitable<void> {
        co_await busy.pass();
    };
    r.options.rhythm.interval = 0s;
    r.run();
    BOOST_TEST(r.workers_in("idle") == 0);
    r.put("a");
    r.put("b");
    ctx.settle();
    BOOST_TEST(r.workers_in("idle") == 2);
    for (int n = 0; n < 3; ++n)
        r.workers->cast("a", n);
    ctx.settle();
    BOOST_TEST(r.workers_in("busy") == 1);
    BOOST_TEST(r.workers_in("idle") == 1);
    BOOST_TEST(r.value("lifeguard_dynamic_messages") == 2);
    auto deleting = ctx.spawn(r.workers->del("a")); // the casts that wait are dropped
    ctx.settle();
    BOOST_TEST(r.value("lifeguard_dynamic_casts_dropped_total") == 2);
    BOOST_TEST(r.value("lifeguard_dynamic_messages") == 0);
    busy.open();
    ctx.settle();
    BOOST_TEST(deleting.ready());
    BOOST_TEST(r.workers_in("busy") == 0);
}

LIFEGUARD_TEST(starts_crashes_and_restarts_are_counted) {
    counted_rig r(ctx);
    r.behaviour.cast = [](const std::string&, const json&, const json&) {
        throw std::runtime_error("boom");
    };
    r.run();
    r.put("a");
    r.put("a", 2); // replaced, which is no restart
    r.put("b");
    BOOST_TEST(r.value("lifeguard_dynamic_starts_total") == 3);
    r.workers->cast("b", nullptr);
    ctx.settle();
    BOOST_TEST(r.incarnations() == "a#2 b#2");
    BOOST_TEST(r.value("lifeguard_dynamic_crashes_total") == 1);
    BOOST_TEST(r.value("lifeguard_dynamic_restarts_total") == 1);
    BOOST_TEST(r.value("lifeguard_dynamic_starts_total") == 4);
    r.put("b", 3);
    BOOST_TEST(r.value("lifeguard_dynamic_restarts_total") == 1);
    const dynamic_workers_state s = r.workers->state();
    BOOST_TEST(s.starts_total == 5U);
    BOOST_TEST(s.restarts_total == 1U);
    BOOST_TEST(s.crashes_total == 1U);
}

LIFEGUARD_TEST(slow_performs_and_swallowed_errors_are_counted) {
    counted_rig r(ctx);
    const gate slow;
    r.behaviour.perform = [&](const std::string&, const json&) -> asio::awaitable<void> {
        co_await slow.pass();
    };
    r.behaviour.handle_timeout = [](const slow_perform&) { throw std::runtime_error("deaf ears"); };
    r.run();
    r.put("a", {}, each(100ms));
    ctx.advance(300ms);
    BOOST_TEST(r.value("lifeguard_dynamic_slow_performs_total") == 1);
    BOOST_TEST(r.value("lifeguard_dynamic_callback_errors_total") == 1);
    slow.open();
    ctx.settle();
}

LIFEGUARD_TEST(the_metrics_go_with_the_manager) {
    const auto registry = std::make_shared<metrics_registry>();
    dynamic_workers_options options;
    options.metrics = registry;
    {
        const dynamic_workers workers(ctx.executor(), options, {});
        BOOST_TEST(registry->value("lifeguard_dynamic_starts_total", {{"manager", "workers"}})
                       .has_value());
    }
    BOOST_TEST(registry->to_prometheus().empty());
}

BOOST_AUTO_TEST_SUITE_END()
