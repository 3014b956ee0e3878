#pragma once

#include <lifeguard/time_source.hpp>

#include <exception>
#include <string>

namespace lifeguard {

/// What a handler may throw to decide itself what becomes of its job. Anything else that it throws
/// is a failed attempt, retried with backoff. Also found when nested in another exception.
class verdict : public std::exception {
  public:
    const char* what() const noexcept override { return why_.c_str(); }

  protected:
    explicit verdict(std::string why) : why_(std::move(why)) {}

  private:
    std::string why_;
};

/// The attempt failed; the next one starts at `at`. A moment in the past means the usual backoff.
class retry_job : public verdict {
  public:
    retry_job(wall_time when, std::string why) : verdict(std::move(why)), at(when) {}
    wall_time at;
};

/// Not now: again after `delay`, and this run does not count as an attempt. Zero: available at
/// once.
class snooze_job : public verdict {
  public:
    explicit snooze_job(duration later) : verdict("snoozed"), delay(later) {}
    duration delay;
};

/// It failed and will never succeed: discarded, whatever attempts are left. It stays to be looked
/// at. No failure for the worker's breaker: other jobs may do better.
class discard_job : public verdict {
  public:
    explicit discard_job(std::string why) : verdict(std::move(why)) {}
};

/// It is not wanted any more: removed without a trace, neither retried nor kept.
class revoke_job : public verdict {
  public:
    explicit revoke_job(std::string why) : verdict(std::move(why)) {}
};

} // namespace lifeguard
