#pragma once

#include "base/parked_coroutine.hpp"
#include "queue/job_record.hpp"

namespace lifeguard::detail {

/// A coroutine that waits in one of the queue's lists, at most until some moment. Lies in that
/// coroutine's frame. Guarded by the engine's lock.
class timed_wait : public parked_coroutine {
  public:
    enum class end { none, served, timed_out, cancelled };

    bool over() const noexcept { return ended_ != end::none; }
    end ended() const noexcept { return ended_; }

    /// The first to say how the wait ends decides it.
    void finish(end how, wake_list& wakes) {
        if (over())
            return;
        ended_ = how;
        if (is_parked())
            wakes.add(*this);
    }

  protected:
    ~timed_wait() = default;

  private:
    end ended_ = end::none;
};

/// A push that waits for space in a full queue.
class space_wait final : public timed_wait, public space_waiter {
  public:
    bool granted() const noexcept { return ended() == end::served; }
};

} // namespace lifeguard::detail
