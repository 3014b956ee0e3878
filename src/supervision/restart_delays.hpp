#pragma once

#include <lifeguard/backoff.hpp>

#include <random>
#include <unordered_map>

namespace lifeguard::detail {

class supervised_child;

/// How long each child waits for its next restart: longer with each one in a row. A row ends when
/// the child has run for longer than the supervisor's period. Knows only children that had to wait.
class restart_delays {
  public:
    duration next(const supervised_child* child, const backoff& rule, duration period,
                  time_point now);
    void forget(const supervised_child* child) { rows_.erase(child); }

  private:
    struct row {
        unsigned restarts = 0;
        time_point last; ///< when the last one was due
    };
    std::unordered_map<const supervised_child*, row> rows_;
    std::minstd_rand random_; // for the jitter: it need not be different in each run
};

} // namespace lifeguard::detail
