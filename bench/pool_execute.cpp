// What does `co_await pool.execute(job)` cost, against Asio alone? See docs/benchmarks.md.
//
//   pool_execute [--json] [--quick] [--profile CALLERS]

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/floor.hpp"
#include "support/process.hpp"
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/metrics.hpp>

#include <atomic>

namespace {

using namespace bench;
using clock_type = std::chrono::steady_clock;

constexpr int workers = 10;

void run(asio::io_context& io, int threads) {
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i)
        others.emplace_back([&] { io.run(); });
    io.run();
    for (std::thread& t : others)
        t.join();
}

/// Counts callers down; the last one ends the measurement.
struct countdown {
    std::atomic<int> left;
    std::function<void()> last;
    void done() {
        if (left.fetch_sub(1) == 1)
            last();
    }
};

struct measured {
    double ns = 0;
    double allocations = 0;
};

measured floor_run(int callers, int jobs, int threads) {
    asio::io_context io(threads);
    floor_queue queue(io.get_executor());
    clock_type::time_point end;
    countdown remaining{callers, [&] {
                            end = clock_type::now();
                            queue.close();
                        }};
    for (int i = 0; i < workers; ++i)
        asio::co_spawn(io, queue.work(), asio::detached);
    const int each = jobs / callers;
    const auto call = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < each; ++i)
            co_await queue.call(i);
        remaining.done();
    };
    for (int i = 0; i < callers; ++i)
        asio::co_spawn(io, call, asio::detached);
    const auto start = clock_type::now();
    run(io, threads);
    return {std::chrono::duration<double, std::nano>(end - start).count() / (each * callers), 0};
}

/// What the engine itself says that it did.
struct proof {
    std::uint64_t jobs = 0;
    std::uint64_t jobs_per_worker_min = 0;
    std::uint64_t timeouts_armed = 0;
    std::uint64_t breaker_successes = 0;
    std::uint64_t metrics_jobs = 0;
};

enum class load { trivial, json_120, busy_20us };

constexpr const char* payload_120 =
    R"({"user":"4711","action":"resize","width":640,"height":480,)"
    R"("format":"webp","quality":85,"meta":{"tenant":"acme","try":1}})";

asio::awaitable<lifeguard::json> trivial(lifeguard::job_context&) { co_return 1; }

asio::awaitable<lifeguard::json> parsing(lifeguard::job_context& job) {
    co_return job.payload().at("width").get<int>() * 2;
}

asio::awaitable<lifeguard::json> busy(lifeguard::job_context&) {
    const auto until = clock_type::now() + std::chrono::microseconds(20);
    while (clock_type::now() < until) {
    }
    co_return 1;
}

lifeguard::engine_options options() {
    lifeguard::engine_options o;
    lifeguard::worker_pool_options pool;
    pool.size = workers;
    pool.max_overflow = 0;
    pool.checkout_wait = std::chrono::minutes(10);
    o.pools.push_back(pool);
    return o;
}

measured pool_run(int callers, int jobs, int threads, load what, proof* counted = nullptr) {
    asio::io_context io(threads);
    lifeguard::engine engine(io.get_executor(), options());
    engine.handle("job", what == load::trivial ? trivial : what == load::json_120 ? parsing : busy);
    lifeguard::worker_pool pool = engine.pool("default");
    const int each = jobs / callers;
    clock_type::time_point end;
    std::uint64_t allocated = 0;
    countdown remaining{callers, [&] {
                            end = clock_type::now();
                            allocated = allocations() - allocated;
                            engine.request_stop();
                        }};
    const auto call = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < each; ++i) {
            lifeguard::new_job job = what == load::json_120
                                         ? lifeguard::new_job::from_text("job", payload_120)
                                         : lifeguard::new_job("job");
            co_await pool.execute(std::move(job));
        }
        remaining.done();
    };
    asio::co_spawn(io, engine.run(), lifeguard::rethrow);
    io.poll(); // the workers are there
    for (int i = 0; i < callers; ++i)
        asio::co_spawn(io, call, lifeguard::rethrow);
    const auto start = clock_type::now();
    allocated = allocations();
    io.restart();
    run(io, threads);

    const double done = each * callers;
    if (counted != nullptr) {
        counted->jobs = static_cast<std::uint64_t>(done);
        counted->jobs_per_worker_min = counted->jobs;
        for (const lifeguard::worker_status& w : pool.workers()) {
            counted->jobs_per_worker_min = std::min(counted->jobs_per_worker_min, w.processed);
            counted->breaker_successes += w.breaker_successes;
        }
        counted->timeouts_armed = pool.status().timeouts_armed;
        const auto observed = engine.metrics_value("lifeguard_job_duration_seconds",
                                                   {{"pool", "default"}, {"outcome", "success"}});
        counted->metrics_jobs = static_cast<std::uint64_t>(observed.value_or(0));
    }
    return {std::chrono::duration<double, std::nano>(end - start).count() / done,
            static_cast<double>(allocated) / done};
}

constexpr int pairs = 9;

compared execute_and_floor(int callers, int jobs, int threads) {
    return compare(
        pairs, [&] { return floor_run(callers, jobs, threads).ns; },
        [&] { return pool_run(callers, jobs, threads, load::trivial).ns; });
}

