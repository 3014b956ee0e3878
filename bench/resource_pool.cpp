// What do leases, transactions and breakers cost, against Asio alone? See docs/benchmarks.md.
//
//   resource_pool [--json] [--quick]

#include <lifeguard/resource_pool.hpp>

#include "support/compare.hpp"
#include "support/floor.hpp"
#include "support/process.hpp"
#include <lifeguard/circuit_breaker.hpp>
#include <lifeguard/dynamic_workers.hpp>
#include <lifeguard/lifeguard.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>

namespace {

using namespace bench;
using clock_type = std::chrono::steady_clock;

constexpr int resources = 10;
constexpr int pairs = 9;

struct resource {
    int used = 0;
};
using pool_type = lifeguard::resource_pool<resource>;

double ns_since(clock_type::time_point start, int n) {
    return std::chrono::duration<double, std::nano>(clock_type::now() - start).count() / n;
}

/// The hand-over of `bench/pool_execute`: there and back by post.
double floor_run(int callers, int calls) {
    asio::io_context io(1);
    floor_queue queue(io.get_executor());
    int left = callers;
    double ns = 0;
    clock_type::time_point start;
    for (int i = 0; i < resources; ++i)
        asio::co_spawn(io, queue.work(), asio::detached);
    const auto call = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < calls / callers; ++i)
            co_await queue.call(i);
        if (--left == 0) {
            ns = ns_since(start, calls);
            queue.close();
        }
    };
    for (int i = 0; i < callers; ++i)
        asio::co_spawn(io, call, asio::detached);
    start = clock_type::now();
    io.run();
    return ns;
}

asio::awaitable<void> trivial(resource& r) {
    ++r.used;
    co_return;
}

// With a suspension, so that others come to the pool meanwhile.
asio::awaitable<void> yielding(resource& r) {
    ++r.used;
    co_await asio::post(asio::deferred);
}

asio::awaitable<void> check_out_and_in(pool_type& pool, int n) {
    for (int i = 0; i < n; ++i) {
        auto held = co_await pool.checkout();
        ++held->used;
    }
}

// With a suspension, so that others wait for their turn.
asio::awaitable<void> hold_a_while(pool_type& pool, int n) {
    for (int i = 0; i < n; ++i) {
        auto held = co_await pool.checkout();
        co_await asio::post(asio::deferred);
    }
}

asio::awaitable<void> transact(pool_type& pool, int n, asio::awaitable<void> (*body)(resource&)) {
    for (int i = 0; i < n; ++i)
        co_await pool.transaction(body);
}

/// Runs `callers` coroutines of `work` on a pool; nanoseconds per call.
double pool_run(int callers, int calls,
                const std::function<asio::awaitable<void>(pool_type&, int)>& work,
                std::uint64_t* leases = nullptr,
                lifeguard::duration checkout_timeout = std::chrono::minutes(10)) {
    asio::io_context io(1);
    lifeguard::resource_pool_options options;
    options.size = resources;
    options.max_overflow = 0;
    options.checkout_timeout = checkout_timeout;
    pool_type pool(io.get_executor(), options,
                   lifeguard::resource_spec<resource>(
                       []() -> asio::awaitable<resource> { co_return resource(); }));
    asio::co_spawn(io, pool.run(), lifeguard::rethrow);
    io.poll(); // the resources are there
    int left = callers;
    double ns = 0;
    clock_type::time_point start;
    const auto call = [&]() -> asio::awaitable<void> {
        co_await work(pool, calls / callers);
        if (--left == 0) {
            ns = ns_since(start, calls);
            co_await pool.stop();
        }
    };
    for (int i = 0; i < callers; ++i)
        asio::co_spawn(io, call, lifeguard::rethrow);
    start = clock_type::now();
    io.restart();
    io.run();
    if (leases != nullptr)
        *leases = pool.status().checkouts_total;
    return ns;
}

/// What a limit adds to a checkout that has to wait, against one that waits as long as it takes.
double checkout_timeout_ns(int calls) {
    std::vector<double> added;
    for (int i = 0; i < pairs; ++i) {
        const double without =
            pool_run(1000, calls, hold_a_while, nullptr, lifeguard::duration::max());
        const double with = pool_run(1000, calls, hold_a_while, nullptr, std::chrono::seconds(5));
        added.push_back(with - without);
    }
    return median(added);
}

struct periodic {
    double core_percent = 0;
    std::uint64_t performs = 0;
};

/// What `io` costs once everything has begun and waits, while `performs` counts.
periodic once_a_second(asio::io_context& io, const std::uint64_t& performs, double seconds) {
    io.run_for(std::chrono::milliseconds(500));
    const double before = cpu_seconds();
    const std::uint64_t performed = performs;
    io.run_for(std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::duration<double>(seconds)));
    return {(cpu_seconds() - before) / seconds * 100, performs - performed};
}

