#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace lifeguard {

namespace asio = boost::asio;

using duration = std::chrono::steady_clock::duration;
/// Monotonic time: leases, breakers, restart windows, timeouts.
using time_point = std::chrono::steady_clock::time_point;
/// Wall time: `run_at`, created_at and what people read. Persisted.
using wall_time = std::chrono::system_clock::time_point;

/// One wake-up that can be set, moved and cleared. Not thread-safe: its owner serialises the calls.
class alarm {
  public:
    virtual ~alarm() = default;

    /// Wakes at `at`, or at once when that has passed. Replaces what was set before.
    virtual void set(time_point at) = 0;

    /// No wake-up. One that is already on its way may still arrive.
    virtual void clear() = 0;
};

/// Where the library gets its time from, and the only thing in it that arms timers. Tests give it a
/// `manual_time_source`. Thread-safe.
class time_source {
  public:
    virtual ~time_source() = default;

    virtual time_point now() const noexcept = 0;
    virtual wall_time wall_now() const noexcept = 0;

    /// An alarm that calls `wake` on `executor`. `wake` must not throw. The alarm must be destroyed
    /// before the executor's context.
    virtual std::unique_ptr<alarm> make_alarm(asio::any_io_executor executor,
                                              std::function<void()> wake) = 0;
};

/// The machine's clocks.
std::shared_ptr<time_source> real_time_source();

} // namespace lifeguard
