#pragma once

#include <lifeguard/error.hpp>
#include <lifeguard/time_source.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard {

enum class breaker_state : std::uint8_t {
    closed,      ///< calls pass; too many failures open it
    open,        ///< calls are rejected until `open_for` has passed
    half_open,   ///< a few probes decide whether it closes or opens again
    forced_open, ///< calls are rejected until somebody enables or resets it
    disabled,    ///< calls pass and nothing is counted until somebody enables or resets it
};

std::string_view name_of(breaker_state state) noexcept;

/// Validated by the breaker's constructor; the error names the field.
struct breaker_options {
    /// Opens when so many failures are at most `window` old. Default to 5 in 10 s.
    unsigned threshold = 5;
    duration window = std::chrono::seconds(10);

    /// How long it stays open before it lets a probe through. Zero: until the next call. Defaults
    /// to 10 s.
    duration open_for = std::chrono::seconds(10);

    /// Every time that it opens again without having closed it stays open so many times longer, up
    /// to `open_max`. Default to 1, which is no growth, and 1 h.
    double open_factor = 1;
    duration open_max = std::chrono::hours(1);

    /// How many probes may run at once while half open, and how many must succeed to close it.
    /// Default to 1.
    unsigned permits = 1;
    unsigned successes = 1;

    /// How long a probe may take to answer before another one gets its place; what it answers later
    /// changes nothing. Zero: for ever. Worker pools wait for the job's own timeout if that is
    /// longer. Defaults to 1 min.
    duration probe_timeout = std::chrono::minutes(1);
};

/// What a call's outcome means to a breaker.
enum class breaker_verdict : std::uint8_t { success, failure, excluded };

/// Looks at what a call threw. It must not block; several threads may call it at once.
using breaker_judge = std::function<breaker_verdict(const std::exception_ptr&)>;

/// What the judge says. Without one every error is a failure, and so is one that it throws at.
breaker_verdict verdict_of(const std::exception_ptr& thrown, const breaker_judge& judge) noexcept;

/// What happened since the breaker last closed, or was made or reset.
struct breaker_counts {
    std::uint64_t requests = 0; ///< calls that were admitted
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;
    std::uint64_t excluded = 0; ///< neither: cancelled, or not to be counted
    std::uint64_t rejected = 0; ///< calls that were not admitted
};

/// A change of state, as it is told to who wants to know.
struct breaker_change {
    std::string name;
    breaker_state from;
    breaker_state to;
};

struct breaker_status {
    std::string name;
    breaker_state state = breaker_state::closed;
    breaker_counts counts;
    duration retry_after = duration::zero();
    std::uint64_t opened_total = 0;
    std::uint64_t closed_total = 0; ///< after its probes
};

/// Thrown instead of a call that a breaker rejects.
class breaker_open_error : public error {
  public:
    breaker_open_error(std::string breaker, time_point since, duration wait,
                       std::exception_ptr last_error);

    std::string name;      ///< of the breaker
    time_point open_since; ///< while it probes: since it last opened
    /// How long until it lets a probe through. Zero: probes run, and decide. `duration::max()`: not
    /// before somebody enables or resets it.
    duration retry_after;
    std::exception_ptr cause; ///< the last error that it counted, if there was one
};

/// Stops calling what keeps failing. No clock, no timer, no thread: `now` is an argument, and only
/// calls change the state. `shared_breaker` adds a clock, a lock and `call`.
///
/// Thread safety: none; its owner serialises the calls.
class circuit_breaker {
  public:
    /// Names an admitted call. Every change of state begins a new generation, and the answer to a
    /// call of an older one alters nothing (after gobreaker); nor does that of a probe that has
    /// lost its place.
    struct ticket {
        std::uint32_t generation = 0;
        std::uint32_t probe = 0;
    };

    /// Errors: `invalid_option`.
    explicit circuit_breaker(breaker_options options = breaker_options(),
                             std::string name = "breaker");

    /// Admits a call, or rejects it with an empty answer. An admitted call is answered by one of
    /// `success`, `failure` and `exclude`. `expected`: a probe keeps its place at least so long.
    std::optional<ticket> admit(time_point now, duration expected = duration::zero());

    void success(ticket call, time_point now);
    /// `why` is the cause that later rejections give.
    void failure(ticket call, time_point now, const std::exception_ptr& why = nullptr);
    /// The call was cancelled or does not count: neither success nor failure.
    void exclude(ticket call) noexcept;

    /// How many calls `admit` would let through now, at most `wanted`.
    std::size_t capacity(std::size_t wanted, time_point now) const noexcept;
    /// How long until a call may be admitted; zero when it may be now, and while probes run.
    duration retry_after(time_point now) const noexcept;
    time_point open_until() const noexcept { return open_until_; }
    /// The error to throw instead of a call that was rejected.
    breaker_open_error rejection(time_point now) const;

    const std::string& name() const noexcept { return name_; }
    breaker_state state(time_point now) const noexcept;
    /// While it is closed it needs no clock to admit calls and to count successes: any `now` will
    /// do.
    bool is_closed() const noexcept { return state_ == breaker_state::closed; }
    const breaker_counts& counts() const noexcept { return counts_; }
    std::uint64_t opened_total() const noexcept { return opened_total_; }
    std::uint64_t closed_total() const noexcept { return closed_total_; }
    breaker_status status(time_point now) const;

    /// The change of state that has not been taken yet. No call makes more than one, so who looks
    /// after every call misses none.
    std::optional<breaker_change> take_change();

    // By hand. Errors: `illegal_transition`, and nothing has changed. What is so already stays so.

    /// Opens a closed or half-open breaker.
    void trip(time_point now);
    /// Lets an open breaker probe before its time.
    void half_open();
    /// From any state.
    void force_open(time_point now);
    /// From any state.
    void disable();
    /// Closes a breaker that was forced open or disabled; others are enabled already.
    void enable();
    /// From any state: closed, as if it were new.
    void reset();

  private:
    struct probe {
        std::uint32_t number;
        time_point until; ///< when it loses its place
    };

    bool still_matters(ticket call, time_point now) noexcept;
    bool too_many_failures(time_point now);
    void open(time_point now);
    duration open_time() const noexcept;
    void enter(breaker_state next) noexcept;
    [[noreturn]] void refuse(breaker_state wanted) const;

    breaker_options options_;
    std::string name_;
    breaker_counts counts_;
    std::vector<time_point> failures_; // a ring of the last `threshold` failures while closed
    std::vector<probe> probes_;        // running while half open
    std::exception_ptr last_error_;
    time_point opened_at_;
    time_point open_until_;
    std::uint64_t opened_total_ = 0;
    std::uint64_t closed_total_ = 0;
    std::uint32_t oldest_ = 0; // of failures_
    std::uint32_t generation_ = 1;
    std::uint32_t last_probe_ = 0;
    std::uint32_t successes_ = 0; // of probes
    std::uint32_t openings_ = 0;  // since it was last closed
    breaker_state state_ = breaker_state::closed;
    breaker_state told_ = breaker_state::closed; // up to here changes have been taken
};

} // namespace lifeguard
