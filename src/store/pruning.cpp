// Which finished jobs the index keeps, and for how long.

#include "base/saturate.hpp"
#include "store/job_index.hpp"

#include <algorithm>

namespace lifeguard::detail {
namespace {

/// About the bytes of a value that a handler returned. Deeper levels than anybody looks at are not
/// counted.
std::size_t bytes_of(const json& value, unsigned levels = 64) noexcept {
    if (const auto* text = value.get_ptr<const json::string_t*>())
        return text->size();
    std::size_t bytes = 0;
    if (value.is_structured() && levels != 0)
        for (auto at = value.begin(); at != value.end(); ++at)
            bytes += sizeof(json) + (value.is_object() ? 64 + at.key().size() : 0) +
                     bytes_of(*at, levels - 1);
    return bytes;
}

std::size_t bytes_of(const job_record& job) noexcept {
    std::size_t bytes = sizeof(job_record) + job.payload.size() + bytes_of(job.result);
    if (job.errors)
        for (const attempt_error& e : *job.errors)
            bytes += sizeof(e) + e.text.size();
    return bytes;
}

std::int64_t finished_ns(const job_record& job) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(job.finished_at.time_since_epoch())
        .count();
}

} // namespace

void job_index::keep(job_record& job) {
    place_list& its = kept(job.state);
    its.push_back(job);
    prune_news_ = prune_news_ || (its.size() == 1 && keep_.age_of(job.state) >= duration::zero());
    job.weight = 0;
    if (job.state == job_state::discarded)
        weigh(job); // of others, when it is clear who has the result
}

/// Puts a job back among those that finished when it did.
void job_index::keep_again(job_record& job) {
    place_list& its = kept(job.state);
    its.insert(std::ranges::upper_bound(its, job.finished_at, {}, &job_record::finished_at), job);
    job.weight = 0;
    weigh(job);
}

void job_index::unkeep(job_record& job) noexcept {
    place_list& its = kept(job.state);
    its.erase(its.iterator_to(job));
    bytes_with(job.state) -= job.weight;
}

void job_index::weigh(job_record& job) noexcept {
    std::size_t& sum = bytes_with(job.state);
    sum -= job.weight;
    job.weight = static_cast<std::uint32_t>(
        std::min<std::size_t>(bytes_of(job), std::numeric_limits<std::uint32_t>::max()));
    sum += job.weight;
    prune_news_ = prune_news_ || finished_bytes_ > keep_.finished_bytes_max ||
                  discarded_bytes_ > keep_.discarded_bytes_max;
}

/// The completed or cancelled job that is to be forgotten first.
job_record* job_index::oldest_finished() noexcept {
    place_list& completed = kept(job_state::completed);
    place_list& cancelled = kept(job_state::cancelled);
    if (completed.empty() || cancelled.empty())
        return !completed.empty()   ? &completed.front()
               : !cancelled.empty() ? &cancelled.front()
                                    : nullptr;
    return completed.front().sequence < cancelled.front().sequence ? &completed.front()
                                                                   : &cancelled.front();
}

void job_index::forget_oldest(job_record& job) {
    if (trims_ != nullptr)
        trims_->trimmed(job);
    remove(job);
}

void job_index::trim() {
    place_list& discarded = kept(job_state::discarded);
    while (discarded.size() > keep_.discarded_max)
        forget_oldest(discarded.front());
    while (kept(job_state::completed).size() + kept(job_state::cancelled).size() >
           keep_.finished_max)
        forget_oldest(*oldest_finished());
}

bool job_index::is_old(job_state state, std::int64_t wall_now) const noexcept {
    const duration age = keep_.age_of(state);
    const place_list& its = kept(state);
    return age >= duration::zero() && !its.empty() &&
           later(finished_ns(its.front()), age) <= wall_now;
}

std::size_t job_index::prune(std::int64_t wall_now, std::size_t max) {
    std::size_t done = 0;
    for (const job_state state : {job_state::completed, job_state::cancelled, job_state::discarded})
        for (; done < max && is_old(state, wall_now); ++done)
            forget_oldest(kept(state).front());
    for (; done < max && finished_bytes_ > keep_.finished_bytes_max; ++done)
        forget_oldest(*oldest_finished());
    for (; done < max && discarded_bytes_ > keep_.discarded_bytes_max; ++done)
        forget_oldest(kept(job_state::discarded).front());
    return done;
}

std::optional<std::int64_t> job_index::next_prune() const noexcept {
    if (finished_bytes_ > keep_.finished_bytes_max || discarded_bytes_ > keep_.discarded_bytes_max)
        return 0;
    std::optional<std::int64_t> next;
    for (const job_state state :
         {job_state::completed, job_state::cancelled, job_state::discarded}) {
        const duration age = keep_.age_of(state);
        if (age < duration::zero() || kept(state).empty())
            continue;
        const std::int64_t due = later(finished_ns(kept(state).front()), age);
        next = next ? std::min(*next, due) : due;
    }
    return next;
}

} // namespace lifeguard::detail
