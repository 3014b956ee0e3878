// Who gets a job: priorities, the share of a pull, the least busy worker, idle ones.
#include "worker/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

constexpr execute_options to_least_busy{.dispatch = dispatch::least_busy,
                                        .checkout_wait = std::chrono::hours(1)};

} // namespace

BOOST_AUTO_TEST_SUITE(dispatching)

LIFEGUARD_TEST(DISP_02_least_busy_keeps_the_loads_level) {
    rig r(ctx, workers(3));
    std::vector<test_future<json>> all;
    const auto add = [&](int count) {
        for (int n = 0; n < count; ++n)
            all.push_back(r.execute("wait", n, to_least_busy));
    };
    add(3);
    BOOST_TEST(r.loads() == "p/1 busy 1, p/2 busy 1, p/3 busy 1");
    add(3);
    BOOST_TEST(r.loads() == "p/1 busy 1 +1, p/2 busy 1 +1, p/3 busy 1 +1");
    add(3);
    BOOST_TEST(r.loads() == "p/1 busy 1 +2, p/2 busy 1 +2, p/3 busy 1 +2");
    r.doors.open();
    ctx.settle();
    for (const auto& f : all)
        BOOST_TEST(f.ready());
}

LIFEGUARD_TEST(DISP_02_the_next_task_goes_to_the_worker_with_nothing_to_do) {
    rig r(ctx, workers(3));
    // Loads of 2, 0 and 1, in the order of who took what.
    const job_id first = r.submit("nap", 50);
    const job_id second = r.submit("nap", 10);
    const job_id third = r.submit("nap", 50);
    const auto fourth = r.execute("nap", 50, to_least_busy);
    ctx.advance(10ms);
    BOOST_TEST(r.state(second) == "completed");
    const auto idle = [&] {
        std::string ids;
        for (const auto& w : r.pool().workers())
            if (w.busy + w.assigned == 0)
                ids += w.id;
        return ids;
    };
    // The fourth waited behind one of them; whoever is idle now has it, or takes it over.
    BOOST_TEST(r.status().busy == 3U);
    BOOST_TEST(idle().empty());
    ctx.advance(40ms);
    BOOST_TEST(r.state(first) == "completed");
    BOOST_TEST(r.state(third) == "completed");
    const std::string free = idle();
    BOOST_TEST(free.size() == 6U); // two of them
    const auto fifth = r.execute("wait", 1, to_least_busy);
    BOOST_TEST(idle().size() == 3U);
    ctx.advance(10ms);
    BOOST_TEST(fourth.ready());
    r.doors.open();
    ctx.settle();
    BOOST_TEST(fifth.ready());
}

LIFEGUARD_TEST(DISP_02_equal_loads_do_not_matter_only_fewest_does) {
    worker_pool_options pool = workers(2);
    rig r(ctx, pool);
    const auto a = r.execute("wait", 1, to_least_busy);
    const auto b = r.execute("wait", 2, to_least_busy);
    const auto c = r.execute("wait", 3, to_least_busy); // to p/1
    const auto d = r.execute("wait", 4, to_least_busy); // so this one goes to p/2
    BOOST_TEST(r.loads() == "p/1 busy 1 +1, p/2 busy 1 +1");
    r.doors.open();
    ctx.settle();
    BOOST_TEST((a.ready() && b.ready() && c.ready() && d.ready()));
}

LIFEGUARD_TEST(DISP_03_tasks_go_to_those_alive_and_after_the_restart_to_all) {
    // A worker that cannot be restarted yet: its supervisor is kept busy by a start that lasts.
    worker_pool_options pool = workers(3);
    pool.let_it_crash = true;
    rig r(ctx, pool);
    std::vector<test_future<json>> all;
    for (int n = 0; n < 3; ++n)
        all.push_back(r.execute("wait", n));
    // The crash and what it sets off take several turns; the worker is down in between.
    r.doors.admit();
    const auto crash = ctx.spawn(r.pool().execute(new_job("fail"), to_least_busy));
    ctx.io.restart();
    bool seen_down = false;
    std::vector<test_future<json>> during;
    for (int n = 0; n < 100; ++n) {
        ctx.io.poll_one();
        if (!seen_down && r.loads().find("down") != std::string::npos) {
            seen_down = true;
            for (int k = 0; k < 4; ++k)
                during.push_back(ctx.spawn(r.pool().execute(new_job("wait", k), to_least_busy)));
        }
    }
    ctx.settle();
    BOOST_TEST(seen_down);
    BOOST_TEST(crash.ready());
    BOOST_TEST(r.status().restarts_total == 1U);
    BOOST_TEST(r.status().busy == 3U); // all three work again
    r.doors.open();
    ctx.settle();
    for (const auto& f : all)
        BOOST_TEST(f.ready());
    for (auto& f : during)
        BOOST_TEST(message_of(f).empty());
}

