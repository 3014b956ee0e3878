#include "worker/lane.hpp"

#include "base/stop_request.hpp"
#include "worker/pool_core.hpp"

namespace lifeguard::detail {
namespace {

/// A lane that always finds another job lets others have the thread so often.
constexpr unsigned runs_between_yields = 16;

} // namespace

lane::lane(std::shared_ptr<pool_core> p, std::shared_ptr<worker> o, asio::any_io_executor s)
    : pool(std::move(p)), owner(std::move(o)), strand(std::move(s)) {}

lane::~lane() {
    if (!over)
        pool->lost(*this);
}

const std::string& lane::holder_name() const noexcept { return owner->id; }

asio::awaitable<void> lane::run(std::shared_ptr<lane> self) {
    pool_core& pool = *self->pool;
    // co_spawn starts a coroutine on its caller's stack: handlers must not run there.
    co_await asio::post(self->strand, asio::deferred);
    co_await asio::this_coro::throw_if_cancelled(false);

    auto park = [&](resumption r) {
        wake_list wakes;
        bool parked = false;
        {
            const std::lock_guard lock(pool.mutex());
            parked = pool.park(*self, r, wakes); // the time of the look just before will do
        }
        wakes.run();
        if (!parked)
            asio::post(std::move(r));
    };
    const auto advance = [&] {
        wake_list wakes;
        std::unique_lock lock(pool.mutex());
        pool.jobs().read_clock();
        const pool_core::next what = pool.advance(*self, wakes);
        lock.unlock();
        wakes.run();
        return what;
    };

    unsigned runs = 0;
    pool_core::next what = advance();
    while (what != pool_core::next::end) {
        if (what == pool_core::next::idle) {
            co_await suspend(park);
            what = advance();
            continue;
        }
        job_outcome outcome;
        std::exception_ptr thrown;
        {
            // No look at the job's numbers without the lock: a killed worker's job goes on at once.
            job_context context(*self->job, self->stamp, self->owner->id, &pool.jobs());
            // Afresh for each job: the one before may have been cancelled, or have changed these.
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            co_await asio::this_coro::throw_if_cancelled(true);
            try {
                outcome.result = co_await (*self->handle)(context);
            } catch (...) {
                thrown = std::current_exception();
            }
            co_await asio::this_coro::throw_if_cancelled(false);
        }
        if (thrown)
            outcome = outcome_of(std::exchange(thrown, nullptr));
        // Before the next job is taken: what cancels a job must find its handler running.
        if (++runs % runs_between_yields == 0)
            co_await asio::post(self->strand, asio::deferred);
        what = pool.finish(*self, std::move(outcome));
    }
}

void lane::cancel(std::uint64_t which, asio::cancellation_type how) {
    if (!strand)
        return; // its context is gone
    asio::post(strand, [self = std::static_pointer_cast<lane>(shared_from_this()), which, how] {
        {
            const std::lock_guard lock(self->pool->mutex());
            if (self->job == nullptr || self->number != which)
                return; // late: that run is over
        }
        // The run can only end on this strand, so it is still the one.
        self->signal.emit(how);
    });
}

void lane::post_step(step reached_now, wake_list& wakes) {
    reached = reached_now;
    if (abandoned)
        return; // cancelled for good already; a weaker request would erase that one
    const auto how =
        reached_now == step::timed_out ? detail::stop_request : asio::cancellation_type::terminal;
    wakes.defer([self = std::static_pointer_cast<lane>(shared_from_this()), which = number, how] {
        self->cancel(which, how);
    });
}

/// Under the lock, so that two threads cannot arm in another order than they decided in.
void lane::arm() {
    armed_at = due;
    pool->shared().deadlines->arm(*this, due);
}

void lane::expired(time_point now) {
    wake_list wakes;
    {
        const std::lock_guard lock(pool->mutex());
        pool->jobs().read_clock();
        armed_at = time_point::max();
        if (job == nullptr || due == time_point::max())
            return;
        if (now >= due) {
            const time_point timeout_at = started_at + timeout;
            switch (reached) {
            case step::running:
                pool->figures.timeouts_total += abandoned ? 0 : 1;
                post_step(step::timed_out, wakes);
                due = timeout_at + pool->options().cancel_grace;
                break;
            case step::timed_out:
                post_step(step::forced, wakes);
                due = std::max(now, timeout_at + pool->options().stuck_threshold);
                break;
            case step::forced:
                reached = step::stuck;
                due = time_point::max();
                pool->stuck(*this, wakes);
                break;
            case step::stuck:
                break;
            }
        }
        if (due != time_point::max())
            arm();
    }
    wakes.run();
}

} // namespace lifeguard::detail
