// Whether and when the pool's workers could have a job.

#include "worker/pool_core.hpp"

namespace lifeguard::detail {

std::optional<outlook> pool_core::outlook_for(const job_record& job) {
    if (filter_.priority >= 0 && filter_.priority != job.priority)
        return std::nullopt;
    const time_point now = jobs_->clock().now;
    outlook best;
    best.breaker_until = time_point::max();
    bool any = false;
    for (const auto& w : workers_) {
        if (!w->alive || w->stopping)
            continue;
        any = true;
        const circuit_breaker& breaker = breaker_for(*w, *job.kind);
        if (breaker.state(now) == breaker_state::open)
            best.breaker_until = std::min(best.breaker_until, breaker.open_until());
        else if (breaker.state(now) != breaker_state::forced_open)
            best.taken = true;
    }
    return any ? std::optional(best) : std::nullopt;
}

} // namespace lifeguard::detail
