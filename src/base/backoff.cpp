#include <lifeguard/backoff.hpp>

#include <lifeguard/error.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

namespace lifeguard {

static_assert(std::is_trivially_destructible_v<backoff>);

duration backoff::delay(unsigned attempts, double random01) const noexcept {
    // In floating point what is too large becomes infinite, where integers would overflow. Up to
    // 100 days a double counts nanoseconds exactly.
    const auto count = [](duration d) { return static_cast<double>(d.count()); };
    double wait = count(offset);
    if (base > duration::zero()) // zero times infinity is no number
        wait += count(base) * std::pow(factor, static_cast<double>(attempts) - 1);
    wait = std::min(wait, count(cap));
    wait *= 1 + jitter * (2 * std::clamp(random01, 0.0, 1.0) - 1);
    // As a comparison, so that nothing out of range is converted.
    if (!(wait < count(cap)))
        return cap;
    return duration(std::llround(wait));
}

void backoff::validate() const {
    const auto require = [](bool ok, const char* field, const char* rule) {
        if (!ok)
            throw error(errc::invalid_option, std::string("backoff::") + field + " " + rule);
    };
    require(offset >= duration::zero(), "offset", "is negative");
    require(base >= duration::zero(), "base", "is negative");
    require(std::isfinite(factor) && factor >= 1, "factor", "is below 1");
    require(cap > duration::zero(), "cap", "is not positive");
    require(cap <= std::chrono::hours(24 * 36500), "cap", "is above 36500 days");
    require(offset <= cap, "offset", "is above the cap");
    require(jitter >= 0 && jitter <= 1, "jitter", "is not from 0 to 1");
}

} // namespace lifeguard
