#include "store/job_index.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <random>

namespace lifeguard::detail {
namespace {

constexpr std::size_t first_buckets = 1024;

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

bool wants(const take_filter& filter, const kind_entry& kind) noexcept {
    if (std::ranges::find(filter.barred, &kind) != filter.barred.end())
        return false;
    switch (filter.which) {
    case take_filter::kinds::any:
        return true;
    case take_filter::kinds::handled:
        return kind.handlers != 0;
    case take_filter::kinds::listed:
        return std::ranges::find(filter.list, &kind) != filter.list.end();
    }
    return false;
}

/// The job of `queue` that is to be taken first, or null.
job_record* first_of(queue_entry& queue, const take_filter& filter) noexcept {
    if (queue.takeable() == 0)
        return nullptr;
    job_record* best = nullptr;
    for (const auto& lane : queue.lanes) {
        unsigned occupied = lane->occupied;
        if (filter.priority >= 0)
            occupied &= 1U << filter.priority;
        if (occupied == 0 || !wants(filter, *lane->kind))
            continue;
        job_record& job =
            lane->by_priority[static_cast<std::size_t>(std::countr_zero(occupied))].front();
        if (best == nullptr || job.priority < best->priority ||
            (job.priority == best->priority && job.sequence < best->sequence))
            best = &job;
    }
    return best;
}

} // namespace

job_index::job_index(retention keep)
    : buckets_(first_buckets),
      jobs_(table::bucket_traits(buckets_.data(), buckets_.size()), id_hash(random_seed())),
      keep_(keep) {}

job_index::~job_index() {
    schedule_.clear();
    leases_.clear();
    for (place_list& its : kept_)
        its.clear();
    uniques_.clear();
    jobs_.clear_and_dispose(std::default_delete<job_record>());
    for (void* memory : spare_records_)
        ::operator delete(memory);
}

std::unique_ptr<job_record> job_index::make_record() {
    if (spare_records_.empty())
        return std::make_unique<job_record>();
    void* const memory = spare_records_.back();
    spare_records_.pop_back();
    return std::unique_ptr<job_record>(new (memory) job_record());
}

void job_index::destroy(job_record& job) noexcept {
    if (spare_records_.size() == spare_records_.capacity()) {
        delete &job;
        return;
    }
    std::destroy_at(&job);
    spare_records_.push_back(&job);
}

job_record* job_index::find(const job_id& id) noexcept {
    const auto found = jobs_.find(id);
    return found == jobs_.end() || !found->stored ? nullptr : &*found;
}

bool job_index::knows(const job_id& id) const noexcept { return jobs_.find(id) != jobs_.end(); }

job_record* job_index::find_announced(const job_id& id) noexcept {
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : &*found;
}

job_record& job_index::insert(std::unique_ptr<job_record> owned, std::int64_t wall_now) {
    job_record& job = announce(std::move(owned));
    admit(job, wall_now);
    return job;
}

job_record& job_index::announce(std::unique_ptr<job_record> owned) {
    grow_table();
    job_record& job = *owned.release(); // from here the table owns it
    jobs_.insert(job);
    job.sequence = ++sequence_;
    last_row_ = job.row == 0 ? last_row_ + 1 : std::max(last_row_, job.row);
    job.row = job.row == 0 ? last_row_ : job.row;
    order_.add(job);
    if (job.unique)
        uniques_.claim(job); // goes by the row
    return job;
}

void job_index::admit(job_record& job, std::int64_t wall_now) {
    job.stored = true;
    if (job.due > wall_now) {
        job.state = job_state::scheduled;
        schedule_.insert(schedule_.end(), job);
    } else {
        job.state = job_state::available;
        make_ready(job);
    }
    ++job.queue->counts[static_cast<std::size_t>(job.state)];
}

void job_index::admit_away(job_record& job, std::int64_t wall_now) {
    job.stored = job.settling = job.away = true;
    job.state = job.due > wall_now ? job_state::scheduled : job_state::available;
    ++job.queue->counts[static_cast<std::size_t>(job.state)];
}

void job_index::send_away(job_record& job, job_state state) {
    detach(job);
    set_state(job, state);
    job.settling = job.away = true;
}

void job_index::fetch(job_record& job, job_state state) {
    detach(job);
    set_state(job, state);
    job.sequence = ++sequence_;
    attach(job);
}

void job_index::retract(job_record& job) noexcept {
    uniques_.release(job);
    order_.remove(job);
    jobs_.erase(jobs_.iterator_to(job));
    destroy(job);
}

job_record& job_index::restore(std::unique_ptr<job_record> owned) {
    job_record& job = announce(std::move(owned));
    job.stored = true;
    ++job.queue->counts[static_cast<std::size_t>(job.state)];
    if (is_final(job.state)) {
        keep(job);
        weigh(job);
    } else {
        attach(job);
    }
    return job;
}

// Linear hashing: each insertion splits one bucket, so no insertion rehashes a whole table. At a
// power of two the heads of the buckets move to a larger array, a pointer each.
void job_index::grow_table() {
    if (jobs_.size() < jobs_.split_count())
        return;
    if (jobs_.split_count() == jobs_.bucket_count()) {
        std::vector<table::bucket_type> twice(2 * buckets_.size());
        jobs_.incremental_rehash(table::bucket_traits(twice.data(), twice.size()));
        buckets_.swap(twice);
    }
    jobs_.incremental_rehash(true);
}

job_record* job_index::take(std::span<queue_entry* const> queues, bool strict,
                            const take_filter& filter) {
    job_record* best = peek(queues, strict, filter);
    if (best != nullptr)
        take(*best);
    return best;
}

job_record* job_index::peek(std::span<queue_entry* const> queues, bool strict,
                            const take_filter& filter) noexcept {
    job_record* best = nullptr;
    for (queue_entry* queue : queues) {
        job_record* job = first_of(*queue, filter);
        if (job == nullptr)
            continue;
        if (best == nullptr || job->priority < best->priority ||
            (job->priority == best->priority && job->sequence < best->sequence))
            best = job;
        if (strict)
            break;
    }
    return best;
}

void job_index::take(job_record& job) {
    detach(job);
    set_state(job, job_state::executing);
    ++job.delivery;
    job.started = false;
    job.acknowledged = false;
    job.cancel_asked = false;
}

void job_index::watch_lease(job_record& job, std::int64_t until) {
    unwatch_lease(job);
    job.due = until;
    leases_.insert(leases_.end(), job);
}

void job_index::unwatch_lease(job_record& job) noexcept {
    if (static_cast<time_hook&>(job).is_linked())
        leases_.erase(leases_.iterator_to(job));
}

void job_index::suspend(job_record& job) noexcept {
    detach(job);
    job.settling = true;
}

void job_index::resume(job_record& job) {
    job.settling = false;
    attach(job);
}

/// Puts a job where its state keeps it.
void job_index::attach(job_record& job) {
    switch (job.state) {
    case job_state::available:
        make_ready(job);
        break;
    case job_state::scheduled:
    case job_state::retryable:
        schedule_.insert(schedule_.end(), job);
        break;
    case job_state::executing:
        job.started = true;
        leases_.insert(leases_.end(), job);
        break;
    case job_state::completed:
    case job_state::cancelled:
    case job_state::discarded: // it was not revived after all
        keep_again(job);
        break;
    }
}

void job_index::revive(job_record& job) {
    job.sequence = ++sequence_; // as one that has waited for its time
    give_back(job);
}

void job_index::give_back(job_record& job) {
    detach(job);
    set_state(job, job_state::available);
    make_ready(job);
}

void job_index::postpone(job_record& job, job_state state, std::int64_t due) {
    detach(job);
    set_state(job, state);
    job.due = due;
    schedule_.insert(schedule_.end(), job);
}

void job_index::finish(job_record& job, job_state state) {
    detach(job);
    set_state(job, state);
    if (state != job_state::discarded)
        job.sequence = ++sequence_; // completed and cancelled ones are forgotten in this order
    keep(job);
    trim();
}

void job_index::remove(job_record& job) {
    detach(job);
    uniques_.release(job);
    order_.remove(job);
    --job.queue->counts[static_cast<std::size_t>(job.state)];
    jobs_.erase(jobs_.iterator_to(job));
    job.removed = true;
    if (job.pins == 0)
        destroy(job);
}

void job_index::unpin(job_record& job) noexcept {
    if (--job.pins == 0 && job.removed)
        destroy(job);
}

job_record* job_index::make_due(std::int64_t wall_now) {
    if (schedule_.empty() || schedule_.begin()->due > wall_now)
        return nullptr;
    job_record& job = *schedule_.begin();
    job.sequence = ++sequence_; // it has waited for its time, not for its turn
    give_back(job);
    return &job;
}

job_record* job_index::expired(std::int64_t now) noexcept {
    if (leases_.empty() || leases_.begin()->due > now)
        return nullptr;
    return &*leases_.begin();
}

std::optional<std::int64_t> job_index::next_due() const noexcept {
    if (schedule_.empty())
        return std::nullopt;
    return schedule_.begin()->due;
}

std::optional<std::int64_t> job_index::next_expiry() const noexcept {
    if (leases_.empty())
        return std::nullopt;
    return leases_.begin()->due;
}

ready_lane& job_index::lane_of(job_record& job) {
    queue_entry& queue = *job.queue;
    const std::size_t index = job.kind->index;
    if (index >= queue.lane_by_kind.size())
        queue.lane_by_kind.resize(index + 1);
    ready_lane*& lane = queue.lane_by_kind[index];
    if (lane == nullptr) {
        queue.lanes.push_back(std::make_unique<ready_lane>());
        lane = queue.lanes.back().get();
        lane->kind = job.kind;
    }
    return *lane;
}

void job_index::set_state(job_record& job, job_state state) noexcept {
    --job.queue->counts[static_cast<std::size_t>(job.state)];
    ++job.queue->counts[static_cast<std::size_t>(state)];
    job.state = state;
}

/// Where a job that comes back belongs. It was taken from near one of the ends, so it is looked for
/// from both.
place_list::iterator job_index::place_in(place_list& list, std::uint64_t sequence) noexcept {
    auto front = list.begin();
    auto back = list.end();
    for (;; ++front, --back) {
        if (front->sequence > sequence)
            return front;
        if (std::prev(back)->sequence < sequence)
            return back;
    }
}

void job_index::make_ready(job_record& job) {
    ready_lane& lane = lane_of(job);
    place_list& list = lane.by_priority[job.priority];
    if (list.empty() || list.back().sequence < job.sequence)
        list.push_back(job);
    else
        list.insert(place_in(list, job.sequence), job);
    lane.occupied = static_cast<std::uint16_t>(lane.occupied | (1U << job.priority));
    ++job.queue->ready;
}

void job_index::unready(job_record& job) noexcept {
    ready_lane& lane = lane_of(job);
    place_list& list = lane.by_priority[job.priority];
    list.erase(list.iterator_to(job));
    if (list.empty())
        lane.occupied = static_cast<std::uint16_t>(lane.occupied & ~(1U << job.priority));
    --job.queue->ready;
}

/// Takes a job out of whatever its state keeps it in.
void job_index::detach(job_record& job) noexcept {
    if (job.settling) {
        job.settling = job.away = false; // it is nowhere
        return;
    }
    switch (job.state) {
    case job_state::available:
        unready(job);
        break;
    case job_state::scheduled:
    case job_state::retryable:
        schedule_.erase(schedule_.iterator_to(job));
        break;
    case job_state::executing:
        unwatch_lease(job);
        job.holder = nullptr;
        job.started = false;
        break;
    case job_state::completed:
    case job_state::cancelled:
    case job_state::discarded:
        unkeep(job);
        break;
    }
}

} // namespace lifeguard::detail