/// As many coroutines of Asio alone, each with a timer of its own.
periodic plain_timers(int timers, double seconds) {
    asio::io_context io(1);
    std::uint64_t performs = 0;
    const auto tick = [&]() -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, clock_type::now());
        for (;;) {
            timer.expires_at(timer.expiry() + std::chrono::seconds(1));
            co_await timer.async_wait(asio::deferred);
            ++performs;
        }
    };
    for (int i = 0; i < timers; ++i)
        asio::co_spawn(io, tick, asio::detached);
    return once_a_second(io, performs, seconds);
}

/// Workers that perform once a second and do nothing then.
periodic dynamic_workers(int workers, double seconds) {
    asio::io_context io(1);
    std::uint64_t performs = 0;
    lifeguard::worker_behaviour behaviour;
    behaviour.children_specs = [workers] {
        std::map<std::string, lifeguard::worker_spec> all;
        for (int i = 0; i < workers; ++i)
            all.emplace("worker-" + std::to_string(i), lifeguard::worker_spec());
        return all;
    };
    behaviour.perform = [&](const std::string&, const lifeguard::json&) {
        ++performs;
        return lifeguard::worker_outcome();
    };
    lifeguard::dynamic_workers_options options;
    options.workers_max = static_cast<std::size_t>(workers);
    lifeguard::dynamic_workers manager(io.get_executor(), options, behaviour);
    asio::co_spawn(io, manager.run(), lifeguard::rethrow);
    return once_a_second(io, performs, seconds);
}

double breaker_ns(int n) {
    lifeguard::circuit_breaker breaker;
    const auto now = clock_type::now();
    const auto start = clock_type::now();
    for (int i = 0; i < n; ++i) {
        const auto permit = breaker.admit(now);
        if (permit)
            breaker.success(*permit, now);
    }
    return ns_since(start, n);
}

} // namespace

int main(int argc, char** argv) {
    report r("resource_pool", argc, argv);
    have_had_threads();
    const int calls = r.quick() ? 20'000 : 400'000;
    r.config("calls", calls);
    r.config("resources", resources);
    r.config("pairs", pairs);
    r.print_config();

    const auto floor_1 = [&] { return floor_run(1, calls); };
    const auto floor_1000 = [&] { return floor_run(1000, calls); };
    const auto transactions = [](asio::awaitable<void> (*body)(resource&)) {
        return [body](pool_type& pool, int n) { return transact(pool, n, body); };
    };
    const compared checkout =
        compare(pairs, floor_1, [&] { return pool_run(1, calls, check_out_and_in); });
    const compared transaction =
        compare(pairs, floor_1, [&] { return pool_run(1, calls, transactions(trivial)); });
    const compared contended =
        compare(pairs, floor_1000, [&] { return pool_run(1000, calls, transactions(yielding)); });

    r.figure("floor_ns", floor_1(), "hand-over there and back by post, 1 caller");
    r.figure("checkout_ns", checkout.ours, "checkout and checkin, nobody else");
    r.figure("checkout_ratio", checkout.ratio, "the same / floor (must: 0.75)");
    r.figure("transaction_ns", transaction.ours, "transaction with a trivial body, nobody else");
    r.figure("transaction_ratio", transaction.ratio, "the same / floor (must: 1.0)");
    r.figure("contended_ns", contended.ours, "transaction, 1000 coroutines for 10 resources");
    r.figure("contended_ratio", contended.ratio, "the same / floor of 1000 (must: 2.0)");
    r.figure("breaker_ns", breaker_ns(calls * 10), "admission and success (must: 60)");

    r.figure("checkout_timeout_ns", checkout_timeout_ns(calls),
             "what a time limit adds to a checkout that waits (must: 30)");

    const int workers = r.quick() ? 1'000 : 10'000;
    const double seconds = r.quick() ? 2 : 10;
    const periodic plain = plain_timers(workers, seconds);
    const periodic dynamic = dynamic_workers(workers, seconds);
    r.figure("plain_core_percent", plain.core_percent,
             "of a core, for 10,000 coroutines of Asio alone with a timer each");
    r.figure("dynamic_core_percent", dynamic.core_percent,
             "of a core, for 10,000 dynamic workers at 1 s (must: 3)");
    r.figure("dynamic_performs", static_cast<double>(dynamic.performs), "by them");
    // No lower bound near the truth: a machine that is busy with something else falls behind.
    r.check(static_cast<double>(dynamic.performs) >= workers &&
                static_cast<double>(dynamic.performs) <= workers * seconds * 1.2,
            "the dynamic workers performed, and not more than once a second");

    std::uint64_t leases = 0;
    pool_run(100, calls, transactions(yielding), &leases);
    r.figure("leases", static_cast<double>(leases), "counted by the pool; must be the calls");
    r.check(leases == static_cast<std::uint64_t>(calls), "every call had a lease");
    return r.finish();
}
