#pragma once

#include "http/event_hub.hpp"
#include "http/http_metrics.hpp"
#include "http/sampler.hpp"
#include <lifeguard/engine.hpp>

namespace lifeguard::detail::web {

/// A text that is made anew only when it has become old. Thread-safe.
class short_cache {
  public:
    std::shared_ptr<const std::string> find(time_point now) const {
        const std::lock_guard lock(mutex_);
        return now < until_ ? text_ : nullptr;
    }
    void put(std::shared_ptr<const std::string> text, time_point until) {
        const std::lock_guard lock(mutex_);
        text_ = std::move(text);
        until_ = until;
    }
    void clear() {
        const std::lock_guard lock(mutex_);
        until_ = time_point::min();
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const std::string> text_;
    time_point until_ = time_point::min();
};

/// What a server knows of its engine over time: events, samples, the tree of a moment ago.
struct telemetry {
    telemetry(const engine& served, hub_limits limits);

    http_metrics metrics;
    const std::shared_ptr<event_hub> events;
    const std::shared_ptr<sampler> samples;
    short_cache tree;

  private:
    const std::shared_ptr<void> listening_; // to the engine's log
};

} // namespace lifeguard::detail::web
