// Many jobs in one push: all of them or none.

#include "queue/change_waiters.hpp"
#include "queue/queue_core.hpp"

#include <algorithm>
#include <unordered_map>

namespace lifeguard {
namespace detail {
namespace {

/// The same error, saying which of the jobs is at fault: "jobs[3].priority: ...".
[[noreturn]] void rethrow_of(std::size_t index, const error& e) {
    const std::string& what = e.detail();
    const std::size_t name_end = what.find_first_of(": '");
    const bool names_member = name_end != std::string::npos && what.substr(name_end, 2) == ": ";
    throw error(static_cast<errc>(e.code().value()),
                "jobs[" + std::to_string(index) + (names_member ? "]." : "]: ") + what);
}

/// Decides about a whole batch before anything of it is pushed. Used with the lock held, but for
/// `check`.
class batch {
  public:
    batch(queue_core& core, std::vector<new_job>& jobs, bool idempotent)
        : core_(core), jobs_(jobs), idempotent_(idempotent) {}

    void check() {
        for (std::size_t i = 0; i < jobs_.size(); ++i) {
            at_job(i, [&] { core_.check(jobs_[i]); });
            identities_.push_back(core_.identify(jobs_[i], idempotent_));
        }
    }

    void admit(change_waiters& changes) {
        for (std::size_t i = 0; i < jobs_.size(); ++i)
            at_job(i, [&] { admit(jobs_[i], identities_[i], changes); });
    }

    std::vector<std::unique_ptr<job_record>> records;
    std::vector<submission> answers;

  private:
    template <typename F>
    static void at_job(std::size_t index, F f) {
        try {
            f();
        } catch (const error& e) {
            rethrow_of(index, e);
        }
    }

    void admit(new_job& job, const queue_core::identity& by, change_waiters& changes) {
        queue_entry& queue = core_.queue(job.queue.empty() ? "default" : job.queue);
        if (job_record* const twin = core_.find_twin(job, by)) {
            if (!twin->stored)
                changes.add(*twin, result_waiter::event::stored);
            answers.push_back({twin->id, true});
        } else if (const job_record* const earlier = find_earlier(job, by)) {
            answers.push_back({earlier->id, true});
        } else {
            take_place(queue);
            const bool own_id = !job.id.is_nil();
            records.push_back(
                core_.admit(std::move(job), queue, core_.options().max_attempts, true, by));
            const job_record& record = *records.back();
            if (own_id)
                by_id_.emplace(record.id, &record);
            if (record.unique)
                by_key_.emplace(by.unique_hash, &record);
            answers.push_back({record.id, false});
        }
    }

    /// The job in this batch because of which `job` is not to be stored.
    const job_record* find_earlier(const new_job& job, const queue_core::identity& by) const {
        if (const auto same = by_id_.find(job.id); same != by_id_.end()) {
            if (!idempotent_)
                throw error(errc::duplicate_id, "job " + job.id.to_string());
            return same->second;
        }
        if (!job.unique)
            return nullptr;
        const auto [first, last] = by_key_.equal_range(by.unique_hash);
        const auto alike = std::find_if(first, last, [&](const auto& entry) {
            const job_record& other = *entry.second;
            const bool waits = other.due > core_.clock().wall_ns();
            return other.kind->name == job.kind &&
                   has_key(other, *other.kind, job.unique->key, job.payload_text()) &&
                   job.unique->states.contains(waits ? job_state::scheduled : job_state::available);
        });
        return alike == last ? nullptr : alike->second;
    }

    void take_place(const queue_entry& queue) {
        std::size_t& taken = places_[&queue];
        if (core_.is_full(queue, taken))
            throw error(errc::queue_full, "queue '" + queue.name + "' holds " +
                                              std::to_string(queue.unfinished()) + " jobs");
        ++taken;
    }

    queue_core& core_;
    std::vector<new_job>& jobs_;
    const bool idempotent_;
    std::vector<queue_core::identity> identities_;
    std::unordered_map<job_id, const job_record*> by_id_;
    std::unordered_multimap<std::uint64_t, const job_record*> by_key_;
    std::unordered_map<const queue_entry*, std::size_t> places_;
};

void check_size(std::size_t jobs) {
    if (jobs == 0)
        throw error(errc::invalid_job, "jobs: must not be empty");
    if (jobs > batch_max)
        throw error(errc::limit_reached,
                    "jobs: " + std::to_string(jobs) + " at once, at most 10,000");
}

asio::awaitable<std::vector<submission>>
push_batch(std::shared_ptr<queue_core> core, std::vector<new_job> jobs, push_options options) {
    core->refuse_when_shared("many jobs in one push");
    check_size(jobs.size());
    if (options.wait > duration::zero())
        throw error(errc::invalid_option, "wait: a batch does not wait for space");
    batch all(*core, jobs, options.idempotent);
    all.check();
    change_waiters changes(*core);
    {
        wake_list wakes;
        std::unique_lock lock(core->shared().mutex);
        core->read_clock();
        all.admit(changes);
        if (!all.records.empty()) {
            // They are stored together, so one answer is enough.
            changes.add(*all.records.back(), result_waiter::event::stored);
            core->push(std::move(all.records), wakes);
        }
        lock.unlock();
        wakes.run();
    }
    co_await changes.wait();
    if (const std::exception_ptr failure = changes.failure())
        std::rethrow_exception(failure);
    co_return std::move(all.answers);
}

asio::awaitable<std::vector<job_id>>
push_batch_ids(std::shared_ptr<queue_core> core, std::vector<new_job> jobs, push_options options) {
    const auto answers = co_await push_batch(std::move(core), std::move(jobs), options);
    std::vector<job_id> ids;
    ids.reserve(answers.size());
    for (const submission& s : answers)
        ids.push_back(s.id);
    co_return ids;
}

asio::awaitable<std::vector<job_id>> push_text(std::shared_ptr<queue_core> core, std::string text,
                                               push_options options) {
    std::vector<new_job> jobs = parse_jobs(text, core->options().limits).value();
    co_return co_await push_batch_ids(std::move(core), std::move(jobs), options);
}

} // namespace
} // namespace detail

asio::awaitable<std::vector<job_id>> job_queue::push(std::vector<new_job> jobs,
                                                     push_options options) {
    return detail::push_batch_ids(core_, std::move(jobs), options);
}

asio::awaitable<std::vector<submission>> job_queue::submit(std::vector<new_job> jobs,
                                                           push_options options) {
    return detail::push_batch(core_, std::move(jobs), options);
}

asio::awaitable<std::vector<job_id>> job_queue::push_many_json(std::string text,
                                                               push_options options) {
    return detail::push_text(core_, std::move(text), options);
}

} // namespace lifeguard
