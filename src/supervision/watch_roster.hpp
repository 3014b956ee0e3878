#pragma once

#include <lifeguard/loop_watchdog.hpp>

#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

namespace lifeguard {

/// Who runs on which thread, and since when. Thread-safe.
class loop_watchdog::roster {
  public:
    explicit roster(loop_watchdog_options options);

    /// A child runs on this thread until the object ends. They nest: a resumption in place of
    /// another child counts as that one's.
    class turn {
      public:
        turn(std::shared_ptr<roster> of, const loop_stall& who);
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;
        ~turn();

      private:
        friend class roster;
        const std::shared_ptr<roster> roster_;
        const loop_stall& who_;
        const time_point since_;
        bool reported_ = false;
        turn* outer_; ///< whom it interrupts
    };

    void look();
    duration stall_after() const noexcept { return options_.stall_after; }

  private:
    const loop_watchdog_options options_;
    std::mutex mutex_;
    std::unordered_map<std::thread::id, turn*> running_; // threads with a child on them
};

} // namespace lifeguard
