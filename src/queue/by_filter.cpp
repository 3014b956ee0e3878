// The same for many jobs: those of a queue, a kind, some states.

#include "queue/change_waiters.hpp"
#include "queue/queue_core.hpp"

#include <boost/asio/post.hpp>

namespace lifeguard {
namespace detail {
namespace {

/// So many are changed, or looked at, before the lock is let go.
constexpr std::size_t changed_at_once = 500;
constexpr std::size_t examined_at_once = 2000;

job_states usual_states(bulk_action what) {
    switch (what) {
    case bulk_action::retry:
        return {job_state::discarded, job_state::retryable};
    case bulk_action::cancel:
        return job_states::unfinished();
    case bulk_action::remove:
        break;
    }
    return {job_state::scheduled, job_state::available, job_state::executing, job_state::retryable,
            job_state::completed, job_state::cancelled, job_state::discarded};
}

/// Goes through the jobs in the order of submission, a part at a time.
class bulk_change {
  public:
    bulk_change(queue_core& core, bulk_action what, const job_filter& which, std::size_t jobs_max)
        : core_(core),
          what_(what),
          which_(which),
          states_(which.states.empty() ? usual_states(what) : which.states),
          room_(jobs_max) {}

    /// Changes some more, with the lock held; false when all have been looked at.
    bool next_part(change_waiters& changes, wake_list& wakes) {
        std::vector<job_id> chosen;
        std::size_t examined = 0;
        bool more = false;
        core_.index().order().walk(after_, [&](const job_record& job) {
            more = examined++ == examined_at_once || chosen.size() == changed_at_once;
            if (more)
                return false;
            after_ = job.row;
            if (is_meant(job))
                choose(job, chosen);
            return true;
        });
        for (const job_id& id : chosen)
            // By id: a change may make the store forget jobs that are kept for a while only.
            if (job_record* const job = core_.index().find(id))
                change(*job, changes, wakes);
        return more;
    }

    bulk_answer result;

  private:
    bool is_meant(const job_record& job) const {
        return job.stored && states_.contains(job.state) &&
               (which_.queue.empty() || job.queue->name == which_.queue) &&
               (which_.kind.empty() || job.kind->name == which_.kind);
    }

    bool is_possible(const job_record& job) const noexcept {
        if (job.settling)
            return false;
        switch (what_) {
        case bulk_action::retry:
            return job.state != job_state::executing && job.state != job_state::available;
        case bulk_action::cancel:
            return !is_final(job.state) && !job.cancel_asked;
        case bulk_action::remove:
            break;
        }
        return job.state != job_state::executing;
    }

    void choose(const job_record& job, std::vector<job_id>& chosen) {
        if (!is_possible(job)) {
            ++result.skipped;
        } else if (room_ == 0) {
            ++result.left;
        } else {
            --room_;
            chosen.push_back(job.id);
        }
    }

    void change(job_record& job, change_waiters& changes, wake_list& wakes) {
        if (!is_possible(job))
            return;
        if (what_ == bulk_action::cancel && job.state == job_state::executing) {
            core_.cancel(job, wakes); // its end decides, and nobody waits for that here
            ++result.changed;
            return;
        }
        changes.add(job, result_waiter::event::changed);
        switch (what_) {
        case bulk_action::retry:
            return core_.revive(job, wakes);
        case bulk_action::cancel:
            core_.cancel(job, wakes);
            return;
        case bulk_action::remove:
            return core_.remove(job, wakes);
        }
    }

    queue_core& core_;
    const bulk_action what_;
    const job_filter& which_;
    const job_states states_;
    std::size_t room_;
    std::int64_t after_ = 0;
};

asio::awaitable<bulk_answer> change_jobs(std::shared_ptr<queue_core> core, bulk_action what,
                                         job_filter which, std::size_t jobs_max) {
    core->refuse_when_shared("changing many jobs");
    if (which.queue.empty() && which.kind.empty() && which.states.empty())
        throw error(errc::invalid_option, "which: must say which jobs");
    if (jobs_max > batch_max)
        throw error(errc::invalid_option, "jobs_max: must be 0 to 10,000");
    bulk_change all(*core, what, which, jobs_max);
    for (bool more = true; more;) {
        change_waiters changes(*core);
        {
            wake_list wakes;
            std::unique_lock lock(core->shared().mutex);
            core->read_clock();
            more = all.next_part(changes, wakes);
            lock.unlock();
            wakes.run();
        }
        co_await changes.wait();
        all.result.changed += changes.stored();
        if (const std::exception_ptr failure = changes.failure())
            std::rethrow_exception(failure);
        if (more)
            co_await asio::post(asio::deferred);
    }
    co_return all.result;
}

} // namespace
} // namespace detail

asio::awaitable<bulk_answer> job_queue::for_many(bulk_action what, job_filter which,
                                                 std::size_t jobs_max) {
    return detail::change_jobs(core_, what, std::move(which), jobs_max);
}

} // namespace lifeguard
