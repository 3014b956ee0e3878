// queues that are paused, and those that accept nothing new.
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(pausing)

namespace {

take_options from_both(std::size_t jobs_max = 10) {
    take_options options;
    options.queues = {"default", "critical"};
    options.jobs_max = jobs_max;
    return options;
}

std::vector<std::string> queues_of(const std::vector<taken_job>& taken) {
    std::vector<std::string> all;
    for (const taken_job& t : taken)
        all.push_back(t.queue);
    return all;
}

test_future<std::vector<taken_job>> waits_for_a_job(test_context& ctx, queue_fixture& q) {
    take_options options;
    options.wait = 1h;
    auto waits = ctx.spawn(q.queue.take(options));
    ctx.settle();
    return waits;
}

} // namespace

LIFEGUARD_STORE_TEST(Q_40_pulls_get_nothing_of_a_paused_queue) {
    queue_fixture q(ctx, kept);
    for (int i = 0; i < 2; ++i) {
        q.push("default", 0);
        q.push("critical", 9);
    }
    ctx.await(q.queue.pause("default"));
    BOOST_TEST(q.queue.status("default").paused);
    BOOST_TEST(!q.queue.status("default").paused_until.has_value());
    BOOST_TEST(!q.queue.status("critical").paused);
    BOOST_TEST((queues_of(q.take(from_both(1))) == std::vector<std::string>{"critical"}));
    ctx.await(q.queue.pause("critical"));
    BOOST_TEST(q.take(from_both()).empty());
    BOOST_TEST(q.counts() == "available 2");
    BOOST_TEST(q.counts("critical") == "available 1, executing 1");
    ctx.await(q.queue.resume("critical"));
    BOOST_TEST((queues_of(q.take(from_both())) == std::vector<std::string>{"critical"}));
    ctx.await(q.queue.resume("default"));
    BOOST_TEST(q.take(from_both()).size() == 2u);
}

LIFEGUARD_STORE_TEST(Q_40_jobs_that_run_finish_and_pushes_go_on) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    q.push(new_job("k"));
    const taken_job done = q.take();
    const taken_job released = q.take();
    ctx.await(q.queue.pause("default"));
    q.complete(done);
    q.release(released);
    const job_id pushed = q.push(new_job("k"));
    BOOST_TEST(q.counts() == "available 2, completed 1");
    BOOST_TEST(q.take(5).empty());
    // Who names a job does not pull.
    BOOST_TEST(ctx.await(q.queue.take_by_id(pushed)).id == pushed);
}

LIFEGUARD_STORE_TEST(Q_40_resume_wakes_a_waiting_pull) {
    queue_fixture q(ctx, kept);
    ctx.await(q.queue.pause("default"));
    auto waits = waits_for_a_job(ctx, q);
    const job_id id = q.push(new_job("k"));
    ctx.settle();
    BOOST_TEST(!waits.ready());
    ctx.await(q.queue.resume("default")); // and no time passes
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(waits.get().at(0).id == id);
}

LIFEGUARD_STORE_TEST(Q_40_a_pause_for_a_second_ends_by_itself) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    ctx.await(q.queue.pause("default", 1s));
    BOOST_TEST_REQUIRE(q.queue.status("default").paused_until.has_value());
    BOOST_TEST((*q.queue.status("default").paused_until == ctx.time->wall_now() + 1s));
    auto waits = waits_for_a_job(ctx, q);
    ctx.advance(999ms);
    BOOST_TEST(!waits.ready());
    BOOST_TEST(q.queue.status("default").paused);
    ctx.advance(1ms);
    BOOST_TEST(waits.ready());
    BOOST_TEST(!q.queue.status("default").paused);
    BOOST_TEST(!q.queue.status("default").paused_until.has_value());
}

LIFEGUARD_STORE_TEST(Q_40_the_last_pause_says_when_it_ends) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    ctx.await(q.queue.pause("default", 1s));
    ctx.await(q.queue.pause("default")); // now for ever
    ctx.advance(1h);
    BOOST_TEST(q.take(1).empty());
    ctx.await(q.queue.pause("default", 10s));
    ctx.await(q.queue.pause("default", 20s));
    ctx.advance(19s);
    BOOST_TEST(q.take(1).empty());
    ctx.advance(1s);
    BOOST_TEST(q.take(1).size() == 1u);
    BOOST_TEST((thrown_by([&] { ctx.await(q.queue.pause("default", -1s)); }).code ==
                errc::invalid_option));
}

