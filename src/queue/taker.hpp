#pragma once

#include "base/parked_coroutine.hpp"
#include "queue/job_record.hpp"
#include <lifeguard/time_source.hpp>

#include <optional>
#include <string>

namespace lifeguard::detail {

struct job_record;
/// Whether a taker could have a job that is available now.
struct outlook {
    bool taken = false;       ///< it could, as soon as somebody is free
    time_point breaker_until; ///< otherwise: when an open breaker lets a probe through
};

/// Who takes jobs from queues: a worker pool, or a coroutine that waits in `job_queue::take`.
class taker {
  public:
    /// A queue that it is registered with has something ready: takes what it wants, if anything.
    /// Called with the engine's lock held.
    virtual void offer(wake_list& wakes) = 0;
    /// How many jobs it could use at once. Called with the engine's lock held.
    virtual std::size_t appetite() const noexcept = 0;
    /// Whether it takes jobs of this kind at all. Called with the engine's lock held.
    virtual bool takes(const kind_entry& kind) const noexcept = 0;
    /// A bit for each priority that it takes. Called with the engine's lock held.
    virtual unsigned priorities() const noexcept { return (1U << (priority_last + 1)) - 1; }
    /// How long it waits for them at most. Called with the engine's lock held.
    virtual duration patience() const noexcept { return duration::max(); }
    /// A store that others share has nothing more for it in this queue at the moment. Called with
    /// the engine's lock held.
    virtual void nothing_more(queue_entry&, wake_list&) {}
    /// Empty: it never takes jobs like this one. Called with the engine's lock held.
    virtual std::optional<outlook> outlook_for(const job_record&) { return std::nullopt; }
    /// The queue has been paused: gives back what has been taken from it and not been started.
    /// Called with the engine's lock held.
    virtual void queue_paused(queue_entry&, wake_list&) {}

  protected:
    ~taker() = default;
};

/// Who holds leases and is not asked for tokens: a worker, or one of its lanes.
class lease_holder {
  public:
    /// A job that it holds is to be cancelled. True: it had not been started, and the holder has
    /// let go of it. False: its handler is asked to stop. Called with the engine's lock held.
    virtual bool cancel_job(job_record& job, wake_list& wakes) = 0;
    /// The worker's name.
    virtual const std::string& holder_name() const noexcept = 0;

  protected:
    ~lease_holder() = default;
};

} // namespace lifeguard::detail
