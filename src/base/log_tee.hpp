#pragma once

#include <lifeguard/events.hpp>
#include <lifeguard/log.hpp>

#include <atomic>
#include <deque>
#include <mutex>

namespace lifeguard::detail {

/// Hands every record to a sink, and to whoever listens besides. What is written before anybody
/// listens, such as what a store found when it was opened, is kept for the first listener.
/// Thread-safe.
class log_tee final : public log_sink {
  public:
    /// `sink` may be empty.
    explicit log_tee(std::shared_ptr<log_sink> sink) : sink_(std::move(sink)) {}

    void write(const log_record& record) override;

    std::shared_ptr<void> on_record(std::function<void(const log_record&)> f);

  private:
    bool keep(const log_record& record);

    static constexpr std::size_t kept_max = 100;

    const std::shared_ptr<log_sink> sink_;
    broadcast<log_record> records_;
    std::atomic<bool> heard_ = false; // somebody has listened: nothing is kept any more
    std::mutex mutex_;
    std::deque<log_record> kept_;
};

} // namespace lifeguard::detail
