#pragma once

#include <lifeguard/metrics.hpp>

#include <memory>
#include <string>

namespace lifeguard::detail {

class pool_core;
struct runtime;

/// What a pool offers to Prometheus. Totals are read from its accounting when they are asked for;
/// only the histograms are fed as jobs go by.
class pool_metrics {
  public:
    pool_metrics(const std::weak_ptr<pool_core>& pool, runtime& shared, const std::string& name);

    // With the engine's lock held.

    /// A job was started so long after it became available.
    void waited(duration d) noexcept { waits_.observe_serialised(d); }
    /// An attempt took so long.
    void ran(duration d, bool failed) noexcept {
        (failed ? failures_ : successes_).observe_serialised(d);
        if (seed_durations_ != nullptr)
            seed_durations_->observe(std::chrono::duration<double, std::milli>(d).count());
    }

  private:
    void offer_totals(const std::weak_ptr<pool_core>& pool);
    void offer_seed_names(const std::weak_ptr<pool_core>& pool);

    metrics_scope scope_;
    histogram& waits_;
    histogram& successes_;
    histogram& failures_;
    histogram* seed_durations_ = nullptr;
};

} // namespace lifeguard::detail
