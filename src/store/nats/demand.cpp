// Who here wants which jobs, and what becomes of those that nobody wants.

#include "queue/taker.hpp"
#include "store/nats/nats_store.hpp"

#include <algorithm>
#include <utility>

namespace lifeguard::detail {
namespace {

/// Jobs that are with others and that nobody here waits for: more of them are forgotten at once.
constexpr std::size_t away_max = 10'000;

bool takes(const taker& t, const kind_entry& kind, unsigned priority) noexcept {
    return t.takes(kind) && (t.priorities() >> priority & 1U) != 0;
}

bool is_taken(const queue_entry& queue, const kind_entry& kind, unsigned priority) noexcept {
    return std::ranges::any_of(queue.takers,
                               [&](const taker* t) { return takes(*t, kind, priority); });
}

} // namespace

/// What the takers of a queue would use at once, of each priority. Nothing of a paused one.
wanted_jobs nats_job_store::wanted(const queue_entry& queue) const {
    wanted_jobs w;
    if (queue.paused)
        return w;
    for (const taker* const t : queue.takers) {
        if (t->appetite() == 0)
            continue;
        w.jobs += t->appetite();
        w.priorities |= t->priorities();
    }
    w.jobs = std::min(w.jobs, options_.prefetch_max);
    return w;
}

/// Brings about that what those who wait would use is here and not begun.
void nats_job_store::keep(const queue_entry& queue, demand& d) {
    wanted_jobs w;
    for (const taker* const t : queue.takers) {
        if (queue.paused || t->appetite() == 0 || t->patience() <= duration::zero())
            continue;
        w.jobs += t->appetite();
        w.priorities |= t->priorities();
        // A request does not stay longer on the server than those who wait for it.
        w.wait = std::max(w.wait, t->patience());
    }
    w.jobs = std::min(w.jobs, options_.prefetch_max);
    if (std::exchange(d.kept, w) != w)
        broker_.keep(queue.name, w);
}

void nats_job_store::takers_changed(queue_entry& queue) {
    demand& d = demands_[&queue];
    const std::size_t before = std::exchange(d.takers, queue.takers.size());
    const wanted_jobs now = wanted(queue);
    const bool began = std::exchange(d.wanted, now.jobs != 0) != d.wanted && d.wanted;
    if (!d.wanted) {
        keep(queue, d);
        give_back_ready(queue, true);
    }
    // Also of a paused queue: who does not wait is told that it has nothing.
    if (d.takers > before || began) {
        recall(queue, d);
        broker_.look(queue.name, now, ++d.looks);
    } else if (d.wanted) {
        keep(queue, d);
    }
}

void nats_job_store::looked(const broker_event& e, wake_list& wakes) {
    queue_entry& queue = listener().stored_queue(e.queue);
    demand& d = demands_[&queue];
    if (e.looks != d.looks)
        return; // somebody has asked again meanwhile
    listener().nothing_more(queue, wakes);
    keep(queue, d);
}

void nats_job_store::offered(queue_entry& queue, wake_list&) {
    if (queue.ready == 0)
        return;
    const bool all = wanted(queue).jobs == 0;
    if (all && demands_[&queue].wanted) // or what is given back would be fetched again and again
        return takers_changed(queue);
    give_back_ready(queue, all);
}

/// What nobody here takes is for others: `all`, or what nobody here could run.
void nats_job_store::give_back_ready(queue_entry& queue, bool all) {
    if (queue.ready == 0)
        return;
    std::vector<job_record*> unwanted;
    for (const auto& lane : queue.lanes)
        for (unsigned p = 0; p < lane->by_priority.size(); ++p)
            if ((lane->occupied >> p & 1U) != 0 && (all || !is_taken(queue, *lane->kind, p)))
                for (job_record& job : lane->by_priority[p])
                    unwanted.push_back(&job);
    for (job_record* const job : unwanted) {
        if (all)
            let_go(*job, job_state::available, duration::zero());
        else
            put_off(*job);
    }
}

/// Others may be able to run it; if none are, it comes again after a while, which grows each time.
void nats_job_store::put_off(job_record& job) {
    std::unordered_set<job_id>& left = demands_[job.queue].put_off;
    const job_id id = job.id;
    left.insert(id);
    broker_.put_off(id);
    if (!send_away(job, job_state::available))
        left.erase(id);
}

/// Jobs that had been left to others are asked for again when somebody here takes them now.
void nats_job_store::recall(const queue_entry& queue, demand& d) {
    if (d.put_off.empty() || queue.paused)
        return;
    std::erase_if(d.put_off, [&](const job_id& id) {
        const job_record* const job = index().find(id);
        if (job == nullptr)
            return true;
        const bool is_wanted = is_taken(queue, *job->kind, job->priority);
        if (is_wanted)
            broker_.recall(id);
        return is_wanted;
    });
}

void nats_job_store::handler_added(const kind_entry&) {
    for (auto& [queue, d] : demands_)
        recall(*queue, d);
}

std::size_t nats_job_store::left_to_others(const queue_entry& queue) {
    const auto found = demands_.find(&queue);
    if (found == demands_.end())
        return 0;
    return static_cast<std::size_t>(
        std::ranges::count_if(found->second.put_off, [&](const job_id& id) {
            const job_record* const job = index().find(id);
            return job != nullptr && job->kind->handlers == 0;
        }));
}

void nats_job_store::let_go(job_record& job, job_state state, duration delay) {
    broker_.give_back(job.id, delay, true);
    send_away(job, state);
}

/// The job is in others' hands. Its end is told while it is known here, which is answered.
bool nats_job_store::send_away(job_record& job, job_state state) {
    if (job.waiters == nullptr && away_ >= away_max) {
        broker_.forget(job.id);
        index().remove(job);
        return false;
    }
    index().send_away(job, state);
    ++away_;
    return true;
}

void nats_job_store::back_from_away(job_record& job) {
    if (!job.away)
        return;
    --away_;
    if (const auto found = demands_.find(job.queue); found != demands_.end())
        found->second.put_off.erase(job.id);
}

/// Of a job that has just been pushed.
void nats_job_store::forget_if_too_many(job_record& job) {
    if (away_ <= away_max || job.waiters != nullptr)
        return;
    const job_id id = job.id;
    back_from_away(job);
    index().remove(job);
    broker_.forget(id);
}

} // namespace lifeguard::detail
