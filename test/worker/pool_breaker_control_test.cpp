// The breakers of a pool, in each scope: how many probes, and what is done by hand.
#include "worker/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

/// Opens at the first failure; two probes at once, two successes to close.
worker_pool_options probing(breaker_scope scope, unsigned size) {
    worker_pool_options pool = workers(size);
    pool.breaker_scope = scope;
    pool.breaker.threshold = 1;
    pool.breaker.permits = 2;
    pool.breaker.successes = 2;
    return pool;
}

/// The states of the breakers: "p/1 closed, p/2 open".
std::string states(const rig& r) {
    std::string text;
    for (const breaker_status& b : r.pool().breakers())
        text += (text.empty() ? "" : ", ") + b.name + " " + std::string(name_of(b.state));
    return text;
}

void control(rig& r, const std::string& breaker, breaker_command what) {
    r.pool().control_breaker(breaker, what);
    r.ctx.settle();
}

std::vector<job_id> submit(rig& r, int count, const std::string& kind) {
    std::vector<job_id> ids;
    for (int n = 0; n < count; ++n)
        ids.push_back(r.submit(kind));
    return ids;
}

bool all_completed(const rig& r, const std::vector<job_id>& ids) {
    return std::ranges::all_of(ids, [&](const job_id& id) { return r.state(id) == "completed"; });
}

void admit(rig& r) {
    BOOST_TEST(r.doors.admit());
    r.ctx.settle();
}

} // namespace

BOOST_AUTO_TEST_SUITE(pool_breaker_control)

// --- half open

LIFEGUARD_TEST(pool_scope_workers_share_the_permits_of_their_breaker) {
    rig r(ctx, probing(breaker_scope::pool, 4));
    r.execute("fail");
    const auto jobs = submit(r, 6, "wait");
    ctx.advance(10s);
    BOOST_TEST(states(r) == "p half_open");
    BOOST_TEST(r.running.load() == 2);
    BOOST_TEST(r.status().available == 4U);
    admit(r); // one success of two: another probe takes its place
    BOOST_TEST(states(r) == "p half_open");
    BOOST_TEST(r.running.load() == 2);
    admit(r);
    BOOST_TEST(states(r) == "p closed");
    BOOST_TEST(r.running.load() == 4);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(all_completed(r, jobs));
}

LIFEGUARD_TEST(pool_scope_one_failed_probe_opens_it_again_whatever_the_other_answers) {
    rig r(ctx, probing(breaker_scope::pool, 3));
    r.execute("fail");
    const job_id slow = r.submit("wait");
    r.submit("fail");
    const job_id next = r.submit("double", 1);
    ctx.advance(10s);
    BOOST_TEST(states(r) == "p open");
    BOOST_TEST(r.running.load() == 1);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(slow) == "completed"); // too late to count
    BOOST_TEST(states(r) == "p open");
    BOOST_TEST(r.state(next) == "available");
    BOOST_TEST(r.status().breakers_opened_total == 2U);
}

