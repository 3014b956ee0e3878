#pragma once

#include "base/parked_coroutine.hpp"
#include "store/job_index.hpp"

#include <memory>
#include <string_view>

namespace lifeguard::detail {

/// Told by a store what has become durable. Called with the engine's lock held.
class store_listener {
  public:
    /// The job is stored: it may be taken, and its submitter answered.
    virtual void job_pushed(job_record& job, wake_list& wakes) = 0;
    /// The job has reached a final state for good; called before it can be forgotten.
    virtual void job_finished(job_record& job, wake_list& wakes) = 0;
    /// The job may be taken again, now or when it is due.
    virtual void job_returned(job_record& job, wake_list& wakes) = 0;

  protected:
    ~store_listener() = default;
};

/// Where jobs live: the seam between the queue and memory, SQLite or JetStream. Reading and taking
/// go to the index in memory, which every store keeps; changes go through here, and the listener is
/// told when a change is durable - at once by a store that has nothing to wait for. Every member is
/// called with the engine's lock held and must not block.
class job_store {
  public:
    explicit job_store(retention keep) : index_(keep) {}
    virtual ~job_store() = default;

    void attach(store_listener& listener) noexcept { listener_ = &listener; }
    job_index& index() noexcept { return index_; }

    virtual std::string_view name() const noexcept = 0;

    virtual void push(std::unique_ptr<job_record> job, std::int64_t wall_now, wake_list& wakes) = 0;
    /// An attempt begins. Written before the handler runs, so a job that kills the process is
    /// counted.
    virtual void start(job_record& job) = 0;
    virtual void finish(job_record& job, job_state state, wake_list& wakes) = 0;
    virtual void postpone(job_record& job, job_state state, std::int64_t due, wake_list& wakes) = 0;
    virtual void give_back(job_record& job, wake_list& wakes) = 0;
    virtual void remove(job_record& job) = 0;

  protected:
    store_listener& listener() noexcept { return *listener_; }

  private:
    job_index index_;
    store_listener* listener_ = nullptr;
};

/// Jobs in memory: as fast as it gets, gone with the process.
std::unique_ptr<job_store> make_memory_store(retention keep);

} // namespace lifeguard::detail
