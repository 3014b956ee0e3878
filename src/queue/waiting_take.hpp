#pragma once

#include "queue/queue_core.hpp"

namespace lifeguard::detail {

/// A `take`: takes what is there, or waits until it is offered something. Lies in the frame of its
/// caller, which enlists it and lets it leave. Everything with the engine's lock held.
class waiting_take final : public taker, public timed_wait {
  public:
    /// Throws `error` when a name breaks a rule.
    waiting_take(queue_core& core, const take_options& options);

    /// Takes what is there now; whether that is anything.
    bool take(wake_list& wakes);

    void offer(wake_list& wakes) override;
    std::size_t appetite() const noexcept override {
        return over() ? 0 : options_.jobs_max - taken.size();
    }
    bool takes(const kind_entry& kind) const noexcept override;
    duration patience() const noexcept override { return options_.wait; }
    void nothing_more(queue_entry& queue, wake_list& wakes) override;

    void enlist();
    void leave() noexcept;

    /// Gives back what its caller will never see.
    void return_taken(wake_list& wakes);

    std::vector<taken_job> taken;

  private:
    queue_core& core_;
    const take_options& options_;
    std::vector<queue_entry*> queues_;
    std::vector<const kind_entry*> kinds_;
    take_filter filter_;
    /// Those of which a store that others share has not told yet what it has: when it has told of
    /// all of them, the most urgent jobs are taken.
    std::vector<queue_entry*> unanswered_;
};

/// What a caller learns of a job that it has leased.
taken_job describe_taken(const job_record& job);

} // namespace lifeguard::detail
