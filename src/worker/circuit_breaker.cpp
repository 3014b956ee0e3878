#include <lifeguard/circuit_breaker.hpp>

#include "base/saturate.hpp"
#include <lifeguard/exit_reason.hpp>

#include <algorithm>
#include <cmath>

namespace lifeguard {
namespace {

void validate(const breaker_options& o) {
    const auto require = [](bool kept, const char* field, const char* rule) {
        if (!kept)
            throw error(errc::invalid_option, std::string("breaker.") + field + ": " + rule);
    };
    require(o.threshold >= 1, "threshold", "must be 1 at least");
    require(o.window > duration::zero(), "window", "must be positive");
    require(o.open_for >= duration::zero(), "open_for", "must not be negative");
    require(std::isfinite(o.open_factor) && o.open_factor >= 1, "open_factor",
            "must be 1 at least");
    require(o.open_max >= duration::zero(), "open_max", "must not be negative");
    require(o.permits >= 1, "permits", "must be 1 at least");
    require(o.successes >= 1, "successes", "must be 1 at least");
    require(o.probe_timeout >= duration::zero(), "probe_timeout", "must not be negative");
}

std::string text_of(const std::string& name, duration wait, const std::exception_ptr& cause) {
    std::string text = "breaker '" + name + "'";
    if (wait == duration::max())
        text += ", until somebody enables it";
    else if (wait > duration::zero())
        text += ", try again in " +
                std::to_string(std::chrono::ceil<std::chrono::milliseconds>(wait).count()) + " ms";
    if (cause)
        text += ", last error: " + describe(cause);
    return text;
}

} // namespace

std::string_view name_of(breaker_state state) noexcept {
    switch (state) {
    case breaker_state::closed:
        return "closed";
    case breaker_state::open:
        return "open";
    case breaker_state::half_open:
        return "half_open";
    case breaker_state::forced_open:
        return "forced_open";
    case breaker_state::disabled:
        return "disabled";
    }
    return "unknown";
}

breaker_verdict verdict_of(const std::exception_ptr& thrown, const breaker_judge& judge) noexcept {
    try {
        return judge ? judge(thrown) : breaker_verdict::failure;
    } catch (...) {
        return breaker_verdict::failure;
    }
}

breaker_open_error::breaker_open_error(std::string breaker, time_point since, duration wait,
                                       std::exception_ptr last_error)
    : error(errc::breaker_open, text_of(breaker, wait, last_error)),
      name(std::move(breaker)),
      open_since(since),
      retry_after(wait),
      cause(std::move(last_error)) {}

circuit_breaker::circuit_breaker(breaker_options options, std::string name)
    : options_(options), name_(std::move(name)) {
    validate(options_);
}

// --- calls

std::optional<circuit_breaker::ticket> circuit_breaker::admit(time_point now, duration expected) {
    if (state_ == breaker_state::open && now >= open_until_)
        enter(breaker_state::half_open);
    switch (state_) {
    case breaker_state::closed:
        ++counts_.requests;
        return ticket{generation_, 0};
    case breaker_state::disabled:
        return ticket{generation_, 0};
    case breaker_state::half_open:
        std::erase_if(probes_, [&](const probe& p) { return p.until <= now; });
        if (probes_.size() < options_.permits) {
            const duration patience = std::max(options_.probe_timeout, expected);
            probes_.push_back({++last_probe_, options_.probe_timeout == duration::zero()
                                                  ? time_point::max()
                                                  : detail::later(now, patience)});
            ++counts_.requests;
            return ticket{generation_, last_probe_};
        }
        break;
    case breaker_state::open:
    case breaker_state::forced_open:
        break;
    }
    ++counts_.rejected;
    return std::nullopt;
}

/// Whether the answer to a call may change anything. A probe that answers gives its place up.
bool circuit_breaker::still_matters(ticket call, time_point now) noexcept {
    if (call.generation != generation_ || state_ == breaker_state::disabled)
        return false;
    if (state_ != breaker_state::half_open)
        return true;
    const auto its =
        std::ranges::find_if(probes_, [&](const probe& p) { return p.number == call.probe; });
    if (its == probes_.end())
        return false;
    const bool in_time = now < its->until;
    probes_.erase(its);
    return in_time;
}

void circuit_breaker::success(ticket call, time_point now) {
    if (!still_matters(call, now))
        return;
    ++counts_.successes;
    if (state_ == breaker_state::half_open && ++successes_ >= options_.successes) {
        ++closed_total_;
        enter(breaker_state::closed);
    }
}

void circuit_breaker::failure(ticket call, time_point now, const std::exception_ptr& why) {
    if (!still_matters(call, now))
        return;
    ++counts_.failures;
    last_error_ = why;
    if (state_ == breaker_state::half_open || too_many_failures(now))
        open(now);
}

void circuit_breaker::exclude(ticket call) noexcept {
    if (still_matters(call, time_point::min()))
        ++counts_.excluded;
}

/// Adds a failure to the ring of the last `threshold` ones: full, and its oldest is recent, means
/// too many.
bool circuit_breaker::too_many_failures(time_point now) {
    if (failures_.size() < options_.threshold) {
        failures_.push_back(now);
        if (failures_.size() < options_.threshold)
            return false;
    } else {
        failures_[oldest_] = now;
        oldest_ = (oldest_ + 1) % options_.threshold;
    }
    return now - failures_[oldest_] <= options_.window;
}

// --- states

void circuit_breaker::open(time_point now) {
    opened_at_ = now;
    open_until_ = detail::later(now, open_time());
    ++opened_total_;
    ++openings_;
    enter(breaker_state::open);
}

duration circuit_breaker::open_time() const noexcept {
    if (openings_ == 0 || options_.open_factor == 1 || options_.open_for >= options_.open_max)
        return options_.open_for;
    // In floating point what is too large becomes infinite, where integers would overflow.
    const double grown = static_cast<double>(options_.open_for.count()) *
                         std::pow(options_.open_factor, static_cast<double>(openings_));
    if (!(grown < static_cast<double>(options_.open_max.count())))
        return options_.open_max;
    return duration(std::llround(grown));
}

void circuit_breaker::enter(breaker_state next) noexcept {
    state_ = next;
    ++generation_;
    probes_.clear();
    successes_ = 0;
    failures_.clear();
    oldest_ = 0;
    if (next == breaker_state::closed) {
        counts_ = breaker_counts();
        last_error_ = nullptr;
        openings_ = 0;
    }
}

void circuit_breaker::refuse(breaker_state wanted) const {
    throw error(errc::illegal_transition, "breaker '" + name_ +
                                              "': " + std::string(name_of(state_)) + " to " +
                                              std::string(name_of(wanted)));
}

void circuit_breaker::trip(time_point now) {
    if (state_ == breaker_state::open)
        return;
    if (state_ != breaker_state::closed && state_ != breaker_state::half_open)
        refuse(breaker_state::open);
    open(now);
}

void circuit_breaker::half_open() {
    if (state_ == breaker_state::half_open)
        return;
    if (state_ != breaker_state::open)
        refuse(breaker_state::half_open);
    enter(breaker_state::half_open);
}

void circuit_breaker::force_open(time_point now) {
    if (state_ == breaker_state::forced_open)
        return;
    if (state_ != breaker_state::open)
        opened_at_ = now;
    enter(breaker_state::forced_open);
}

void circuit_breaker::disable() {
    if (state_ != breaker_state::disabled)
        enter(breaker_state::disabled);
}

void circuit_breaker::enable() {
    if (state_ == breaker_state::forced_open || state_ == breaker_state::disabled)
        enter(breaker_state::closed);
}

void circuit_breaker::reset() { enter(breaker_state::closed); }

// --- reports

std::size_t circuit_breaker::capacity(std::size_t wanted, time_point now) const noexcept {
    switch (state_) {
    case breaker_state::closed:
    case breaker_state::disabled:
        return wanted;
    case breaker_state::open:
        return now >= open_until_ ? std::min<std::size_t>(wanted, options_.permits) : 0;
    case breaker_state::half_open: {
        const auto running =
            std::ranges::count_if(probes_, [&](const probe& p) { return p.until > now; });
        return std::min(wanted, options_.permits - static_cast<std::size_t>(running));
    }
    case breaker_state::forced_open:
        break;
    }
    return 0;
}

breaker_state circuit_breaker::state(time_point now) const noexcept {
    if (state_ == breaker_state::open && now >= open_until_)
        return breaker_state::half_open;
    return state_;
}

duration circuit_breaker::retry_after(time_point now) const noexcept {
    switch (state(now)) {
    case breaker_state::open:
        return open_until_ - now;
    case breaker_state::forced_open:
        return duration::max();
    case breaker_state::closed:
    case breaker_state::half_open:
    case breaker_state::disabled:
        break;
    }
    return duration::zero();
}

breaker_open_error circuit_breaker::rejection(time_point now) const {
    return {name_, opened_at_, retry_after(now), last_error_};
}

breaker_status circuit_breaker::status(time_point now) const {
    return {name_, state(now), counts_, retry_after(now), opened_total_, closed_total_};
}

std::optional<breaker_change> circuit_breaker::take_change() {
    if (told_ == state_)
        return std::nullopt;
    return breaker_change{name_, std::exchange(told_, state_), state_};
}

} // namespace lifeguard
