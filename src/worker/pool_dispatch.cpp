// Executes that choose their worker.

#include "worker/pool_core.hpp"

namespace lifeguard::detail {

bool execution::claim(job_record& claimed, wake_list& wakes) {
    return pool_.assign(claimed, how_, wakes);
}

void execution::stored(job_record& its) { pool_.await_worker(*this, its, how_.checkout_wait); }

/// Whether the worker may take one more job, now or behind those that it has.
bool pool_core::may_have_more(worker& w) { return w.alive && !w.stopping && room(w, 1) != 0; }

/// The first permanent worker that may, from number `at` on, which becomes its number.
worker* pool_core::permanent_from(std::uint64_t& at) {
    for (std::size_t tried = 0; tried < permanent_; ++tried, ++at) {
        at %= permanent_; // permanent workers come first in the list
        if (may_have_more(*workers_[at]))
            return workers_[at].get();
    }
    return nullptr;
}

worker* pool_core::next_in_turn() {
    worker* const chosen = permanent_from(turn_);
    ++turn_;
    return chosen;
}

worker* pool_core::least_busy() {
    worker* least = nullptr;
    for (const auto& w : workers_)
        if (may_have_more(*w) && (least == nullptr || w->load() < least->load()))
            least = w.get();
    return least;
}

worker* pool_core::next_available() {
    const auto found = std::ranges::find_if(idle_, [&](worker& w) { return may_have_more(w); });
    return found == idle_.end() ? nullptr : &*found;
}

worker* pool_core::choose(const execute_options& how, const kind_entry& kind) {
    if (std::ranges::find(filter().barred, &kind) != filter_.barred.end())
        return nullptr;
    switch (how.dispatch) {
    case dispatch::pull:
        break;
    case dispatch::round_robin:
        return next_in_turn();
    case dispatch::least_busy:
        return least_busy();
    case dispatch::by_key: {
        std::uint64_t number = how.key.hash();
        return permanent_from(number);
    }
    case dispatch::next_available:
        return next_available();
    }
    return nullptr;
}

bool pool_core::assign(job_record& job, const execute_options& how, wake_list& wakes) {
    const bool ours = filter_.priority < 0 || filter_.priority == job.priority;
    if (how.dispatch == dispatch::pull || job.kind->handlers == 0 || !ours || job.queue->paused)
        return false;
    worker* const chosen = choose(how, *job.kind);
    if (chosen == nullptr)
        return false;
    jobs_->index().take(job);
    job.holder = chosen;
    keep(*chosen, job, how.dispatch == dispatch::by_key);
    ++chosen->pulled;
    hand_out(*chosen, wakes);
    return true;
}

void pool_core::refuse_when_busy(const execute_options& how, const job_record& job) {
    if (how.dispatch == dispatch::next_available &&
        (job.queue->paused || choose(how, *job.kind) == nullptr))
        throw error(errc::no_available_workers, "pool '" + options_.name + "'");
}

} // namespace lifeguard::detail
