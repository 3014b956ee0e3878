// One job is pushed.

#include "base/saturate.hpp"
#include "queue/waiting_guard.hpp"
#include <lifeguard/job_queue.hpp>

namespace lifeguard {

using detail::job_record;
using detail::queue_core;
using detail::result_waiter;
using detail::wake_list;

namespace {

/// A place in a full queue that a push waits for. One that is not used goes to who waits next.
class awaited_place {
  public:
    explicit awaited_place(queue_core& core) noexcept : core_(core) {}
    ~awaited_place() {
        if (queue_ == nullptr)
            return;
        wake_list wakes;
        {
            const std::lock_guard lock(core_.shared().mutex);
            auto& link = static_cast<detail::space_hook&>(wait_);
            if (link.is_linked())
                link.unlink();
            if (wait_.granted())
                --queue_->reserved;
            core_.grant_space(*queue_, wakes);
        }
        wakes.run();
    }
    awaited_place(const awaited_place&) = delete;
    awaited_place& operator=(const awaited_place&) = delete;

    /// With the lock held.
    void enlist(detail::queue_entry& queue) {
        queue_ = &queue;
        queue.space_waiters.push_back(wait_);
    }
    detail::space_wait& wait() noexcept { return wait_; }
    bool granted() const noexcept { return wait_.granted(); }

  private:
    queue_core& core_;
    detail::queue_entry* queue_ = nullptr;
    detail::space_wait wait_;
};

/// Whether a push failed because there is a job of that id.
bool is_duplicate(const result_waiter& w) {
    if (w.got != result_waiter::answer::failed)
        return false;
    try {
        std::rethrow_exception(w.error);
    } catch (const error& e) {
        return e.code() == errc::duplicate_id;
    } catch (...) {
        return false;
    }
}

// The coroutines own the core: a handle may be a temporary, gone before its operation starts.

/// Answers a job_id or a submission: one frame more for either would be felt.
template <typename Answer>
asio::awaitable<Answer> push_job(std::shared_ptr<queue_core> core, new_job job,
                                 push_options options) {
    core->check(job);
    const auto by = core->identify(job, options.idempotent);
    detail::plain_waiter waiter(result_waiter::event::stored);
    detail::waiting_guard guard(*core, waiter);
    awaited_place place(*core);
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    time_point now = core->read_clock().now;
    detail::queue_entry& queue = core->queue(job.queue.empty() ? "default" : job.queue);
    job_record* twin = core->find_twin(job, by);
    if (options.wait > duration::zero() && twin == nullptr && core->is_full(queue)) {
        place.enlist(queue);
        lock.unlock();
        co_await core->wait_until(place.wait(), detail::later(now, options.wait));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted, "push");
        lock.lock();
        core->read_clock();
        twin = core->find_twin(job, by);
    }
    job_id id;
    if (twin != nullptr) {
        id = twin->id;
        if (twin->stored)
            waiter.got = result_waiter::answer::stored;
        else
            queue_core::add_waiter(*twin, waiter);
    } else {
        auto record =
            core->admit(std::move(job), queue, core->options().max_attempts, place.granted(), by);
        id = record->id;
        queue_core::add_waiter(*record, waiter);
        core->push(std::move(record), wakes);
    }
    guard.answered = waiter.got != result_waiter::answer::none;
    lock.unlock();
    wakes.run();
    if (!guard.answered)
        co_await core->wait(waiter);
    // Another engine may have stored it.
    const bool elsewhere = options.idempotent && is_duplicate(waiter);
    if (!elsewhere)
        queue_core::throw_unless_stored(waiter, id);
    if constexpr (std::is_same_v<Answer, submission>)
        co_return submission{id, twin != nullptr || elsewhere};
    else
        co_return id;
}

asio::awaitable<job_id> push_text(std::shared_ptr<queue_core> core, std::string text,
                                  push_options options) {
    new_job job = parse_job(text, core->options().limits).value();
    co_return co_await push_job<job_id>(core, std::move(job), options);
}

} // namespace

asio::awaitable<job_id> job_queue::push(new_job job, push_options options) {
    return push_job<job_id>(core_, std::move(job), options);
}

asio::awaitable<submission> job_queue::submit(new_job job, push_options options) {
    return push_job<submission>(core_, std::move(job), options);
}

asio::awaitable<job_id> job_queue::push_json(std::string text, push_options options) {
    return push_text(core_, std::move(text), options);
}

} // namespace lifeguard
