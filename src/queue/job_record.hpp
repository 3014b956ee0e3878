#pragma once

#include <lifeguard/job.hpp>
#include <lifeguard/json.hpp>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <boost/intrusive/unordered_set.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lifeguard::detail {

struct queue_entry;
struct kind_entry;
class result_waiter;

/// Who holds a job's lease: a lane of a worker, or a coroutine that took it from the queue.
class lease_holder;

using id_hook = boost::intrusive::unordered_set_base_hook<
    boost::intrusive::tag<struct by_id>, boost::intrusive::store_hash<false>,
    boost::intrusive::link_mode<boost::intrusive::normal_link>>;
using place_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<struct by_place>,
                                     boost::intrusive::link_mode<boost::intrusive::normal_link>>;
using time_hook =
    boost::intrusive::set_base_hook<boost::intrusive::tag<struct by_time>,
                                    boost::intrusive::optimize_size<true>,
                                    boost::intrusive::link_mode<boost::intrusive::safe_link>>;

using claim_hook = boost::intrusive::unordered_set_base_hook<
    boost::intrusive::tag<struct by_unique_key>, boost::intrusive::store_hash<false>,
    boost::intrusive::link_mode<boost::intrusive::safe_link>>;

struct job_record;

/// The key of a unique job. Linked into the index while the key is that job's.
struct unique_claim : claim_hook {
    unique_claim(job_record& its, std::string text, std::uint64_t hashed) noexcept
        : job(its), key(std::move(text)), hash(hashed) {}

    job_record& job;
    const std::string key; ///< empty: the payload
    const std::uint64_t hash;
};

/// A job. Owned by the store's index and guarded by the engine's lock; what a handler may read
/// while the lock is free does not change while the job executes. Kept small: a million of them
/// wait in memory.
struct job_record : id_hook, place_hook, time_hook {
    job_id id;
    queue_entry* queue = nullptr;
    kind_entry* kind = nullptr;
    std::string payload;
    json result;

    std::uint64_t sequence = 0; ///< the order of submission, FIFO within a priority
    /// When the index looks at it again, in nanoseconds: the wall time of `run_at` while scheduled
    /// or retryable, the monotonic end of the lease while executing.
    std::int64_t due = 0;
    wall_time created_at;
    wall_time attempted_at;
    wall_time finished_at;
    duration timeout = duration::zero();
    time_point available_since; ///< for the latency metric

    std::unique_ptr<std::vector<attempt_error>> errors;
    std::unique_ptr<unique_claim> unique; ///< set once; null when it is not unique
    lease_holder* holder = nullptr;       ///< while executing
    result_waiter* waiters = nullptr;     ///< coroutines that await the final state

    std::uint32_t attempt = 0;
    std::uint32_t max_attempts = 0;
    std::uint32_t delivery = 0;
    std::uint8_t priority = priority_default;
    job_state state = job_state::available;
    bool started = false;      ///< executing, and its attempt has been charged
    bool stored = false;       ///< durable; until then nobody sees it
    bool settling = false;     ///< what becomes of it is being stored: nobody may have it
    bool result_lent = false;  ///< the result went to the coroutine that executed the job
    bool acknowledged = false; ///< the holder of the current delivery has said how it ended
    bool bound = false;        ///< taken for one worker, and no other may have it
    bool away = false;         ///< settling as far as this engine goes: in others' hands
    bool removed = false;      ///< forgotten by the index; lives on because it is pinned
    bool cancel_asked = false; ///< executing, and to be cancelled when its attempt has ended
    std::uint32_t pins = 0;

    // For a store that writes jobs down.
    enum class table : std::uint8_t { none, live, finished, discarded };
    table written = table::none; ///< where its row is
    std::uint16_t crashes = 0;   ///< how often the process ended while it executed
    /// Its attempt's place in the ledger, or the engine that submitted it; 0: none.
    std::uint32_t mark = 0;
    std::uint32_t weight = 0; ///< while it is kept: about its bytes in memory
    /// Counts the submissions: where the job is listed, and its row. Never changes.
    std::int64_t row = 0;
};

using place_list = boost::intrusive::list<job_record, boost::intrusive::base_hook<place_hook>>;

/// The jobs of one kind in one queue that are ready, in the order in which they are to be taken.
struct ready_lane {
    kind_entry* kind = nullptr;
    std::array<place_list, priority_last + 1> by_priority;
    std::uint16_t occupied = 0; ///< a bit for each priority that has jobs
};

/// A kind, interned: submissions, handlers and filters refer to it.
struct kind_entry {
    std::string name;
    std::size_t index = 0;
    std::uint32_t handlers = 0; ///< registered for it
};

class taker;

/// Links those who wait for space in a queue, in the order in which they came.
using space_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<struct by_space>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
struct space_waiter : space_hook {};

/// A queue and what is ready in it.
struct queue_entry {
    std::string name;
    std::vector<std::unique_ptr<ready_lane>> lanes; ///< one for each kind seen here
    std::vector<ready_lane*> lane_by_kind; ///< the same by kind_entry::index; null: not seen
    std::array<std::size_t, 7> counts{};   ///< jobs by state
    std::size_t ready = 0;
    bool paused = false;           ///< nothing is taken from it but by id
    std::int64_t paused_until = 0; ///< wall time in nanoseconds; 0: until it is resumed
    std::vector<taker*> takers;    ///< who wants jobs of this queue; the front is asked first

    /// Pushes that wait because the queue is full, and places set aside for those whose turn has
    /// come.
    boost::intrusive::list<space_waiter, boost::intrusive::base_hook<space_hook>,
                           boost::intrusive::constant_time_size<false>>
        space_waiters;
    std::size_t reserved = 0;

    std::size_t count(job_state s) const noexcept { return counts[static_cast<std::size_t>(s)]; }
    /// How many jobs those who take from it could have.
    std::size_t takeable() const noexcept { return paused ? 0 : ready; }
    std::size_t unfinished() const noexcept {
        return count(job_state::scheduled) + count(job_state::available) +
               count(job_state::executing) + count(job_state::retryable);
    }
};

} // namespace lifeguard::detail
