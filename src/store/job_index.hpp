#pragma once

#include "queue/job_record.hpp"
#include "store/submission_order.hpp"
#include "store/unique_index.hpp"
#include <lifeguard/store.hpp>

#include <boost/container/static_vector.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace lifeguard::detail {

/// Which jobs a taker can run.
struct take_filter {
    enum class kinds { any, handled, listed };
    kinds which = kinds::any;
    std::span<const kind_entry* const> list;   ///< for `listed`
    std::span<const kind_entry* const> barred; ///< never these
    int priority = -1;                         ///< one priority only; -1: all
};

/// Which finished jobs are kept, so that their results and errors can still be asked for.
struct retention {
    std::size_t finished_max = 1000;   ///< completed and cancelled jobs
    std::size_t discarded_max = 10000; ///< the dead letters
    job_ages ages{};
    std::size_t finished_bytes_max = std::numeric_limits<std::size_t>::max();
    std::size_t discarded_bytes_max = std::numeric_limits<std::size_t>::max();

    duration age_of(job_state state) const noexcept {
        return state == job_state::completed   ? ages.completed
               : state == job_state::cancelled ? ages.cancelled
                                               : ages.discarded;
    }
};

/// The jobs of a store and everything that decides about them: the ready order, the schedule,
/// leases, counts, what is kept. Sans-IO: time comes in as an argument. Guarded by the engine's
/// lock.
class job_index {
  public:
    explicit job_index(retention keep);
    ~job_index();
    job_index(const job_index&) = delete;
    job_index& operator=(const job_index&) = delete;

    /// A job that is stored; null when there is none of that id.
    job_record* find(const job_id& id) noexcept;
    /// Whether the id is taken, also by a job that is only about to be stored.
    bool knows(const job_id& id) const noexcept;
    /// Also one that is only about to be stored.
    job_record* find_announced(const job_id& id) noexcept;
    unique_index& uniques() noexcept { return uniques_; }

    /// Discarded jobs, those that were discarded first. `f` changes nothing, and answers whether
    /// to go on.
    template <typename F>
    void visit_discarded(F f) {
        place_list& discarded = kept(job_state::discarded);
        for (auto i = discarded.begin(); i != discarded.end() && f(*i);)
            ++i;
    }
    /// Scheduled and retryable jobs, those that are due first.
    template <typename F>
    void visit_schedule(F f) {
        for (auto i = schedule_.begin(); i != schedule_.end() && f(*i);)
            ++i;
    }
    /// All stored jobs, in slices: a few with every number up to `slices`. A job that stays is in
    /// some slice from `n` on also when others come and go meanwhile. `f` changes nothing.
    std::size_t slices() const noexcept { return jobs_.bucket_count(); }
    template <typename F>
    void visit_slice(std::size_t n, F f) {
        for (auto i = jobs_.begin(n); i != jobs_.end(n); ++i)
            if (i->stored)
                f(*i);
    }

    /// An empty record for a new job, in memory that a forgotten one has left warm.
    std::unique_ptr<job_record> make_record();

    /// Adds a job; available when its `due` is not after `wall_now`. Its id must be new.
    job_record& insert(std::unique_ptr<job_record> job, std::int64_t wall_now);
    /// The same in two steps, for a store that takes its time: first its id and its place in the
    /// order are taken, then it is admitted, or retracted.
    job_record& announce(std::unique_ptr<job_record> job);
    void admit(job_record& job, std::int64_t wall_now);
    void retract(job_record& job) noexcept;
    /// Adds a job that was stored earlier, in the state that it says; final ones in the order in
    /// which they are to be forgotten.
    job_record& restore(std::unique_ptr<job_record> job);

    /// The next job of the queues that `filter` lets through, removed from the ready order: the
    /// most urgent priority first, first come first served within one. With `strict` an earlier
    /// queue goes before a later one whatever the priorities. Null when there is none.
    job_record* take(std::span<queue_entry* const> queues, bool strict, const take_filter& filter);

    /// The same without taking it.
    static job_record* peek(std::span<queue_entry* const> queues, bool strict,
                            const take_filter& filter) noexcept;

    /// Takes one job: one that is not final, or discarded, and not being settled.
    void take(job_record& job);

    /// Keeps a lease that its holder does not renew: `expired` finds it at `until`.
    void watch_lease(job_record& job, std::int64_t until);
    void unwatch_lease(job_record& job) noexcept;

    /// What becomes of a job is being stored: until the state is changed by one of the functions
    /// below, nobody can take it, no time is up for it, and it is not forgotten.
    void suspend(job_record& job) noexcept;
    /// It was not stored: the job is what it was. One that executes has a lease to be watched.
    void resume(job_record& job);

    /// A job that has only been announced is stored where others may take it.
    void admit_away(job_record& job, std::int64_t wall_now);
    /// A job is in others' hands: as far as is known, in this state.
    void send_away(job_record& job, job_state state);
    /// A job that was away is this engine's, as the last of those in its state.
    void fetch(job_record& job, job_state state);

    /// An executing job becomes available again, at its old place in the order.
    void give_back(job_record& job);
    /// A job that does not execute, whatever its state, becomes available behind those that are.
    void revive(job_record& job);
    /// An executing job waits until `due`, as scheduled or retryable.
    void postpone(job_record& job, job_state state, std::int64_t due);
    /// An unfinished job becomes final and is kept; what is too much is removed. A job with waiters
    /// must have been answered before.
    void finish(job_record& job, job_state state);
    /// Forgets a job for good. The record itself lives on while it is pinned.
    void remove(job_record& job);

