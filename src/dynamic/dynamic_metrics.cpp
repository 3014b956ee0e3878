// What a manager offers to Prometheus. All of it is read from its accounting when it is asked for.
#include "dynamic/dynamic_core.hpp"

namespace lifeguard::detail {

/// How many workers are busy or not, and how many messages wait for them.
struct dynamic_core::load {
    std::size_t idle = 0;
    std::size_t busy = 0;
    std::size_t messages = 0;
};

// As `state` would tell, without copying the payloads.
dynamic_core::load dynamic_core::load_now() {
    load now;
    const std::lock_guard lock(runtime_->mutex);
    for (const auto& [id, w] : registry_.all()) {
        if (!w->is_reachable())
            continue;
        ++(w->busy ? now.busy : now.idle);
        now.messages += w->waiting;
    }
    return now;
}

void dynamic_core::describe_metrics() {
    metrics_.emplace(runtime_->metrics, metric_labels{{"manager", options_.name}});
    const auto gauge = [&](const char* metric, const char* help, metric_labels more,
                           std::size_t load::* which) {
        metrics_->make_gauge(metric, help, std::move(more),
                             [weak = weak_from_this(), which]() -> double {
                                 const auto alive = weak.lock();
                                 return alive ? static_cast<double>(alive->load_now().*which) : 0;
                             });
    };
    const auto counter = [&](const char* metric, const char* help,
                             std::uint64_t dynamic_workers_state::* which) {
        metrics_->make_counter(metric, help, {}, [weak = weak_from_this(), which]() -> double {
            const auto alive = weak.lock();
            if (!alive)
                return 0;
            const std::lock_guard lock(alive->runtime_->mutex);
            return static_cast<double>(alive->totals_.*which);
        });
    };
    using state = dynamic_workers_state;
    gauge("lifeguard_dynamic_workers", "Workers by id.", {{"state", "idle"}}, &load::idle);
    gauge("lifeguard_dynamic_workers", "Workers by id.", {{"state", "busy"}}, &load::busy);
    gauge("lifeguard_dynamic_messages", "Calls and casts that wait for a worker.", {},
          &load::messages);
    counter("lifeguard_dynamic_starts_total", "Workers that were started.", &state::starts_total);
    counter("lifeguard_dynamic_restarts_total", "Workers that were restarted after a crash.",
            &state::restarts_total);
    counter("lifeguard_dynamic_crashes_total", "Workers that crashed.", &state::crashes_total);
    counter("lifeguard_dynamic_slow_performs_total", "Performs that took too long.",
            &state::slow_performs_total);
    counter("lifeguard_dynamic_casts_dropped_total", "Casts whose worker went before.",
            &state::casts_dropped_total);
    counter("lifeguard_dynamic_callback_errors_total", "Callbacks that threw, for nobody to hear.",
            &state::callback_errors_total);
}

} // namespace lifeguard::detail
