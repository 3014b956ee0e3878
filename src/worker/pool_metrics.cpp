#include "worker/pool_metrics.hpp"

#include "base/runtime.hpp"
#include "worker/pool_core.hpp"

namespace lifeguard::detail {
namespace {

using total = std::uint64_t pool_status::*;

std::function<double()> reader(const std::weak_ptr<pool_core>& pool, total which) {
    return [pool, which]() -> double {
        const auto alive = pool.lock();
        return alive ? static_cast<double>(alive->total(which)) : 0;
    };
}

template <typename F>
std::function<double()> status_reader(const std::weak_ptr<pool_core>& pool, F f) {
    return [pool, f]() -> double {
        const auto alive = pool.lock();
        return alive ? static_cast<double>(f(alive->status())) : 0;
    };
}

} // namespace

pool_metrics::pool_metrics(const std::weak_ptr<pool_core>& pool, runtime& shared,
                           const std::string& name)
    : scope_(shared.metrics, {{"pool", name}}),
      waits_(scope_.make_histogram("lifeguard_job_wait_seconds", "From available to started.")),
      successes_(scope_.make_histogram("lifeguard_job_duration_seconds", "How long attempts took.",
                                       {{"outcome", "success"}})),
      failures_(scope_.make_histogram("lifeguard_job_duration_seconds", "How long attempts took.",
                                      {{"outcome", "failure"}})) {
    offer_totals(pool);
    if (shared.seed_names)
        offer_seed_names(pool);
}

void pool_metrics::offer_totals(const std::weak_ptr<pool_core>& pool) {
    const auto counts = [&](const char* metric, const char* help, total which) {
        scope_.make_counter(metric, help, {}, reader(pool, which));
    };
    counts("lifeguard_pool_exhausted_total", "Executes that found no worker in time.",
           &pool_status::exhausted_total);
    counts("lifeguard_workers_killed_total", "Workers that were killed.",
           &pool_status::killed_total);
    counts("lifeguard_job_timeouts_total", "Attempts that ran into their timeout.",
           &pool_status::timeouts_total);
    counts("lifeguard_jobs_stuck_total", "Attempts that ignored their cancellation.",
           &pool_status::stuck_total);
    counts("lifeguard_breaker_opened_total", "Circuit breakers that opened.",
           &pool_status::breakers_opened_total);
    counts("lifeguard_breaker_closed_total", "Circuit breakers that closed.",
           &pool_status::breakers_closed_total);
    scope_.make_counter("lifeguard_worker_restarts_total", "Workers that were restarted.", {},
                        status_reader(pool, [](const pool_status& s) { return s.restarts_total; }));
    scope_.make_counter("lifeguard_log_errors_total", "Records that the log's sink threw at.", {},
                        [pool]() -> double {
                            const auto alive = pool.lock();
                            return alive ? static_cast<double>(alive->log_errors()) : 0;
                        });
    scope_.make_gauge("lifeguard_workers", "Workers alive.", {{"state", "idle"}},
                      status_reader(pool, [](const pool_status& s) { return s.idle; }));
    scope_.make_gauge("lifeguard_workers", "Workers alive.", {{"state", "busy"}},
                      status_reader(pool, [](const pool_status& s) { return s.busy; }));
    scope_.make_gauge("lifeguard_breakers_open", "Circuit breakers that are open.", {},
                      status_reader(pool, [](const pool_status& s) { return s.breakers_open; }));
    scope_.make_gauge("lifeguard_lanes_abandoned",
                      "Handlers that still run though they were given up.", {},
                      status_reader(pool, [](const pool_status& s) { return s.lanes_abandoned; }));
}

void pool_metrics::offer_seed_names(const std::weak_ptr<pool_core>& pool) {
    scope_.make_counter("worker_pool_exhausted_total", "Executes that found no worker in time.", {},
                        reader(pool, &pool_status::exhausted_total));
    scope_.make_counter("circuit_breaker_opened_total", "Circuit breakers that opened.", {},
                        reader(pool, &pool_status::breakers_opened_total));
    scope_.make_counter("circuit_breaker_closed_total", "Circuit breakers that closed.", {},
                        reader(pool, &pool_status::breakers_closed_total));
    seed_durations_ =
        &scope_.make_histogram("job_processing_duration_ms", "How long attempts took.", {},
                               {1, 5, 10, 50, 100, 500, 1000, 5000, 30000});
}

} // namespace lifeguard::detail