    /// Keeps the record alive, whatever becomes of the job: for who reads it without the lock.
    static void pin(job_record& job) noexcept { ++job.pins; }
    void unpin(job_record& job) noexcept;
    class pinned {
      public:
        pinned(job_index& index, job_record& job) noexcept : index_(index), job_(job) { pin(job_); }
        ~pinned() { index_.unpin(job_); }
        pinned(const pinned&) = delete;
        pinned& operator=(const pinned&) = delete;

      private:
        job_index& index_;
        job_record& job_;
    };

    /// Forgets finished jobs that are too many.
    void trim();
    /// A finished job has changed its size: its result is there, or has gone.
    void weigh(job_record& job) noexcept;
    /// Forgets up to `max` finished jobs that are too old, or take too many bytes. Returns how
    /// many.
    std::size_t prune(std::int64_t wall_now, std::size_t max);
    /// The wall time when there will be something to prune; in the past when there is. Cheap.
    std::optional<std::int64_t> next_prune() const noexcept;
    /// Whether the answer of `next_prune` has come closer since the last call.
    bool take_prune_news() noexcept { return std::exchange(prune_news_, false); }

    /// The next scheduled or retryable job whose time has come, made available behind those that
    /// are; null when there is none.
    job_record* make_due(std::int64_t wall_now);
    /// The next watched lease that has run out; null when there is none. It stays as it is.
    job_record* expired(std::int64_t now) noexcept;

    std::optional<std::int64_t> next_due() const noexcept;
    std::optional<std::int64_t> next_expiry() const noexcept;

    std::size_t size() const noexcept { return jobs_.size(); }

    /// All jobs in the order of submission; those that are not stored yet among them.
    submission_order& order() noexcept { return order_; }

    /// Told of each job that is forgotten to make room for others. None by default.
    class trim_listener {
      public:
        virtual void trimmed(const job_record& job) = 0;

      protected:
        ~trim_listener() = default;
    };
    void tell_trimmed(trim_listener& to) noexcept { trims_ = &to; }

  private:
    struct key_of {
        using type = job_id;
        const job_id& operator()(const job_record& job) const noexcept { return job.id; }
    };
    /// Seeded, because clients may choose ids: nobody can make many of them meet in one bucket.
    class id_hash {
      public:
        explicit id_hash(std::uint64_t seed) noexcept : seed_(seed) {}
        std::size_t operator()(const job_id& id) const noexcept {
            std::uint64_t h = (id.low() ^ seed_) * 0x9e3779b97f4a7c15U;
            h = (h ^ (h >> 32) ^ id.high()) * 0xd6e8feb86659fd93U;
            return static_cast<std::size_t>(h ^ (h >> 32));
        }

      private:
        std::uint64_t seed_;
    };
    struct sooner {
        bool operator()(const job_record& a, const job_record& b) const noexcept {
            return a.due != b.due ? a.due < b.due : a.sequence < b.sequence;
        }
    };
    using table = boost::intrusive::unordered_set<
        job_record, boost::intrusive::base_hook<id_hook>, boost::intrusive::key_of_value<key_of>,
        boost::intrusive::hash<id_hash>, boost::intrusive::power_2_buckets<true>,
        boost::intrusive::incremental<true>>;
    using timeline = boost::intrusive::multiset<job_record, boost::intrusive::base_hook<time_hook>,
                                                boost::intrusive::compare<sooner>>;

    static ready_lane& lane_of(job_record& job);
    static void set_state(job_record& job, job_state state) noexcept;
    static place_list::iterator place_in(place_list& list, std::uint64_t sequence) noexcept;
    static void make_ready(job_record& job);
    static void unready(job_record& job) noexcept;
    void attach(job_record& job);
    void detach(job_record& job) noexcept;
    static std::size_t place_of(job_state state) noexcept {
        return static_cast<std::size_t>(state) - static_cast<std::size_t>(job_state::completed);
    }
    place_list& kept(job_state state) noexcept { return kept_[place_of(state)]; }
    const place_list& kept(job_state state) const noexcept { return kept_[place_of(state)]; }
    void keep(job_record& job);
    void keep_again(job_record& job);
    void unkeep(job_record& job) noexcept;
    std::size_t& bytes_with(job_state state) noexcept {
        return state == job_state::discarded ? discarded_bytes_ : finished_bytes_;
    }
    job_record* oldest_finished() noexcept;
    bool is_old(job_state state, std::int64_t wall_now) const noexcept;
    void forget_oldest(job_record& job);
    void grow_table();
    void destroy(job_record& job) noexcept;

    std::vector<table::bucket_type> buckets_;
    table jobs_;
    timeline schedule_; // by wall time
    timeline leases_;   // by monotonic time
    submission_order order_;
    std::int64_t last_row_ = 0;
    // Finished jobs by state, those first that are to be forgotten first.
    std::array<place_list, 3> kept_;
    std::size_t finished_bytes_ = 0; // of completed and cancelled ones
    std::size_t discarded_bytes_ = 0;
    bool prune_news_ = false;
    unique_index uniques_;
    retention keep_;
    trim_listener* trims_ = nullptr;
    std::uint64_t sequence_ = 0;
    boost::container::static_vector<void*, 64> spare_records_; // memory only
};

} // namespace lifeguard::detail
