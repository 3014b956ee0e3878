// What the engine counts of itself and of its queues.
#include "support/test_context.hpp"
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/supervisor.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(engine_metrics)

namespace {

struct running {
    explicit running(test_context& context)
        : ctx(context), app(ctx.executor(), options(ctx)), run(ctx.spawn(app.run())) {
        ctx.settle();
    }
    ~running() noexcept(false) {
        if (ctx.is_cut())
            return;
        app.request_stop();
        ctx.settle();
        BOOST_TEST(run.ready());
    }

    static engine_options options(const test_context& ctx) {
        engine_options o;
        o.time = ctx.time;
        o.log = stderr_log(log_level::error);
        return o;
    }

    double value(std::string_view metric, const metric_labels& labels = {}) const {
        return app.metrics_value(metric, labels).value_or(-1);
    }

    test_context& ctx;
    engine app;
    test_future<void> run;
};

asio::awaitable<void> crash() {
    throw std::runtime_error("told to");
    co_return;
}

/// Gives up at the first crash below it.
child_spec brittle() {
    supervisor_options options;
    options.name = "brittle";
    options.intensity = 0;
    child_spec child("crashing", [] { return crash(); });
    std::vector<child_spec> children;
    children.push_back(std::move(child));
    return nested_supervisor(std::move(options), std::move(children));
}

} // namespace

LIFEGUARD_TEST(restarts_and_escalations_below_the_root) {
    running r(ctx);
    BOOST_TEST(r.value("lifeguard_supervisor_restarts_total") == 0);
    BOOST_TEST(r.value("lifeguard_supervisor_escalations_total") == 0);
    supervisor root = r.app.root();
    ctx.await(root.kill_child("default"));
    ctx.settle();
    BOOST_TEST(r.value("lifeguard_supervisor_restarts_total") == 1);
    BOOST_TEST(r.value("lifeguard_supervisor_escalations_total") == 0);

    child_spec temporary = brittle();
    temporary.restart = restart_type::temporary;
    ctx.await(root.start_child(std::move(temporary)));
    ctx.settle();
    BOOST_TEST(r.value("lifeguard_supervisor_escalations_total") == 1);
    BOOST_TEST(r.value("lifeguard_supervisor_restarts_total") == 1);
}

LIFEGUARD_TEST(age_of_the_oldest_available_job) {
    running r(ctx);
    const metric_labels labels{{"queue", "later"}}; // which no pool takes from
    const auto push = [&](duration delay) {
        new_job job("k");
        job.queue = "later";
        job.delay = delay;
        return ctx.await(r.app.queue().push(std::move(job)));
    };
    push(10s);
    BOOST_TEST(r.value("lifeguard_queue_oldest_seconds", labels) == 0); // not available yet
    const job_id first = push(0s);
    ctx.advance(3s);
    push(0s);
    BOOST_TEST(r.value("lifeguard_queue_oldest_seconds", labels) == 3);
    ctx.advance(8s); // the delayed one is available for a second
    BOOST_TEST(r.value("lifeguard_queue_oldest_seconds", labels) == 11);
    job_queue queue = r.app.queue();
    ctx.await(queue.cancel(first));
    BOOST_TEST(r.value("lifeguard_queue_oldest_seconds", labels) == 8);
}

BOOST_AUTO_TEST_SUITE_END()