double idle_cpu_ms(double for_seconds) {
    asio::io_context io(1);
    lifeguard::engine_options o;
    for (int i = 0; i < 100; ++i) {
        lifeguard::worker_pool_options& pool = o.pools.emplace_back();
        pool.name = "pool-" + std::to_string(i);
        pool.queues = {"queue-" + std::to_string(i)};
    }
    lifeguard::engine engine(io.get_executor(), std::move(o));
    engine.handle("job", trivial);
    asio::co_spawn(io, engine.run(), lifeguard::rethrow);
    io.poll();
    const double before = cpu_seconds();
    io.run_for(std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::duration<double>(for_seconds)));
    return (cpu_seconds() - before) * 1e3;
}

double bytes_per_queued_job(int jobs) {
    asio::io_context io(1);
    lifeguard::engine engine(io.get_executor(), options());
    const double before = rss_bytes();
    asio::co_spawn(
        io,
        [](lifeguard::job_queue queue, int n) -> asio::awaitable<void> {
            for (int i = 0; i < n; ++i)
                co_await queue.push(lifeguard::new_job("job")); // "null" needs no memory of its own
        }(engine.queue(), jobs),
        lifeguard::rethrow);
    io.run();
    return (rss_bytes() - before) / jobs;
}

} // namespace

int main(int argc, char** argv) {
    report r("pool_execute", argc, argv, {"--profile"});
    have_had_threads();
    const int jobs = r.quick() ? 20'000 : 400'000;
    if (r.has("--profile")) {
        const int callers = std::atoi(argv[argc - 1]);
        std::printf("%d callers: %.1f ns per job\n", callers,
                    pool_run(callers, jobs, 1, load::trivial).ns);
        return 0;
    }
    r.config("jobs", jobs);
    r.config("workers", workers);
    r.config("pairs", pairs);
    r.config("store", "memory");
    r.config("payload", "null");
    r.print_config();

    const double bytes = bytes_per_queued_job(r.quick() ? 100'000 : 1'000'000);
    pool_run(100, jobs, 1, load::trivial); // warms up

    const compared one = execute_and_floor(1, jobs / 2, 1);
    const compared hundred = execute_and_floor(100, jobs, 1);
    const compared thousand = execute_and_floor(1000, jobs, 1);
    const compared two = execute_and_floor(100, jobs / 2, 2);
    r.figure("floor_ns", one.floor, "hand-over there and back by post, 1 caller");
    r.figure("floor_100_ns", hundred.floor, "the same, 100 callers");
    r.figure("floor_1000_ns", thousand.floor, "the same, 1000 callers");
    r.figure("execute_1_ns", one.ours, "execute, 1 caller");
    r.figure("execute_100_ns", hundred.ours, "execute, 100 callers");
    r.figure("execute_1000_ns", thousand.ours, "execute, 1000 callers");
    r.figure("ratio_1", one.ratio, "execute / floor (must: 3.0)");
    r.figure("ratio_100", hundred.ratio, "execute / floor (must: 2.5)");
    r.figure("ratio_1000", thousand.ratio, "execute / floor (must: 2.5)");
    r.figure("executes_per_second_100", 1e9 / hundred.ours, "one thread");
    r.figure("two_threads_ratio", two.ratio,
             "execute / floor on two threads, 100 callers (must: 2.5)");

    std::vector<double> speedups;
    for (int i = 0; i < (r.quick() ? 1 : 5); ++i)
        speedups.push_back(pool_run(100, jobs / 10, 1, load::busy_20us).ns /
                           pool_run(100, jobs / 10, 2, load::busy_20us).ns);
    r.figure("cpu_speedup", median(speedups),
             "20 us handlers, two threads against one (must: 1.6)");

    proof counted;
    const measured detail = pool_run(100, jobs, 1, load::trivial, &counted);
    r.figure("allocations_per_job", detail.allocations, "blocks from the heap (must: 6)");
    r.figure("json_120_ns", pool_run(100, jobs / 4, 1, load::json_120).ns,
             "execute with a payload of 120 bytes, parsed");
    r.figure("idle_cpu_ms", idle_cpu_ms(r.quick() ? 1 : 10), "100 idle pools, 10 s (must: 10)");
    r.figure("bytes_per_queued_job", bytes, "beyond the payload (must: 400)");
    r.figure("jobs", static_cast<double>(counted.jobs), "executed in the run that was counted");
    r.figure("jobs_per_worker_min", static_cast<double>(counted.jobs_per_worker_min),
             "by the least used worker");
    r.figure("timeouts_armed", static_cast<double>(counted.timeouts_armed),
             "must be the number of jobs");
    r.figure("breaker_successes", static_cast<double>(counted.breaker_successes), "likewise");
    r.figure("metrics_jobs", static_cast<double>(counted.metrics_jobs), "likewise");
    r.check(counted.jobs_per_worker_min > 0, "every worker has run jobs");
    r.check(counted.timeouts_armed == counted.jobs, "every job ran under a timeout");
    r.check(counted.breaker_successes == counted.jobs, "every job was told to a breaker");
    r.check(counted.metrics_jobs == counted.jobs, "every job was counted by the metrics");
    return r.finish();
}
