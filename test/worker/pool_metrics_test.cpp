// What a pool tells Prometheus.
#include "worker/rig.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(pool_metrics)

LIFEGUARD_TEST(counts_agree_with_what_happened) {
    worker_pool_options pool = workers(2, 1);
    pool.process_timeout = 1s;
    pool.breaker.threshold = 100;
    rig r(ctx, pool);
    for (int n = 0; n < 10; ++n)
        r.done("double", n);
    for (int n = 0; n < 3; ++n)
        r.execute("fail");
    const auto late = r.execute("wait");
    ctx.advance(1s);
    BOOST_TEST((late.error() == errc::timeout));
    const auto killed = r.execute("nap", 900);
    r.kill(r.worker(1).busy == 1 ? "p/1" : "p/2");
    ctx.settle();
    BOOST_TEST((killed.error() == errc::killed));
    const auto busy = r.execute("nap", 500);

    BOOST_TEST(r.metric("lifeguard_jobs_pushed_total") == 16);
    BOOST_TEST(r.metric("lifeguard_jobs_completed_total") == 10);
    BOOST_TEST(r.metric("lifeguard_jobs_discarded_total") == 5);
    BOOST_TEST(r.metric("lifeguard_attempts_failed_total") == 5);
    BOOST_TEST(r.metric("lifeguard_job_timeouts_total") == 1);
    BOOST_TEST(r.metric("lifeguard_workers_killed_total") == 1);
    BOOST_TEST(r.metric("lifeguard_worker_restarts_total") == 1);
    BOOST_TEST(r.metric("lifeguard_job_duration_seconds", {{"outcome", "success"}}) == 10);
    BOOST_TEST(r.metric("lifeguard_job_duration_seconds", {{"outcome", "failure"}}) == 5);
    BOOST_TEST(r.metric("lifeguard_job_wait_seconds") == 16);
    BOOST_TEST(r.metric("lifeguard_workers", {{"state", "busy"}}) == 1);
    BOOST_TEST(r.metric("lifeguard_workers", {{"state", "idle"}}) == 1);
    BOOST_TEST(r.metric("lifeguard_breakers_open") == 0);
    BOOST_TEST(r.metric("lifeguard_lanes_abandoned") == 0);
    BOOST_TEST(r.metric("lifeguard_jobs_stuck_total") == 0);
    BOOST_TEST(r.metrics->value("lifeguard_jobs", {{"queue", "default"}, {"state", "executing"}})
                   .value_or(-1) == 1);
    std::uint64_t processed = 0, failed = 0, acked = 0;
    for (const worker_status& w : r.pool().workers()) {
        processed += w.processed;
        failed += w.failed;
        acked += w.acked;
    }
    BOOST_TEST(processed == 10U);
    BOOST_TEST(failed == 5U);
    BOOST_TEST(acked == 14U); // of the killed one's attempt the queue was told by the kill
    ctx.advance(500ms);
    BOOST_TEST(busy.ready());
}

LIFEGUARD_TEST(metrics_end_with_their_pool) {
    const auto registry = std::make_shared<metrics_registry>();
    {
        engine_options o;
        o.time = ctx.time;
        o.metrics = registry;
        const engine e(ctx.executor(), o);
        BOOST_TEST(registry->value("lifeguard_breakers_open", {{"pool", "default"}}).has_value());
    }
    BOOST_TEST(!registry->value("lifeguard_breakers_open", {{"pool", "default"}}).has_value());
    BOOST_TEST(registry->to_prometheus().empty());
}

BOOST_AUTO_TEST_CASE(promtool_accepts_an_engines_text) {
    if (std::system("command -v promtool > /dev/null 2>&1") != 0) {
        BOOST_TEST_MESSAGE("promtool is not installed");
        return;
    }
    test_context ctx;
    rig r(ctx, workers(2));
    r.done("double", 1);
    r.execute("fail");
    const auto file = std::filesystem::temp_directory_path() /
                      ("lifeguard-metrics-" + std::to_string(::getpid()) + ".txt");
    std::ofstream(file) << r.the_engine().metrics();
    const std::string command = "promtool check metrics < '" + file.string() + "'";
    BOOST_TEST(std::system(command.c_str()) == 0);
    std::filesystem::remove(file);
}

BOOST_AUTO_TEST_SUITE_END()
