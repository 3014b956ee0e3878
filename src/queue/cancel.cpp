// Jobs that are not wanted any more.

#include "queue/change_waiters.hpp"
#include "queue/queue_core.hpp"

#include <boost/asio/error.hpp>

namespace lifeguard {
namespace detail {
namespace {

/// Whether a handler ended in the way in which Asio's operations obey a cancellation.
bool is_obedience(const std::exception_ptr& thrown) noexcept {
    try {
        if (thrown)
            std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
    return false;
}

} // namespace

settlement queue_core::decide_cancelled(const job_record& job, job_outcome&& outcome) const {
    settlement s = final_state(job, job_state::cancelled);
    s.has_error = true;
    s.error_text = "cancelled";
    if (!outcome.text.empty() && !is_obedience(outcome.error))
        s.error_text += ": " + outcome.text;
    return s;
}

bool queue_core::cancel(job_record& job, wake_list& wakes) {
    const bool taken = job.state == job_state::executing;
    if (taken) {
        job.cancel_asked = true;
        if (job.holder == nullptr || !job.holder->cancel_job(job, wakes))
            return false;
    }
    settlement s = final_state(job, job_state::cancelled);
    // Whose holder has let go of it can only go on to its end.
    s.asked_for = !taken;
    store_->settle(job, std::move(s), wakes);
    return true;
}

namespace {

asio::awaitable<job_state> cancel_job(std::shared_ptr<queue_core> core, job_id id) {
    for (;;) {
        change_waiters changes(*core);
        bool ours = false;
        {
            wake_list wakes;
            std::unique_lock lock(core->shared().mutex);
            core->read_clock();
            job_record* const job = core->index().find(id);
            if (job == nullptr)
                throw error(errc::not_found, "job " + id.to_string());
            if (job->away)
                core->refuse_when_shared("cancelling a job that this engine does not have");
            ours = !job->settling; // otherwise its state is looked at again
            if (ours && is_final(job->state))
                co_return job->state;
            changes.add(*job, result_waiter::event::changed);
            const bool waits = !ours || core->cancel(*job, wakes);
            lock.unlock();
            wakes.run();
            if (!waits)
                co_return job_state::executing;
        }
        co_await changes.wait();
        if (!ours)
            continue;
        if (const std::exception_ptr failure = changes.failure())
            std::rethrow_exception(failure);
        co_return job_state::cancelled;
    }
}

} // namespace
} // namespace detail

asio::awaitable<job_state> job_queue::cancel(job_id id) { return detail::cancel_job(core_, id); }

} // namespace lifeguard
