#pragma once

#include "base/context_hooks.hpp"
#include "base/deadline_service.hpp"
#include "base/parked_coroutine.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace lifeguard::test {

namespace asio = boost::asio;

/// Coroutines wait here until the test lets them go on. Copies are one gate. Thread-safe. When
/// their context ends, those that wait are destroyed.
class gate {
  public:
    /// Waits to be let through. Cancellation: `operation_aborted`.
    asio::awaitable<void> pass() const { return wait(state_, true); }
    /// The same, deaf to cancellation.
    asio::awaitable<void> pass_deaf() const { return wait(state_, false); }

    /// Lets through who waits, and everybody from now on.
    void open() const {
        {
            const std::lock_guard lock(state_->mutex);
            state_->is_open = true;
        }
        for (auto& r : state_->take_all())
            asio::post(std::move(r));
    }

    /// Lets the first one through; false when nobody waits.
    bool admit() const {
        std::vector<detail::resumption> one;
        {
            const std::lock_guard lock(state_->mutex);
            if (state_->waiting.empty())
                return false;
            one.push_back(state_->take_first());
        }
        asio::post(std::move(one.front()));
        return true;
    }

    std::size_t waiting() const {
        const std::lock_guard lock(state_->mutex);
        return state_->waiting.size();
    }

  private:
    struct waiter {
        detail::parked_coroutine parked;
        bool cancelled = false;
    };
    struct state final : detail::context_bound, std::enable_shared_from_this<state> {
        std::mutex mutex;
        bool is_open = false;
        std::list<waiter*> waiting;
        asio::execution_context* bound_to = nullptr; // whose end it will hear of

        void bind(const asio::any_io_executor& executor) {
            auto& context = asio::query(executor, asio::execution::context);
            {
                const std::lock_guard lock(mutex);
                if (std::exchange(bound_to, &context) == &context)
                    return;
            }
            detail::context_hooks::of(executor).add(weak_from_this());
        }
        void context_shutdown() noexcept override {
            take_all(); // and unwinds their frames
            const std::lock_guard lock(mutex);
            bound_to = nullptr; // the next context may have the same address
        }

        detail::resumption take_first() {
            waiter* first = waiting.front();
            waiting.pop_front();
            return first->parked.take();
        }
        std::vector<detail::resumption> take_all() {
            std::vector<detail::resumption> all;
            const std::lock_guard lock(mutex);
            while (!waiting.empty())
                all.push_back(take_first());
            return all;
        }
    };

    static asio::awaitable<void> wait(std::shared_ptr<state> s, bool listens) {
        waiter self;
        asio::cancellation_slot slot;
        s->bind(co_await asio::this_coro::executor);
        auto park = [&](detail::resumption r) {
            slot = r.get_cancellation_slot();
            if (listens && slot.is_connected())
                slot.assign([&s, &self](asio::cancellation_type) {
                    std::unique_lock lock(s->mutex);
                    if (!self.parked.is_parked())
                        return;
                    self.cancelled = true;
                    s->waiting.remove(&self);
                    detail::resumption woken = self.parked.take();
                    lock.unlock();
                    asio::post(std::move(woken));
                });
            {
                const std::lock_guard lock(s->mutex);
                if (!s->is_open) {
                    self.parked.park(std::move(r));
                    s->waiting.push_back(&self);
                    return;
                }
            }
            asio::post(std::move(r));
        };
        co_await detail::suspend(park);
        if (slot.is_connected())
            slot.clear();
        if (self.cancelled)
            throw boost::system::system_error(asio::error::operation_aborted, "gate");
    }

    std::shared_ptr<state> state_ = std::make_shared<state>();
};

/// Opens a gate when its time has come.
class gate_opener final : public detail::deadline {
  public:
    explicit gate_opener(gate g) : gate_(std::move(g)) {}
    void expired(time_point) override { gate_.open(); }

  private:
    const gate gate_;
};

/// Waits for `time` to move on by `d`. Cancellation: `operation_aborted`.
inline asio::awaitable<void> nap(std::shared_ptr<time_source> time, duration d) {
    const auto executor = co_await asio::this_coro::executor;
    const auto service = detail::deadline_service::of(executor, time);
    const gate over;
    const auto opener = std::make_shared<gate_opener>(over);
    service->arm(*opener, time->now() + d);
    co_await over.pass(); // the deadline disarms itself when its owner goes
}

} // namespace lifeguard::test
