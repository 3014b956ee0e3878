#pragma once

#include <lifeguard/time_source.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lifeguard {

/// A child that holds its thread: it computes, or waits without suspending.
struct loop_stall {
    std::string supervisor;
    std::string child;
    unsigned incarnation = 0;
    duration held = duration::zero(); ///< so far
};

/// Validated by the watchdog's constructor; the error names the field.
struct loop_watchdog_options {
    /// A child that runs for so long without suspending is reported, once. Defaults to 100 ms.
    duration stall_after = std::chrono::milliseconds(100);

    /// Called on the watchdog's own thread, with nothing locked. It must not throw.
    std::function<void(const loop_stall&)> on_stall;

    /// Empty: the machine's clock.
    std::shared_ptr<time_source> time;
};

/// Watches the children of the supervisors whose options name it, from a thread of its own: no
/// supervisor can act on a thread that a child holds, but somebody can say who it is. Each
/// resumption of a watched child costs two looks at the clock; without a watchdog there is no cost.
/// Thread-safe.
class loop_watchdog {
  public:
    /// Errors: `invalid_option` naming the field.
    explicit loop_watchdog(loop_watchdog_options options);
    loop_watchdog(const loop_watchdog&) = delete;
    loop_watchdog& operator=(const loop_watchdog&) = delete;
    /// Waits for `on_stall` to return.
    ~loop_watchdog();

    /// Looks for stalls now, on the calling thread, as the watchdog's own does twice in
    /// `stall_after`.
    void look();

    class roster;
    /// For supervisors.
    const std::shared_ptr<roster>& share() const noexcept { return roster_; }

  private:
    class patrol;

    std::shared_ptr<roster> roster_;
    std::unique_ptr<patrol> patrol_;
};

} // namespace lifeguard
