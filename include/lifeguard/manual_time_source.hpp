#pragma once

#include <lifeguard/time_source.hpp>

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>

namespace lifeguard {

/// Time that stands still until it is told to move; for tests, also of programs that embed
/// lifeguard. Monotonic and wall time move together unless `set_wall` parts them. Thread-safe.
class manual_time_source final : public time_source {
  public:
    manual_time_source();
    ~manual_time_source() override;

    time_point now() const noexcept override;
    wall_time wall_now() const noexcept override;
    std::unique_ptr<alarm> make_alarm(asio::any_io_executor executor,
                                      std::function<void()> wake) override;

    /// Moves time on to `at` and posts the wake-up of every alarm that is due, earliest first, and
    /// of those due at once in the order in which they were set. To let each one act before the
    /// next falls due, move from one `next_alarm()` to the next and run the executor in between.
    void advance_to(time_point at);
    void advance(duration by) { advance_to(now() + by); }

    /// When the earliest alarm is due; empty when none is set.
    std::optional<time_point> next_alarm() const;

    /// How many alarms are set.
    std::size_t alarms() const;

    /// Moves the wall clock alone, as an administrator would.
    void set_wall(wall_time at);

  private:
    class manual_alarm;
    struct earlier {
        bool operator()(const manual_alarm* a, const manual_alarm* b) const noexcept;
    };

    mutable std::mutex mutex_;
    time_point now_;
    duration wall_offset_;
    std::set<manual_alarm*, earlier> alarms_;
    std::uint64_t sets_ = 0;
};

} // namespace lifeguard
