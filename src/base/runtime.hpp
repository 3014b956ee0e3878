#pragma once

#include "base/deadline_service.hpp"
#include "base/executors.hpp"
#include <lifeguard/log.hpp>
#include <lifeguard/metrics.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace lifeguard::detail {

/// What the parts of one engine share.
struct runtime {
    runtime(asio::any_io_executor on, std::shared_ptr<time_source> source,
            std::shared_ptr<log_sink> sink, std::shared_ptr<metrics_registry> registry)
        : executor(std::move(on)),
          time(source ? std::move(source) : real_time_source()),
          deadlines(deadline_service::of(executor, time)),
          log(std::move(sink)),
          metrics(registry ? std::move(registry) : std::make_shared<metrics_registry>()) {}

    const asio::any_io_executor executor;
    const std::shared_ptr<time_source> time;
    const std::shared_ptr<deadline_service> deadlines;
    const std::shared_ptr<log_sink> log; ///< may be empty
    const std::shared_ptr<metrics_registry> metrics;
    bool seed_names = false; ///< see engine_options

    /// Metrics that the registry refused because it is full: they disturb no job.
    std::atomic<std::uint64_t> metrics_refused = 0;

    /// Guards the hot state: the ready order, leases, the pools' accounting. Held for short, never
    /// across a suspension, a post or a user's code.
    std::mutex mutex;
};

} // namespace lifeguard::detail
