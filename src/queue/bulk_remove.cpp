// Many jobs removed at once.

#include "queue/change_waiters.hpp"
#include "queue/queue_core.hpp"

#include <algorithm>

namespace lifeguard {
namespace detail {
namespace {

/// So many are removed, or so many slices of the index looked at, before the lock is let go and the
/// store has answered.
constexpr std::size_t removed_at_once = 500;
constexpr std::size_t slices_at_once = 2000;

/// Goes through the jobs to be removed, a part at a time.
class removal {
  public:
    removal(queue_core& core, const remove_options& which) : core_(core), which_(which) {}

    /// Asks for some more, with the lock held; false when there are none left.
    bool next_part(change_waiters& changes, wake_list& wakes) {
        if (which_.ids.empty())
            choose_from_slices();
        else
            choose_from_ids();
        for (const job_id& id : chosen_) {
            // By id: the one before, on its way out, may have made the store forget this one.
            if (job_record* const job = core_.index().find(id)) {
                changes.add(*job, result_waiter::event::changed);
                core_.remove(*job, wakes);
            }
        }
        return !std::exchange(chosen_, {}).empty() || !over_;
    }

    removed_jobs result;

  private:
    void choose_from_ids() {
        for (; chosen_.size() < removed_at_once && next_ < which_.ids.size(); ++next_)
            if (job_record* const job = core_.index().find(which_.ids[next_]))
                choose(*job);
        over_ = next_ >= which_.ids.size();
    }

    void choose_from_slices() {
        const std::size_t last = next_ + slices_at_once;
        for (; chosen_.size() < removed_at_once && next_ < last; ++next_) {
            if (next_ >= core_.index().slices())
                break;
            core_.index().visit_slice(next_, [this](job_record& job) { choose(job); });
        }
        over_ = next_ >= core_.index().slices();
    }

    void choose(job_record& job) {
        if (!which_.queue.empty() && job.queue->name != which_.queue)
            return;
        if (!which_.states.empty() && !which_.states.contains(job.state))
            return;
        if (job.settling || job.state == job_state::executing)
            ++result.skipped;
        else
            chosen_.push_back(job.id);
    }

    queue_core& core_;
    const remove_options& which_;
    std::vector<job_id> chosen_;
    std::size_t next_ = 0; // of the ids, or of the index's slices
    bool over_ = false;
};

asio::awaitable<removed_jobs> remove_jobs(std::shared_ptr<queue_core> core, remove_options which) {
    core->refuse_when_shared("removing jobs");
    if (which.queue.empty() && which.states.empty() && which.ids.empty())
        throw error(errc::invalid_option, "which: must say what to remove");
    std::ranges::sort(which.ids);
    which.ids.erase(std::ranges::unique(which.ids).begin(), which.ids.end());
    removal all(*core, which);
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
        all.result.removed += changes.stored();
        if (const std::exception_ptr failure = changes.failure())
            std::rethrow_exception(failure);
    }
    co_return all.result;
}

} // namespace
} // namespace detail

asio::awaitable<removed_jobs> job_queue::remove(remove_options which) {
    return detail::remove_jobs(core_, std::move(which));
}

} // namespace lifeguard
