#pragma once

#include "base/parked_coroutine.hpp"
#include "base/runtime.hpp"
#include "store/job_index.hpp"
#include "store/locate_request.hpp"
#include "store/pause_request.hpp"
#include "store/settlement.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace lifeguard::detail {

/// Told by a store what has become durable, and what has not. Called with the engine's lock held.
class store_listener {
  public:
    /// The clock is read: what the listener is told next happens now. Returns the wall time in
    /// nanoseconds.
    virtual std::int64_t store_turn() = 0;

    /// The job is stored: it may be taken, and its submitter answered.
    virtual void job_pushed(job_record& job, wake_list& wakes) = 0;
    /// The job could not be stored, and is about to be forgotten.
    virtual void push_failed(job_record& job, const std::exception_ptr& why, wake_list& wakes) = 0;

    /// The job has reached a final state for good; called before it can be forgotten.
    virtual void job_finished(job_record& job, const settlement& s, wake_list& wakes) = 0;
    /// The job may be taken again, now or when it is due.
    virtual void job_returned(job_record& job, const settlement& s, wake_list& wakes) = 0;
    /// The job is no longer known; called before it goes.
    virtual void job_removed(job_record& job, wake_list& wakes) = 0;
    /// What somebody had asked for could not be stored. The job is what it was.
    virtual void change_failed(job_record& job, const std::exception_ptr& why,
                               wake_list& wakes) = 0;

    /// A pause, or its end, has been stored; or not: `failed` says why.
    virtual void pause_settled(pause_request& r, const std::exception_ptr& failed,
                               wake_list& wakes) = 0;

    /// There is something to do, or will be earlier than so far: of `next_retry`, or of the
    /// index's `next_prune`.
    virtual void retry_planned(wake_list& wakes) = 0;

    /// The server that keeps the jobs has answered everything that was asked for at once.
    virtual void nothing_more(queue_entry& queue, wake_list& wakes) = 0;

    /// The entries of names that the store has kept. Throw `error`, as for names that are new.
    virtual kind_entry& stored_kind(std::string_view name) = 0;
    virtual queue_entry& stored_queue(std::string_view name) = 0;
    /// A queue had been paused, until then: 0 until it is resumed.
    virtual void stored_pause(queue_entry& queue, std::int64_t until) = 0;

  protected:
    ~store_listener() = default;
};

/// Where jobs live: the seam between the queue and memory, SQLite or JetStream. Reading and taking
/// go to the index in memory, which every store keeps; changes go through here, and the listener is
/// told when a change is durable - at once by a store that has nothing to wait for. Every member is
/// called with the engine's lock held and must not block, unless it says otherwise.
class job_store {
  public:
    explicit job_store(retention keep) : index_(keep) {}
    virtual ~job_store() = default;

    job_index& index() noexcept { return index_; }

    virtual std::string_view name() const noexcept = 0;

    /// Before anything else: the jobs that are stored already come into the index. What the store
    /// tells later it tells on the runtime's executor while `alive` is. May block. Returns what is
    /// to be logged. Throws `error`.
    std::vector<log_record> open(store_listener& listener, std::shared_ptr<runtime> shared,
                                 std::weak_ptr<const void> alive);

    virtual void push(std::unique_ptr<job_record> job, std::int64_t wall_now, wake_list& wakes) = 0;
    /// All of them or none, one at least.
    virtual void push(std::vector<std::unique_ptr<job_record>> jobs, std::int64_t wall_now,
                      wake_list& wakes) = 0;
    /// An attempt begins. Written before the handler runs, so a job that kills the process is
    /// counted.
    virtual void start(job_record& job) = 0;
    /// What becomes of a job that is not being settled already: of an unfinished one, or of a
    /// final one that is made available again.
    virtual void settle(job_record& job, settlement&& s, wake_list& wakes) = 0;
    /// A job that was taken and not started is available again.
    void give_back(job_record& job, wake_list& wakes);
    /// Forgets a final job, because somebody asked for that.
    virtual void remove(job_record& job, wake_list& wakes) = 0;

    /// Pauses a queue, or ends that.
    virtual void set_pause(std::shared_ptr<pause_request> r, wake_list& wakes) = 0;

    /// The index has forgotten jobs that were too old, or too much.
    virtual void pruned() {}

    /// Whether other engines have jobs of the same queues: then the index holds those only that
    /// this engine has fetched, finished or submitted; the last as `away` while others may have
    /// them.
    virtual bool is_shared() const noexcept { return false; }
    /// Somebody takes from the queue now, or does no longer, or wants more or less than before; or
    /// the queue has been paused or resumed.
    virtual void takers_changed(queue_entry&) {}
    /// Jobs of this kind can be executed here now.
    virtual void handler_added(const kind_entry&) {}
    /// Looks for a job that the index does not know: when its waiter is told, the index knows it,
    /// or it is nowhere. From then on its end is told, too.
    // NOLINTNEXTLINE(performance-unnecessary-value-param): who looks keeps it
    virtual void locate(std::shared_ptr<locate_request>) {}
    /// How many jobs of the queue have been left to other engines because nobody here has a handler
    /// for them.
    virtual std::size_t left_to_others(const queue_entry&) { return 0; }
    /// Jobs of the queue are available, and have been offered to all who take from it.
    virtual void offered(queue_entry&, wake_list&) {}

    /// When what could not be stored, and must be, is to be tried again; max: nothing is.
    virtual time_point next_retry() const noexcept { return time_point::max(); }
    virtual void retry() {}

    /// Waits until nothing is on its way to where the jobs are stored; whether there has been
    /// anything since the last call. For tests; blocks, and is called without the lock.
    virtual bool drain() { return false; }

    /// The runtime's executor goes away; nobody is told anything any more. Called without the lock.
    virtual void context_gone() noexcept {}

  protected:
    store_listener& listener() noexcept { return *listener_; }
    const std::shared_ptr<runtime>& shared() noexcept { return shared_; }
    const std::weak_ptr<const void>& alive() noexcept { return alive_; }

    /// Reads what is stored into the index. May block. Returns what is to be logged. Throws
    /// `error`.
    virtual std::vector<log_record> load() { return {}; }

    /// The settlement is durable: makes it so, and tells the listener.
    void apply(job_record& job, settlement& s, wake_list& wakes);

  private:
    void revive(job_record& job, const settlement& s);

    job_index index_;
    store_listener* listener_ = nullptr;
    std::shared_ptr<runtime> shared_;
    std::weak_ptr<const void> alive_;
};

/// Jobs in memory: as fast as it gets, gone with the process.
std::unique_ptr<job_store> make_memory_store(retention keep);

} // namespace lifeguard::detail