LIFEGUARD_TEST(DISP_06_restart_counts_and_who_is_over_the_limit) {
    worker_pool_options pool = workers(3);
    pool.intensity = 100;
    rig r(ctx, pool);
    for (const char* victim : {"p/1", "p/1", "p/2", "p/1"}) {
        r.kill(victim);
        ctx.settle();
    }
    BOOST_TEST(r.worker(1).restarts == 3U);
    BOOST_TEST(r.worker(2).restarts == 1U);
    BOOST_TEST(r.worker(3).restarts == 0U);
    const std::vector<std::string> first{"p/1"}, both{"p/1", "p/2"};
    BOOST_TEST(r.pool().over_limit(1) == first, boost::test_tools::per_element());
    BOOST_TEST(r.pool().over_limit(0) == both, boost::test_tools::per_element());
    BOOST_TEST(r.pool().over_limit(3).empty());
    BOOST_TEST(r.metric("lifeguard_worker_restarts_total") == 4);
    BOOST_TEST(r.metric("lifeguard_workers_killed_total") == 4);
}

LIFEGUARD_TEST(pull_takes_at_most_the_pull_size) {
    worker_pool_options pool = workers(1);
    pool.pull_size = 3;
    rig r(ctx, pool);
    const auto held = r.execute("nap", 10);
    for (int n = 0; n < 7; ++n)
        r.submit("wait", n);
    ctx.advance(10ms);
    BOOST_TEST(r.loads() == "p/1 busy 1 +2");
    BOOST_TEST(r.status().available == 4U);
    BOOST_TEST(held.ready());
}

LIFEGUARD_TEST(unstarted_jobs_go_back_to_a_worker_that_has_nothing_to_do) {
    rig r(ctx, workers(2));
    const auto one = r.execute("nap", 10);
    const auto two = r.execute("nap", 20);
    std::vector<job_id> jobs;
    jobs.push_back(r.submit("nap", 1000));
    for (int n = 0; n < 4; ++n)
        jobs.push_back(r.submit("wait", n));
    ctx.advance(10ms); // one of them takes all five
    BOOST_TEST(r.status().available == 0U);
    BOOST_TEST(r.started.load() == 3);
    ctx.advance(10ms); // and the other, idle now, gets its share back
    BOOST_TEST(r.started.load() == 4);
    BOOST_TEST(r.status().busy == 2U);
    r.doors.open();
    ctx.settle();
    for (std::size_t n = 1; n < jobs.size(); ++n) {
        BOOST_TEST(r.state(jobs[n]) == "completed");
        BOOST_TEST(r.job(jobs[n]).attempt == 1U);
    }
    BOOST_TEST(r.state(jobs[0]) == "executing");
    ctx.advance(1s);
    BOOST_TEST((one.ready() && two.ready()));
}

LIFEGUARD_TEST(idle_workers_share_what_is_ready) {
    worker_pool_options pool = workers(5);
    rig r(ctx, pool);
    std::vector<job_id> jobs;
    for (int n = 0; n < 5; ++n)
        jobs.push_back(r.submit("wait", n));
    BOOST_TEST(r.loads() == "p/1 busy 1, p/2 busy 1, p/3 busy 1, p/4 busy 1, p/5 busy 1");
}

LIFEGUARD_TEST(most_urgent_job_first_across_the_queues_of_a_pool) {
    worker_pool_options pool = workers(1);
    pool.queues = {"a", "b"};
    pool.pull_size = 1;
    rig r(ctx, pool);
    std::vector<int> order;
    r.the_engine().handle("note", [&](job_context& job) -> asio::awaitable<json> {
        order.push_back(job.payload().get<int>());
        co_return nullptr;
    });
    const auto held = r.execute("wait");
    const auto submit = [&](int tag, const char* queue, int priority) {
        new_job job("note", tag);
        job.queue = queue;
        job.priority = priority;
        r.submit(job);
    };
    submit(1, "a", 5);
    submit(2, "b", 3);
    submit(3, "a", 3);
    submit(4, "b", 0);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(order == (std::vector{4, 2, 3, 1}), boost::test_tools::per_element());
    BOOST_TEST(held.ready());
}

LIFEGUARD_TEST(strict_order_of_queues_comes_before_priorities) {
    worker_pool_options pool = workers(1);
    pool.queues = {"a", "b"};
    pool.strict_order = true;
    rig r(ctx, pool);
    std::vector<int> order;
    r.the_engine().handle("note", [&](job_context& job) -> asio::awaitable<json> {
        order.push_back(job.payload().get<int>());
        co_return nullptr;
    });
    const auto held = r.execute("wait");
    new_job urgent("note", 2), patient("note", 1);
    urgent.queue = "b";
    urgent.priority = 0;
    patient.priority = 9;
    r.submit(urgent);
    r.submit(patient);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(order == (std::vector{1, 2}), boost::test_tools::per_element());
    BOOST_TEST(held.ready());
}

LIFEGUARD_TEST(pool_of_one_priority_takes_no_other) {
    worker_pool_options pool = workers(1);
    pool.priority = 1;
    rig r(ctx, pool);
    const job_id other = r.submit("double", 1);
    new_job job("double", 2);
    job.priority = 1;
    BOOST_TEST(test_future(r.execute(job)).get() == json(4));
    BOOST_TEST(r.state(other) == "available");
}

BOOST_AUTO_TEST_SUITE_END()
