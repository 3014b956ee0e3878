// Queues that are paused, and those that refuse new jobs.

#include "base/saturate.hpp"
#include "queue/queue_core.hpp"

#include <algorithm>

namespace lifeguard::detail {
namespace {

/// The request forgets a waiter whose frame ends.
class pausing {
  public:
    pausing(queue_core& core, pause_request& r) noexcept : core_(core), request_(r) {}
    ~pausing() {
        const std::lock_guard lock(core_.shared().mutex);
        request_.waiter = nullptr;
    }
    pausing(const pausing&) = delete;
    pausing& operator=(const pausing&) = delete;

  private:
    queue_core& core_;
    pause_request& request_;
};

} // namespace

asio::awaitable<void> queue_core::set_pause(std::shared_ptr<queue_core> self, std::string name,
                                            bool paused, duration length) {
    if (length < duration::zero())
        throw error(errc::invalid_option, "length: must not be negative");
    pause_wait waiter;
    const auto request = std::make_shared<pause_request>();
    wake_list wakes;
    std::unique_lock lock(self->runtime_->mutex);
    const moment& at = self->read_clock();
    if (self->closed)
        throw error(errc::stopped, "queue '" + name + "'");
    // One that nobody has named yet may be paused before its first job comes.
    if (!paused && self->find_queue(name) == nullptr)
        co_return;
    request->queue = &self->queue(name);
    request->paused = paused;
    request->until = length == duration::zero() ? 0 : later(at.wall_ns(), length);
    request->waiter = &waiter;
    self->store_->set_pause(request, wakes);
    lock.unlock();
    const pausing guard(*self, *request);
    wakes.run();
    co_await self->wait_until(waiter, time_point::max());
    if (waiter.error)
        std::rethrow_exception(waiter.error);
    if (waiter.ended() != timed_wait::end::served)
        throw boost::system::system_error(asio::error::operation_aborted, "queue '" + name + "'");
}

void queue_core::pause_settled(pause_request& r, const std::exception_ptr& failed,
                               wake_list& wakes) {
    if (!failed) {
        apply_pause(*r.queue, r.paused, r.until, wakes);
        log_pause(*r.queue, wakes);
    }
    if (r.waiter == nullptr)
        return;
    r.waiter->error = failed;
    r.waiter->finish(timed_wait::end::served, wakes);
}

void queue_core::stored_pause(queue_entry& queue, std::int64_t until) {
    if (until != 0 && until <= at_.wall_ns())
        return; // it has ended by itself
    wake_list nobody;
    apply_pause(queue, true, until, nobody);
}

void queue_core::apply_pause(queue_entry& queue, bool paused, std::int64_t until,
                             wake_list& wakes) {
    queue.paused = paused;
    queue.paused_until = paused ? until : 0;
    std::erase(timed_pauses_, &queue);
    if (!paused) {
        store_->takers_changed(queue);
        return offer(queue, wakes);
    }
    if (until != 0) {
        timed_pauses_.push_back(&queue);
        hurry_upkeep(wakes);
    }
    for (taker* const t : queue.takers)
        t->queue_paused(queue, wakes);
    store_->takers_changed(queue);
}

/// Ends the pauses whose time is over.
void queue_core::end_pauses(wake_list& wakes) {
    for (std::size_t i = timed_pauses_.size(); i-- != 0;)
        if (timed_pauses_[i]->paused_until <= at_.wall_ns()) {
            queue_entry& queue = *timed_pauses_[i];
            apply_pause(queue, false, 0, wakes);
            log_pause(queue, wakes);
        }
}

std::optional<std::int64_t> queue_core::next_pause_end() const noexcept {
    const auto first = std::ranges::min_element(timed_pauses_, {}, &queue_entry::paused_until);
    if (first == timed_pauses_.end())
        return std::nullopt;
    return (*first)->paused_until;
}

void queue_core::set_draining(bool on) {
    wake_list wakes;
    {
        const std::lock_guard lock(runtime_->mutex);
        if (draining_ != on)
            log(log_level::info, on ? "draining" : "draining_ended",
                on ? "new jobs are refused" : "new jobs are accepted again", {}, wakes);
        draining_ = on;
        if (on) // who waits for space need not wait any longer
            for (const auto& [_, queue] : queues_)
                while (!queue->space_waiters.empty()) {
                    auto& next = static_cast<space_wait&>(queue->space_waiters.front());
                    queue->space_waiters.pop_front();
                    next.finish(timed_wait::end::timed_out, wakes);
                }
    }
    wakes.run();
}

queue_status queue_core::status_of(const std::string& name) const {
    queue_status s;
    s.draining = draining_;
    const auto found = queues_.find(name);
    if (found == queues_.end())
        return s;
    s.paused = found->second->paused;
    if (found->second->paused_until != 0)
        s.paused_until = wall_time(std::chrono::duration_cast<wall_time::duration>(
            std::chrono::nanoseconds(found->second->paused_until)));
    return s;
}

} // namespace lifeguard::detail
