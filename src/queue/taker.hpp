#pragma once

#include "base/parked_coroutine.hpp"

namespace lifeguard::detail {

/// Who takes jobs from queues: a worker pool, or a coroutine that waits in `job_queue::take`.
class taker {
  public:
    /// A queue that it is registered with has something ready: takes what it wants, if anything.
    /// Called with the engine's lock held.
    virtual void offer(wake_list& wakes) = 0;
    /// The queue has been paused: gives back what has been taken from it and not been started.
    /// Called with the engine's lock held.
    virtual void queue_paused(queue_entry&, wake_list&) {}

  protected:
    ~taker() = default;
};

/// Who holds leases, and must hear that one is gone.
class lease_holder {
  protected:
    ~lease_holder() = default;
};

} // namespace lifeguard::detail
