// The demos and exercises of the tutorials this project grew from, as acceptance tests.
#include "worker/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(seed)

namespace {

asio::awaitable<json> process(job_context& job) {
    const int n = job.payload().get<int>();
    if (n < 0)
        throw std::runtime_error("negative");
    co_return 2 * n;
}

/// The tutorial's kind: an action says what happens.
asio::awaitable<json> tutorial(std::shared_ptr<time_source> time, std::string action) {
    if (action == "fail")
        throw std::runtime_error("simulated_failure");
    if (action != "noop")
        co_await nap(std::move(time), 100ms);
    co_return "done";
}

void check_tutorial_payload(const json& payload) {
    if (!payload.is_object() || !payload.contains("action"))
        throw std::invalid_argument("action is missing");
    if (!payload["action"].is_string())
        throw std::invalid_argument("action must be a string");
}

} // namespace

LIFEGUARD_TEST(SEED_01_negative_job_crashes_one_worker_and_the_results_stay) {
    worker_pool_options pool = workers(4);
    pool.let_it_crash = true;
    rig r(ctx, pool);
    r.the_engine().handle("process", process);

    const auto five = r.execute("process", 5);
    const auto three = r.execute("process", 3);
    BOOST_TEST(test_future(five).get() == json(10));
    BOOST_TEST(test_future(three).get() == json(6));
    unsigned used = 0;
    for (unsigned n = 1; n <= 4; ++n)
        used += r.worker(n).processed != 0 ? 1 : 0;
    BOOST_TEST(used == 2U);

    BOOST_TEST(message_of(r.execute("process", -1)) == "negative");
    BOOST_TEST(r.status().restarts_total == 1U);
    unsigned renewed = 0;
    std::uint64_t processed = 0;
    for (unsigned n = 1; n <= 4; ++n) {
        renewed += r.worker(n).incarnation == 2 ? 1 : 0;
        processed += r.worker(n).processed;
    }
    BOOST_TEST(renewed == 1U);
    BOOST_TEST(processed == 2U);
    BOOST_TEST(r.loads() == "p/1 idle, p/2 idle, p/3 idle, p/4 idle");
    BOOST_TEST(r.done("process", 4) == json(8));
}

LIFEGUARD_TEST(SEED_04_doubler_computes_and_is_an_error_once_stopped) {
    rig r(ctx, workers(1));
    BOOST_TEST(r.done("double", 21) == json(42));

    r.finish();
    const auto late = r.execute("double", 21);
    ctx.advance(5s);
    BOOST_TEST(late.ready());
    BOOST_TEST((late.error() == errc::stopped));
    ctx.advance(5s);
}

LIFEGUARD_TEST(SEED_04_pool_of_three_doublers_never_computes_four) {
    rig r(ctx, workers(3));
    std::vector<test_future<json>> clients;
    for (int n = 0; n < 100; ++n)
        clients.push_back(ctx.spawn(r.pool().execute(new_job("nap", 10))));
    ctx.settle();
    BOOST_TEST(r.running.load() == 3);
    ctx.advance(1s);
    for (auto& client : clients)
        BOOST_TEST(client.get() == json(10));
    BOOST_TEST(r.running_max.load() == 3);
    BOOST_TEST(r.started.load() == 100);
}

LIFEGUARD_TEST(SEED_05_tutorial_actions) {
    rig r(ctx, workers(1));
    r.the_engine().handle("tutorial", [&](job_context& job) {
        return tutorial(ctx.time, job.payload().at("action").get<std::string>());
    });
    r.the_engine().validate("tutorial", check_tutorial_payload);

    BOOST_TEST(r.done("tutorial", {{"action", "noop"}}) == json("done"));
    BOOST_TEST(message_of(r.execute("tutorial", {{"action", "fail"}})) == "simulated_failure");

    const auto other = r.execute("tutorial", {{"action", "resize"}});
    ctx.advance(99ms);
    BOOST_TEST(!other.ready());
    ctx.advance(1ms);
    BOOST_TEST(test_future(other).get() == json("done"));
}

LIFEGUARD_TEST(SEED_05_payload_is_validated_at_submission) {
    rig r(ctx, workers(1));
    r.the_engine().handle("tutorial", process);
    r.the_engine().validate("tutorial", check_tutorial_payload);
    const auto refused = [&](json payload) {
        const auto f = r.execute("tutorial", std::move(payload));
        return (f.ready() && f.error() == errc::invalid_job) ? message_of(f) : "not refused";
    };
    const std::string missing = refused(json::object());
    BOOST_TEST(missing.find("action is missing") != std::string::npos, missing);
    BOOST_TEST(refused(nullptr).find("action is missing") != std::string::npos);
    BOOST_TEST(refused({{"action", 7}}).find("must be a string") != std::string::npos);
    BOOST_TEST(r.metric("lifeguard_jobs_pushed_total") == 0);
    BOOST_TEST(r.worker(1).incarnation == 1U);

    const auto submitted = ctx.spawn(r.pool().submit_json(R"({"kind":"tutorial"})"));
    ctx.settle();
    BOOST_TEST((submitted.error() == errc::invalid_job));
}

LIFEGUARD_TEST(SEED_05_id_is_made_unless_it_is_given) {
    rig r(ctx, workers(1));
    const job_id made = r.submit("double", 1);
    BOOST_TEST(!made.is_nil());
    new_job own("double", 2);
    own.id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-1234567890ab");
    BOOST_TEST((r.submit(own) == own.id));
    BOOST_TEST(ctx.await(r.pool().result(own.id)) == json(4));
}