LIFEGUARD_STORE_TEST(Q_40_pausing_twice_and_resuming_what_runs_are_no_ops) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    ctx.await(q.queue.pause("default"));
    ctx.await(q.queue.pause("default"));
    BOOST_TEST(q.take(1).empty());
    ctx.await(q.queue.resume("default")); // once is enough
    ctx.await(q.queue.resume("default"));
    BOOST_TEST(q.take(1).size() == 1u);
    ctx.await(q.queue.resume("nobody has named it"));
    BOOST_TEST(q.queue.queues() == std::vector<std::string>{"default"},
               boost::test_tools::per_element());
}

LIFEGUARD_STORE_TEST(Q_40_a_paused_queue_gives_workers_nothing_and_gets_back_what_waits) {
    queue_fixture q(ctx, kept);
    gate held;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    worker_pool_options options = one_worker();
    options.pull_size = 5;
    pool_fixture p(ctx, q, options);
    p.submit(new_job("k"));
    for (int i = 0; i < 4; ++i)
        q.push(new_job("k"));
    ctx.settle();
    held.open_one(); // the next pull takes all four
    ctx.settle();
    BOOST_TEST(q.counts() == "executing 4, completed 1");
    BOOST_TEST(p.pool.worker("p/1").assigned == 3u);
    ctx.await(q.queue.pause("default"));
    BOOST_TEST(q.counts() == "available 3, executing 1, completed 1");
    held.open();
    ctx.settle();
    BOOST_TEST(held.waiting() == 0u);
    BOOST_TEST(q.counts() == "available 3, completed 2");
    ctx.await(q.queue.resume("default"));
    BOOST_TEST(held.waiting() == 1u);
    while (held.waiting() != 0) {
        held.open();
        ctx.settle();
    }
    BOOST_TEST(q.counts() == "completed 5");
}

LIFEGUARD_STORE_TEST(Q_40_no_execute_chooses_a_worker_past_a_pause) {
    queue_fixture q(ctx, kept);
    q.handle("k", [](job_context&) -> asio::awaitable<json> { co_return json(); });
    pool_fixture p(ctx, q, one_worker());
    ctx.await(q.queue.pause("default"));
    execute_options by_key;
    by_key.dispatch = dispatch::by_key;
    by_key.checkout_wait = 1s;
    const auto waits = ctx.spawn(p.pool.execute(new_job("k"), by_key));
    execute_options at_once;
    at_once.dispatch = dispatch::next_available;
    const auto refused = ctx.spawn(p.pool.execute(new_job("k"), at_once));
    ctx.settle();
    BOOST_TEST((refused.error() == errc::no_available_workers));
    BOOST_TEST(q.counts() == "available 1");
    ctx.advance(1s);
    BOOST_TEST((waits.error() == errc::pool_exhausted));
    BOOST_TEST(q.counts() == "cancelled 1");
}

LIFEGUARD_STORE_TEST(Q_49_while_it_drains_only_new_jobs_are_refused) {
    queue_options options = conformance_options();
    options.jobs_max = 2;
    queue_fixture q(ctx, kept, options);
    q.handle("k", [](job_context&) -> asio::awaitable<json> { co_return json(); });
    q.push(new_job("k"));
    q.push(new_job("k"));
    push_options patient;
    patient.wait = 1h;
    const auto waits = ctx.spawn(q.queue.push(new_job("k"), patient));
    ctx.settle();
    BOOST_TEST(!waits.ready());

    q.queue.set_draining(true);
    ctx.settle();
    BOOST_TEST(q.queue.status("default").draining);
    BOOST_TEST((waits.error() == errc::draining)); // there is nothing to wait for
    BOOST_TEST((q.refused(new_job("k")).code == errc::draining));
    q.complete(q.take());
    BOOST_TEST(q.counts() == "available 1, completed 1");
    {
        pool_fixture p(ctx, q, one_worker());
        BOOST_TEST(q.counts() == "completed 2");
        BOOST_TEST(
            (thrown_by([&] { ctx.await(p.pool.execute(new_job("k"))); }).code == errc::draining));
        BOOST_TEST((thrown_by([&] { p.submit(new_job("k")); }).code == errc::draining));
    }
    BOOST_TEST((q.refused(new_job("k")).code == errc::draining));
    q.queue.set_draining(false);
    q.push(new_job("k"));
    BOOST_TEST(q.counts() == "available 1, completed 2");
}

BOOST_AUTO_TEST_SUITE_END()
