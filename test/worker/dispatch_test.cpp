// Who gets a job: priorities, the share of a pull, the least busy worker, idle ones.
#include "worker/rig.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <set>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

constexpr execute_options to_least_busy{.dispatch = dispatch::least_busy,
                                        .checkout_wait = std::chrono::hours(1)};
constexpr execute_options in_turn{.dispatch = dispatch::round_robin,
                                  .checkout_wait = std::chrono::hours(1)};
constexpr execute_options to_an_idle_one{.dispatch = dispatch::next_available};

execute_options by_key(dispatch_key key) {
    return {.dispatch = dispatch::by_key, .key = key, .checkout_wait = std::chrono::hours(1)};
}

/// Adds the kind "where", which answers the number of its worker.
void add_where(rig& r) {
    r.the_engine().handle("where", [](job_context& job) -> asio::awaitable<json> {
        co_return std::stoi(std::string(job.worker()).substr(2));
    });
}

int where(rig& r, execute_options how) { return r.execute("where", nullptr, how).get().get<int>(); }

} // namespace

BOOST_AUTO_TEST_SUITE(dispatching)

LIFEGUARD_TEST(DISP_01_round_robin_gives_each_worker_one_in_the_same_order) {
    rig r(ctx, workers(4));
    add_where(r);
    const std::vector<int> expected{1, 2, 3, 4, 1, 2, 3, 4};
    std::vector<int> got;
    for (int n = 0; n < 8; ++n) {
        got.push_back(where(r, in_turn));
        r.done("double", n); // others take whoever is free, and it is nobody's turn
    }
    BOOST_TEST(got == expected, boost::test_tools::per_element());
}

LIFEGUARD_TEST(DISP_01_round_robin_also_when_others_are_idle) {
    rig r(ctx, workers(3));
    std::vector<test_future<json>> all;
    for (int n = 0; n < 3; ++n)
        all.push_back(r.execute("wait", n, in_turn));
    r.doors.admit();
    ctx.settle();
    const std::string after_one = r.loads();
    BOOST_TEST(after_one == "p/1 idle, p/2 busy 1, p/3 busy 1");
    add_where(r);
    BOOST_TEST(where(r, in_turn) == 1);
    all.push_back(r.execute("wait", 3, in_turn));
    BOOST_TEST(r.loads() == "p/1 idle, p/2 busy 1 +1, p/3 busy 1");
    r.doors.open();
    ctx.settle();
    for (const auto& f : all)
        BOOST_TEST(f.ready());
}

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
    worker_pool_options pool = workers(3);
    pool.let_it_crash = true;
    rig r(ctx, pool);
    std::vector<test_future<json>> all;
    for (int n = 0; n < 3; ++n)
        all.push_back(r.execute("wait", n));
    r.doors.admit();
    // A worker is down from its crash until its supervisor hears of it, a moment later: it is
    // caught while the crash is being logged.
    std::string loads;
    std::vector<test_future<json>> during;
    r.log->when("worker_crashed", [&] {
        loads = r.loads();
        for (int k = 0; k < 4; ++k)
            during.push_back(
                ctx.spawn_on(ctx.executor(), r.pool().execute(new_job("wait", k), to_least_busy)));
        loads += "; " + r.loads();
    });
    const auto crash = ctx.spawn(r.pool().execute(new_job("fail"), to_least_busy));
    ctx.settle();
    BOOST_TEST(loads == "p/1 down, p/2 busy 1, p/3 busy 1; p/1 down, p/2 busy 1 +2, p/3 busy 1 +2");
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