LIFEGUARD_TEST(SEED_06_exhausted_pool_says_so_after_the_checkout_wait_and_forgets_the_caller) {
    rig r(ctx, workers(1));
    const auto first = r.execute("wait", 1);
    new_job urgent("double", 4);
    urgent.priority = 0;
    const auto second = r.execute(urgent);
    BOOST_TEST(r.status().callers_waiting == 1U);
    ctx.advance(4999ms);
    BOOST_TEST(!second.ready());
    ctx.advance(1ms);
    BOOST_TEST(second.ready());
    BOOST_TEST((second.error() == errc::pool_exhausted));
    BOOST_TEST(r.status().exhausted_total == 1U);
    BOOST_TEST(r.metric("lifeguard_pool_exhausted_total") == 1);
    BOOST_TEST(r.status().callers_waiting == 0U);
    BOOST_TEST(r.status().available == 0U);
    BOOST_TEST(r.started.load() == 1);

    r.doors.open();
    ctx.settle();
    BOOST_TEST(test_future(first).get() == json(1));
    BOOST_TEST(r.done("double", 3) == json(6));
    BOOST_TEST(r.started.load() == 2);
}

LIFEGUARD_TEST(SEED_06_worker_is_free_again_after_a_job_that_throws) {
    rig r(ctx, workers(1));
    BOOST_TEST(message_of(r.execute("fail", "boom")) == "boom");
    BOOST_TEST(r.loads() == "p/1 idle");
    BOOST_TEST(r.done("double", 3) == json(6));
    BOOST_TEST(r.worker(1).incarnation == 1U);
}

LIFEGUARD_TEST(SEED_07_status_is_answered_while_a_long_job_runs) {
    worker_pool_options pool = workers(1);
    pool.priority = 2;
    pool.queues = {"mail"};
    rig r(ctx, pool);
    new_job quick("double", 1), broken("fail"), slow("nap", 29'000);
    for (new_job* job : {&quick, &broken, &slow})
        job->priority = 2;
    BOOST_TEST(r.execute(quick).ready());
    BOOST_TEST(r.execute(broken).ready());
    const auto running = r.execute(slow);
    ctx.advance(10s);

    // Not even a turn: no coroutine is asked.
    const worker_status s = r.worker(1);
    BOOST_TEST(s.id == "p/1");
    BOOST_TEST(s.priority.value_or(-1) == 2);
    BOOST_TEST(s.queues == std::vector<std::string>{"mail"}, boost::test_tools::per_element());
    BOOST_TEST(name_of(s.breaker) == "closed");
    BOOST_TEST(s.busy == 1U);
    BOOST_TEST(s.jobs.size() == 1U);
    BOOST_TEST(s.pulled == 3U);
    BOOST_TEST(s.processed == 1U);
    BOOST_TEST(s.failed == 1U);
    BOOST_TEST(s.acked == 2U);

    ctx.advance(19s);
    BOOST_TEST(running.ready());
}

LIFEGUARD_TEST(SEED_08_metrics_under_the_names_of_the_tutorial) {
    worker_pool_options pool = workers(1);
    pool.breaker.threshold = 2;
    engine_options more;
    more.seed_names = true;
    rig r(ctx, pool, more);
    const metric_labels p{{"pool", "p"}};

    const auto busy = r.execute("nap", 20);
    const auto exhausted = r.execute("double", 1, {.checkout_wait = 10ms});
    ctx.advance(20ms);
    BOOST_TEST(busy.ready());
    BOOST_TEST((exhausted.error() == errc::pool_exhausted));
    BOOST_TEST(r.metric("worker_pool_exhausted_total") == 1);

    r.execute("fail");
    r.execute("fail");
    BOOST_TEST(r.metric("circuit_breaker_opened_total") == 1);
    BOOST_TEST(r.metric("circuit_breaker_closed_total") == 0);
    BOOST_TEST((r.execute("double", 1).error() == errc::breaker_open));
    ctx.advance(10s);
    BOOST_TEST(r.done("double", 1) == json(2));
    r.done("double", 1);
    BOOST_TEST(r.metric("circuit_breaker_opened_total") == 1); // transitions, not calls
    BOOST_TEST(r.metric("circuit_breaker_closed_total") == 1);

    BOOST_TEST(r.metric("job_processing_duration_ms") == 5); // successes and failures
    const std::string text = r.the_engine().metrics();
    BOOST_TEST(text.find("job_processing_duration_ms_bucket{pool=\"p\",le=\"10\"} 4\n") !=
                   std::string::npos,
               text);
    BOOST_TEST(text.find("job_processing_duration_ms_bucket{pool=\"p\",le=\"50\"} 5\n") !=
                   std::string::npos,
               text);
}

LIFEGUARD_TEST(SEED_08_without_the_option_the_tutorials_names_are_not_offered) {
    rig r(ctx, workers(1));
    r.done("double", 1);
    const std::string text = r.the_engine().metrics();
    BOOST_TEST(text.find("worker_pool_exhausted_total") == std::string::npos);
    BOOST_TEST(text.find("job_processing_duration_ms") == std::string::npos);
    BOOST_TEST(text.find("circuit_breaker_opened_total") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
