#pragma once

#include <lifeguard/worker_behaviour.hpp>

#include <cstdint>

namespace lifeguard::detail {

/// One incarnation of a dynamic worker without its coroutine: payload, visible value, when it is
/// due to perform, when a perform has taken too long, and what follows from an outcome. Knows no
/// clock and no thread.
class worker_cycle {
  public:
    /// What becomes of the worker.
    enum class then { stays, halts, moves };

    worker_cycle(json payload, worker_rhythm rhythm);

    /// The worker is ready to perform.
    void start(time_point now);
    void start(json built, time_point now);

    bool is_due(time_point now) const noexcept { return due_ && *due_ <= now; }
    bool is_performing() const noexcept { return since_.has_value(); }

    /// When to look again: at the next perform or, during one, at the end of the lull.
    std::optional<time_point> wake_at() const noexcept;

    void begin_perform(time_point now);
    /// How long the perform has taken when that is to be reported now: once, and not before time.
    std::optional<duration> overdue(time_point now);
    /// The next one is due one interval from now.
    then end_perform(worker_outcome& outcome, time_point now);

    /// A call or cast has ended. The next perform stays when it is due, but for a new interval.
    then end_message(worker_outcome& outcome, time_point now);

    const json& payload() const noexcept { return payload_; }
    const json& value() const noexcept { return value_; }
    const worker_rhythm& rhythm() const noexcept { return rhythm_; }
    std::uint64_t performs() const noexcept { return performs_; }

  private:
    then take(worker_outcome& outcome);
    void schedule(time_point now, duration wait);

    json payload_;
    json value_;
    worker_rhythm rhythm_;
    std::optional<time_point> due_;
    std::optional<time_point> since_; ///< of the perform that runs
    bool reported_ = false;
    std::uint64_t performs_ = 0;
};

} // namespace lifeguard::detail
