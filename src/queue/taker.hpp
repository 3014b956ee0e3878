#pragma once

#include "base/parked_coroutine.hpp"

namespace lifeguard::detail {

struct job_record;

/// Who takes jobs from queues: a worker pool, or a coroutine that waits in `job_queue::take`.
class taker {
  public:
    /// A queue that it is registered with has something ready: takes what it wants, if anything.
    /// Called with the engine's lock held.
    virtual void offer(wake_list& wakes) = 0;

  protected:
    ~taker() = default;
};

/// Who holds leases and is not asked for tokens: a worker, or one of its lanes.
class lease_holder {
  public:
    /// A job that it holds is to be cancelled. True: it had not been started, and the holder has
    /// let go of it. False: its handler is asked to stop. Called with the engine's lock held.
    virtual bool cancel_job(job_record& job, wake_list& wakes) = 0;

  protected:
    ~lease_holder() = default;
};

} // namespace lifeguard::detail
