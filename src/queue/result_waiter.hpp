#pragma once

#include "base/parked_coroutine.hpp"
#include "queue/job_record.hpp"
#include <lifeguard/json.hpp>

#include <exception>
#include <string>

namespace lifeguard::detail {

/// A coroutine that waits for a job to be stored, for a change of it to be stored, or for its final
/// state. Lies in that coroutine's frame, linked into the job's record under the engine's lock.
class result_waiter : public parked_coroutine {
  public:
    enum class event { stored, changed, finished };
    enum class answer { none, stored, finished, failed, timed_out, cancelled, closed };

    explicit result_waiter(event what) noexcept : waits_for(what) {}

    // Called with the engine's lock held.

    /// The job has been stored and may be taken. True: the waiter has had it taken already, so it
    /// is not offered to anybody.
    virtual bool claim(job_record&, wake_list&) { return false; }
    /// The job has been stored and offered to those who take.
    virtual void stored(job_record&) {}
    /// A worker begins an attempt of the job.
    virtual void started() noexcept {}
    /// The job is final, and this waiter has its answer.
    virtual void answered() noexcept {}

    const event waits_for;
    /// Whether it gets the result itself rather than a copy: nobody will ask for it again.
    bool takes_result = false;

    answer got = answer::none;
    job_state state = job_state::available;
    json result;
    /// The last attempt's exception, when this process saw it; with `failed`, why.
    std::exception_ptr error;
    std::string error_text;
    bool lent_result = false; ///< the result went to another waiter

    job_record* job = nullptr;
    result_waiter* next = nullptr;

  protected:
    ~result_waiter() = default;
};

/// A result waiter that waits for nothing else.
class plain_waiter final : public result_waiter {
  public:
    using result_waiter::result_waiter;
};

} // namespace lifeguard::detail