LIFEGUARD_TEST(DISP_03_crashed_worker_is_passed_over_in_turn_and_by_key) {
    worker_pool_options pool = workers(3);
    pool.let_it_crash = true;
    rig r(ctx, pool);
    add_where(r);
    const std::uint64_t key = [&] { // one whose worker is p/1
        for (std::uint64_t k = 0;; ++k)
            if (where(r, by_key(k)) == 1)
                return k;
    }();
    std::vector<test_future<json>> during;
    r.log->when("worker_crashed", [&] { // it is down until its supervisor hears of it
        for (int n = 0; n < 5; ++n)
            during.push_back(ctx.spawn_on(
                ctx.executor(), r.pool().execute(new_job("where"), n < 4 ? in_turn : by_key(key))));
    });
    const auto crash = ctx.spawn(r.pool().execute(new_job("fail"), in_turn)); // p/1
    ctx.settle();
    BOOST_TEST(crash.ready());
    BOOST_TEST_REQUIRE(during.size() == 5U);
    for (auto& f : during)
        BOOST_TEST(f.get() != json(1));
    BOOST_TEST(r.worker(1).restarts == 1U);
    std::vector<int> after;
    for (int n = 0; n < 3; ++n)
        after.push_back(where(r, in_turn));
    std::ranges::sort(after);
    BOOST_TEST(after == (std::vector{1, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST(where(r, by_key(key)) == 1);
}

LIFEGUARD_TEST(DISP_03_tripped_worker_is_passed_over) {
    worker_pool_options pool = workers(3);
    pool.breaker.threshold = 1;
    rig r(ctx, pool);
    add_where(r);
    r.execute("fail", nullptr, in_turn); // p/1
    BOOST_TEST(r.loads() == "p/1 idle open, p/2 idle, p/3 idle");
    std::vector<int> got;
    for (int n = 0; n < 4; ++n)
        got.push_back(where(r, in_turn));
    BOOST_TEST(got == (std::vector{2, 3, 2, 3}), boost::test_tools::per_element());
    for (std::uint64_t k = 0; k < 20; ++k)
        BOOST_TEST(where(r, by_key(k)) != 1);
}

LIFEGUARD_TEST(DISP_04_same_key_same_worker) {
    rig r(ctx, workers(5));
    add_where(r);
    const auto used = [&](const std::vector<std::string>& keys, int calls) {
        std::set<int> seen;
        for (int n = 0; n < calls; ++n)
            seen.insert(where(r, by_key(keys[static_cast<std::size_t>(n) % keys.size()])));
        return seen.size();
    };
    BOOST_TEST(used({"anna", "bert"}, 100) <= 2U);
    std::vector<std::string> many;
    for (int n = 0; n < 100; ++n)
        many.push_back("customer " + std::to_string(n));
    BOOST_TEST(used(many, 100) == 5U);
    std::set<int> by_number;
    for (std::uint64_t k = 0; k < 500; k += 5)
        by_number.insert(where(r, by_key(k)));
    BOOST_TEST(by_number.size() == 5U);
}

LIFEGUARD_TEST(DISP_04_key_need_not_outlive_the_call) {
    rig r(ctx, workers(3));
    add_where(r);
    const std::string customer = "a name that is too long for the small string buffer";
    const auto call = [&]() -> asio::awaitable<json> {
        co_return co_await r.pool().execute(new_job("where"),
                                            {.dispatch = dispatch::by_key, .key = customer + "!"});
    };
    BOOST_TEST(ctx.await(call) == json(where(r, by_key(customer + "!"))));
}

LIFEGUARD_TEST(DISP_04_jobs_of_a_key_wait_for_their_worker_in_order) {
    rig r(ctx, workers(3));
    std::vector<int> order;
    r.the_engine().handle("note", [&](job_context& job) -> asio::awaitable<json> {
        order.push_back(job.payload().get<int>());
        co_return std::string(job.worker());
    });
    const auto busy = r.execute("wait", 1, by_key("anna"));
    const std::string hers = r.loads();
    std::vector<test_future<json>> all;
    for (int n = 0; n < 6; ++n)
        all.push_back(r.execute("note", n, by_key("anna")));
    BOOST_TEST(order.empty()); // though two others are idle
    for (int n = 0; n < 5; ++n)
        r.done("double", n); // and come by
    BOOST_TEST(order.empty());
    BOOST_TEST(r.loads().find("busy 1 +6") != std::string::npos, r.loads());
    r.doors.open();
    ctx.settle();
    std::set<json> ran_on;
    for (auto& f : all)
        ran_on.insert(f.get());
    BOOST_TEST(ran_on.size() == 1U);
    BOOST_TEST(order == (std::vector{0, 1, 2, 3, 4, 5}), boost::test_tools::per_element());
    BOOST_TEST(hers.find("busy 1") != std::string::npos);
    BOOST_TEST(busy.ready());
}

LIFEGUARD_TEST(DISP_04_jobs_of_a_killed_worker_are_done_by_others) {
    rig r(ctx, workers(2));
    const auto running = r.execute("wait", 1, by_key("anna"));
    const std::string hers = r.worker(1).busy == 1 ? "p/1" : "p/2";
    const auto waiting = r.execute("double", 4, by_key("anna"));
    BOOST_TEST(!waiting.ready());
    r.kill(hers);
    ctx.settle();
    BOOST_TEST((running.error() == errc::killed));
    BOOST_TEST(waiting.ready());
}

LIFEGUARD_TEST(DISP_04_job_of_a_key_is_withdrawn_when_its_worker_does_not_come_to_it) {
    rig r(ctx, workers(2));
    const auto running = r.execute("wait", 1, by_key("anna"));
    execute_options impatient = by_key("anna");
    impatient.checkout_wait = 2s;
    const auto waiting = r.execute("double", 4, impatient);
    ctx.advance(2s);
    BOOST_TEST((waiting.error() == errc::pool_exhausted));
    BOOST_TEST(r.loads().find("+") == std::string::npos);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(running.ready());
}

LIFEGUARD_TEST(DISP_05_all_busy_is_said_at_once) {
    rig r(ctx, workers(2));
    const auto one = r.execute("wait", 1, to_an_idle_one);
    const auto two = r.execute("wait", 2, to_an_idle_one);
    BOOST_TEST((r.execute("double", 1, to_an_idle_one).error() == errc::no_available_workers));
    BOOST_TEST(r.status().available == 0U);
    BOOST_TEST(r.status().exhausted_total == 0U);
    r.doors.admit();
    ctx.settle();
    const auto three = r.execute("wait", 3, to_an_idle_one);
    BOOST_TEST(!three.ready());
    BOOST_TEST((r.execute("double", 1, to_an_idle_one).error() == errc::no_available_workers));
    r.doors.open();
    ctx.settle();
    BOOST_TEST((one.ready() && two.ready() && three.ready()));
}

LIFEGUARD_TEST(choice_does_not_matter_to_a_pool_that_takes_other_priorities_only) {
    worker_pool_options pool = workers(1);
    pool.priority = 1;
    rig r(ctx, pool);
    execute_options how = in_turn;
    how.checkout_wait = 1s;
    const auto never = r.execute("double", 1, how);
    ctx.advance(1s);
    BOOST_TEST((never.error() == errc::pool_exhausted));
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
