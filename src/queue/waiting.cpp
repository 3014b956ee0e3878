// Who waits for jobs, for their results, or for space.

#include "base/saturate.hpp"
#include "queue/queue_core.hpp"

namespace lifeguard::detail {
namespace {

/// Ends a timed wait when its time is up. Outlives the waiting frame, so it looks before it acts.
class wait_deadline final : public deadline {
  public:
    wait_deadline(std::shared_ptr<queue_core> core, timed_wait& w)
        : core_(std::move(core)), wait_(&w) {}

    void expired(time_point) override {
        wake_list wakes;
        {
            const std::lock_guard lock(core_->shared().mutex);
            if (wait_ != nullptr)
                wait_->finish(timed_wait::end::timed_out, wakes);
        }
        wakes.run();
    }

    /// The frame that it would wake ends.
    void forget() noexcept {
        {
            const std::lock_guard lock(core_->shared().mutex);
            wait_ = nullptr;
        }
        core_->shared().deadlines->disarm(*this);
    }

  private:
    const std::shared_ptr<queue_core> core_;
    timed_wait* wait_;
};

} // namespace

void queue_core::add_taker(queue_entry& queue, taker& t) {
    queue.takers.push_back(&t);
    store_->takers_changed(queue);
}

void queue_core::remove_taker(queue_entry& queue, taker& t) noexcept {
    if (std::erase(queue.takers, &t) != 0)
        store_->takers_changed(queue);
}

void queue_core::nothing_more(queue_entry& queue, wake_list& wakes) {
    for (std::size_t i = 0; i < queue.takers.size(); ++i)
        queue.takers[i]->nothing_more(queue, wakes);
}

void queue_core::offer(queue_entry& queue, wake_list& wakes) {
    // By position: a taker that has what it wanted may leave while it is asked.
    for (std::size_t i = 0; i < queue.takers.size() && queue.takeable() != 0; ++i)
        queue.takers[i]->offer(wakes);
}

void queue_core::grant_space(queue_entry& queue, wake_list& wakes) {
    while (!queue.space_waiters.empty() &&
           queue.unfinished() + queue.reserved < options_.jobs_max) {
        auto& next = static_cast<space_wait&>(queue.space_waiters.front());
        queue.space_waiters.pop_front();
        if (next.over())
            continue; // about to leave without it
        ++queue.reserved;
        next.finish(timed_wait::end::served, wakes);
    }
}

// `w` lies in the frame that awaits this one.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters)
asio::awaitable<void> queue_core::wait_until(timed_wait& w, time_point until) {
    const auto self = shared_from_this();
    const auto deadline = std::make_shared<wait_deadline>(self, w);
    struct forgetting {
        wait_deadline& what;
        ~forgetting() { what.forget(); }
    };
    const forgetting guard{*deadline};
    if (until != time_point::max())
        runtime_->deadlines->arm(*deadline, until);

    asio::cancellation_slot slot;
    auto park = [&](resumption r) {
        slot = r.get_cancellation_slot();
        if (slot.is_connected()) {
            slot.assign([this, &w](asio::cancellation_type) {
                wake_list wakes;
                {
                    const std::lock_guard lock(runtime_->mutex);
                    w.finish(timed_wait::end::cancelled, wakes);
                }
                wakes.run();
            });
        }
        {
            const std::lock_guard lock(runtime_->mutex);
            if (!w.over() && !closed) {
                parked.park(w, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await suspend(park);
    if (slot.is_connected())
        slot.clear(); // its handler refers to `w`, which may go now
}

void queue_core::add_waiter(job_record& job, result_waiter& w) noexcept {
    w.job = &job;
    w.next = std::exchange(job.waiters, &w);
}

void queue_core::remove_waiter(result_waiter& w) noexcept {
    if (w.job == nullptr)
        return;
    for (result_waiter** link = &w.job->waiters; *link != nullptr; link = &(*link)->next) {
        if (*link == &w) {
            *link = w.next;
            break;
        }
    }
    w.job = nullptr;
}

/// The job is final: everybody hears of it.
void queue_core::answer(job_record& job, const std::exception_ptr& thrown, wake_list& wakes) {
    for (result_waiter* w = job.waiters; w != nullptr; w = w->next) {
        if (w->waits_for == result_waiter::event::changed) {
            answer_changed(job, nullptr, wakes);
            break;
        }
    }
    result_waiter* next = std::exchange(job.waiters, nullptr);
    while (next != nullptr) {
        result_waiter& w = *next;
        next = w.next;
        w.job = nullptr;
        answer(job, w, next == nullptr, thrown);
        w.answered();
        if (w.is_parked())
            wakes.add(w, true);
    }
}

/// What was asked of the job is stored, or could not be: tells who waits for that.
void queue_core::answer_changed(job_record& job, const std::exception_ptr& failed,
                                wake_list& wakes) {
    for (result_waiter** link = &job.waiters; *link != nullptr;) {
        result_waiter& w = **link;
        if (w.waits_for != result_waiter::event::changed) {
            link = &w.next;
            continue;
        }
        *link = w.next;
        w.job = nullptr;
        w.got = failed ? result_waiter::answer::failed : result_waiter::answer::stored;
        w.error = failed;
        if (w.is_parked())
            wakes.add(w, true);
    }
}

void queue_core::answer(job_record& job, result_waiter& w, bool last,
                        const std::exception_ptr& thrown) {
    w.got = result_waiter::answer::finished;
    w.state = job.state;
    if (job.state != job_state::completed) {
        w.error = thrown;
        // Of the error that ended it: a job that is cancelled may have failed before.
        const bool has_reason =
            job.errors && !job.errors->empty() &&
            (job.state == job_state::discarded || job.errors->back().at == job.finished_at);
        w.error_text = has_reason ? job.errors->back().text : std::string(name_of(job.state));
        return;
    }
    w.lent_result = job.result_lent;
    if (w.takes_result && last && !job.result.is_primitive()) {
        w.result = std::move(job.result);
        job.result_lent = true;
    } else {
        w.result = job.result;
    }
}

void queue_core::add_result_waiter(job_record& job, result_waiter& w) {
    if (is_final(job.state))
        answer(job, w, true, nullptr);
    else
        add_waiter(job, w);
}

void queue_core::throw_unless_stored(const result_waiter& w, const job_id& id) {
    if (w.got == result_waiter::answer::failed)
        std::rethrow_exception(w.error);
    if (w.got != result_waiter::answer::stored)
        throw boost::system::system_error(asio::error::operation_aborted, "job " + id.to_string());
}

json queue_core::result_of(result_waiter&& w, const job_id& id) {
    const auto job = [&] { return "job " + id.to_string(); };
    switch (w.got) {
    case result_waiter::answer::finished:
        break;
    case result_waiter::answer::failed:
        std::rethrow_exception(w.error);
    case result_waiter::answer::timed_out:
        throw error(errc::timeout, job() + ": still not finished");
    case result_waiter::answer::none:
    case result_waiter::answer::stored:
    case result_waiter::answer::cancelled:
    case result_waiter::answer::closed:
        throw boost::system::system_error(asio::error::operation_aborted, job());
    }
    if (w.state == job_state::completed) {
        if (w.lent_result)
            throw error(errc::not_found, job() + ": its result was handed to who executed it");
        return std::move(w.result);
    }
    const errc code = w.state == job_state::cancelled ? errc::job_cancelled : errc::job_discarded;
    throw error(code, job() + ": " + w.error_text);
}

void queue_core::detach(result_waiter& w) {
    wake_list wakes;
    {
        const std::lock_guard lock(runtime_->mutex);
        if (!w.is_parked())
            return;
        w.started(); // the job is not to be withdrawn on behalf of nobody
        remove_waiter(w);
        w.got = result_waiter::answer::cancelled;
        wakes.add(w);
    }
    wakes.run();
}

// `w` lies in the frame that awaits this one.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters)
asio::awaitable<void> queue_core::wait(result_waiter& w) {
    const auto self = shared_from_this();
    asio::cancellation_slot slot;
    auto park = [&](resumption r) {
        slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign(detach_on_cancel(w));
        {
            const std::lock_guard lock(runtime_->mutex);
            if (w.got == result_waiter::answer::none && !closed) {
                parked.park(w, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await suspend(park);
    if (slot.is_connected())
        slot.clear(); // its handler refers to `w`, which may go now
}

} // namespace lifeguard::detail
