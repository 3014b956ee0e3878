#include "supervision/restart_delays.hpp"

namespace lifeguard::detail {

duration restart_delays::next(const supervised_child* child, const backoff& rule, duration period,
                              time_point now) {
    row& r = rows_[child];
    if (now - r.last > period)
        r.restarts = 0;
    ++r.restarts;
    const double random01 = std::uniform_real_distribution<double>()(random_);
    const duration wait = rule.delay(r.restarts, random01);
    r.last = now + wait;
    return wait;
}

} // namespace lifeguard::detail