LIFEGUARD_TEST(kind_scope_workers_share_the_permits_of_the_kinds_breaker) {
    rig r(ctx, probing(breaker_scope::kind, 4));
    std::atomic<bool> works = false;
    r.the_engine().handle("flaky", [&](job_context&) -> asio::awaitable<json> {
        if (!works)
            throw std::runtime_error("down");
        co_await r.doors.pass();
        co_return 1;
    });
    r.execute("flaky");
    works = true;
    const auto jobs = submit(r, 5, "flaky");
    ctx.advance(10s);
    BOOST_TEST(states(r) == "p:flaky half_open");
    BOOST_TEST(r.status().busy == 2U);
    BOOST_TEST(r.done("double", 2) == json(4)); // the others are free for other kinds
    admit(r);
    BOOST_TEST(r.status().busy == 2U);
    admit(r);
    BOOST_TEST(states(r) == "p:double closed, p:flaky closed");
    BOOST_TEST(r.status().busy == 3U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(all_completed(r, jobs));
}

LIFEGUARD_TEST(worker_scope_each_worker_has_its_own_permits) {
    worker_pool_options pool = probing(breaker_scope::worker, 2);
    pool.concurrency = 3;
    rig r(ctx, pool);
    r.execute("fail");
    r.execute("fail"); // the other one
    BOOST_TEST(states(r) == "p/1 open, p/2 open");
    const auto jobs = submit(r, 6, "wait");
    ctx.advance(10s);
    BOOST_TEST(r.loads() == "p/1 busy 2 half_open, p/2 busy 2 half_open");
    r.doors.open();
    ctx.settle();
    BOOST_TEST(all_completed(r, jobs));
    BOOST_TEST(states(r) == "p/1 closed, p/2 closed");
}

// --- by hand

LIFEGUARD_TEST(pool_scope_forced_open_refuses_until_it_is_enabled) {
    rig r(ctx, probing(breaker_scope::pool, 2));
    control(r, "p", breaker_command::force_open);
    BOOST_TEST(r.loads() == "p/1 idle forced_open, p/2 idle forced_open");
    BOOST_TEST(r.status().breakers_open == 1U);
    const auto refused = r.execute("double", 1);
    BOOST_TEST((refused.error() == errc::breaker_open));
    const job_id waiting = r.submit("double", 1);
    ctx.advance(1h);
    BOOST_TEST(r.state(waiting) == "available");
    BOOST_TEST(r.job(waiting).deliveries == 0U);
    control(r, "p", breaker_command::enable);
    BOOST_TEST(r.state(waiting) == "completed");
    BOOST_TEST(states(r) == "p closed");
    BOOST_TEST(r.status().breakers_open == 0U);
    BOOST_TEST(r.status().breakers_closed_total == 0U); // it is not its probes that closed it
    BOOST_TEST(r.log->count("event=breaker_forced_open pool=p breaker=p") == 1U);
    BOOST_TEST(r.log->count("event=breaker_closed pool=p breaker=p") == 1U);
}

LIFEGUARD_TEST(pool_scope_disabled_counts_no_failures) {
    rig r(ctx, probing(breaker_scope::pool, 1));
    control(r, "p", breaker_command::disable);
    for (int i = 0; i < 5; ++i)
        r.execute("fail");
    BOOST_TEST(states(r) == "p disabled");
    BOOST_TEST(r.done("double", 1) == json(2));
    control(r, "p", breaker_command::enable);
    r.execute("fail");
    BOOST_TEST(states(r) == "p open");
    BOOST_TEST(r.log->count("event=breaker_disabled pool=p breaker=p") == 1U);
}

LIFEGUARD_TEST(trip_half_open_and_reset_by_hand) {
    rig r(ctx, probing(breaker_scope::pool, 3));
    control(r, "p", breaker_command::trip);
    BOOST_TEST(states(r) == "p open");
    BOOST_TEST(r.status().breakers_opened_total == 1U);
    const auto jobs = submit(r, 3, "wait");
    BOOST_TEST(r.running.load() == 0);
    control(r, "p", breaker_command::half_open); // before its time
    BOOST_TEST(r.running.load() == 2);
    control(r, "p", breaker_command::reset);
    BOOST_TEST(r.running.load() == 3);
    BOOST_TEST(states(r) == "p closed");
    BOOST_TEST(r.status().breakers_closed_total == 0U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(all_completed(r, jobs));
}

LIFEGUARD_TEST(tripped_by_hand_it_probes_when_its_time_has_come) {
    rig r(ctx, probing(breaker_scope::worker, 1));
    control(r, "p/1", breaker_command::trip);
    const job_id waiting = r.submit("double", 1);
    ctx.advance(9s);
    BOOST_TEST(r.state(waiting) == "available");
    ctx.advance(1s);
    BOOST_TEST(r.state(waiting) == "completed");
}

LIFEGUARD_TEST(worker_scope_forced_open_outlasts_the_worker_and_others_take_its_jobs) {
    rig r(ctx, probing(breaker_scope::worker, 2));
    const auto first = r.execute("wait");
    const auto second = r.execute("wait");
    execute_options to_first;
    to_first.dispatch = dispatch::round_robin;
    to_first.checkout_wait = 1h;
    const auto behind = r.execute("echo", "x", to_first); // behind p/1's
    BOOST_TEST(r.worker(1).assigned == 1U);
    control(r, "p/1", breaker_command::force_open);
    BOOST_TEST(r.worker(1).assigned == 0U);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(test_future(behind).get() == json("x"));
    BOOST_TEST(r.worker(1).processed == 1U); // what it ran goes on
    BOOST_TEST(r.worker(2).processed == 2U);

    const std::uint64_t pulled = r.worker(1).pulled;
    r.kill("p/1");
    ctx.settle();
    BOOST_TEST(r.worker(1).incarnation == 2U);
    BOOST_TEST(r.loads() == "p/1 idle forced_open, p/2 idle");
    r.done("double", 1);
    r.done("double", 1);
    BOOST_TEST(r.worker(1).pulled == pulled);
    control(r, "p/1", breaker_command::enable);
    BOOST_TEST(r.loads() == "p/1 idle, p/2 idle");
}

LIFEGUARD_TEST(kind_scope_forced_open_stops_one_kind) {
    rig r(ctx, probing(breaker_scope::kind, 1));
    r.done("double", 1);
    r.done("echo", 1);
    const auto held = r.execute("wait");
    const job_id doubled = r.submit("double", 1);
    const job_id echoed = r.submit("echo", 1);
    control(r, "p:double", breaker_command::force_open);
    r.doors.open();
    ctx.settle();
    BOOST_TEST(r.state(echoed) == "completed");
    BOOST_TEST(r.state(doubled) == "available");
    BOOST_TEST((r.execute("double", 1).error() == errc::breaker_open));
    control(r, "p:double", breaker_command::reset);
    BOOST_TEST(r.state(doubled) == "completed");
    BOOST_TEST(held.ready());
}

LIFEGUARD_TEST(what_cannot_be_done_by_hand_is_refused) {
    rig r(ctx, probing(breaker_scope::worker, 1));
    const auto refused = [&](const char* name, breaker_command what) {
        return thrown_by([&] { r.pool().control_breaker(name, what); });
    };
    const thrown unknown = refused("p/7", breaker_command::reset);
    BOOST_TEST((unknown.code == errc::not_found));
    BOOST_TEST(unknown.text.find("pool 'p': breaker 'p/7'") != std::string::npos, unknown.text);
    BOOST_TEST((refused("p", breaker_command::reset).code == errc::not_found));
    BOOST_TEST((refused("p/1", breaker_command::half_open).code == errc::illegal_transition));
    control(r, "p/1", breaker_command::force_open);
    BOOST_TEST((refused("p/1", breaker_command::trip).code == errc::illegal_transition));
    BOOST_TEST(states(r) == "p/1 forced_open");
}

BOOST_AUTO_TEST_SUITE_END()
