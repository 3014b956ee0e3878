#pragma once

#include "base/deadline_service.hpp"
#include "queue/queue_core.hpp"
#include <lifeguard/circuit_breaker.hpp>
#include <lifeguard/job_context.hpp>

#include <boost/asio/cancellation_signal.hpp>

#include <memory>

namespace lifeguard::detail {

class pool_core;
struct worker;

/// A long-lived coroutine that runs handlers one after another, on a strand of its own and with its
/// own cancellation signal. It ends when it is told to, or when it has been given up on.
///
/// Every member is guarded by the engine's lock, but for `signal`, which is touched on the strand
/// only. `stamp` is written by the lane's coroutine, which may therefore read it without the lock.
class lane final : public deadline, public lease_holder, public parked_coroutine {
  public:
    lane(std::shared_ptr<pool_core> pool, std::shared_ptr<worker> owner,
         asio::any_io_executor strand);
    ~lane() override;

    const std::string& holder_name() const noexcept override;

    /// The lane's life. `self` keeps it alive as long as its frame.
    static asio::awaitable<void> run(std::shared_ptr<lane> self);

    /// Asks the handler of the run numbered `number` to stop; a later run is not touched. Any
    /// thread, no lock.
    void cancel(std::uint64_t number, asio::cancellation_type how);

    /// The running job is cancelled: as if its time were up.
    bool cancel_job(job_record& its, wake_list& wakes) override;

    /// Something about the running job is due: its timeout, and what follows when it has no effect.
    void expired(time_point now) override;

    const std::shared_ptr<pool_core> pool;
    const std::shared_ptr<worker> owner;
    asio::any_io_executor strand;
    asio::cancellation_signal signal;

    /// What it will run next: taken, assigned, not started. May go back.
    job_record* assigned = nullptr;

    // The run in progress.
    job_record* job = nullptr; ///< pinned
    const handler* handle = nullptr;
    attempt_stamp stamp;
    std::uint64_t number = 0;           ///< counts the lane's runs
    circuit_breaker* breaker = nullptr; ///< that admitted it
    circuit_breaker::ticket permit;
    time_point started_at;
    duration timeout{};
    time_point due = time_point::max(); ///< when `expired` has something to do
    enum class step { running, timed_out, forced, stuck } reached = step::running;

    /// When the deadline service wakes us. Earlier than `due` is fine: cheaper than re-arming for
    /// each job.
    time_point armed_at = time_point::max();

    /// Makes the deadline service wake us at `due`.
    void arm();

    bool ending = false;    ///< ends when its job is done, or at once
    bool returning = false; ///< cancelled by a stop of our own: its job goes back uncharged
    bool abandoned = false; ///< given up: nobody waits for it any more
    bool over = false;      ///< its coroutine has ended

  private:
    void post_step(step reached_now, wake_list& wakes);
};

} // namespace lifeguard::detail
