#include "command/command_slots.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace lifeguard::detail {

asio::awaitable<command_slots::slot> command_slots::take(std::shared_ptr<command_slots> self) {
    if (self->slots_max_ == 0)
        co_return slot(nullptr);
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    self->watch(executor);
    waiter w;
    // A frame may also be destroyed between being served and being resumed.
    struct unused {
        waiter& w;
        command_slots& of;
        ~unused() {
            if (w.served)
                of.give_back();
        }
    } const guard{w, *self};
    asio::cancellation_slot cancel;
    auto park = [&](resumption r) {
        cancel = r.get_cancellation_slot();
        if (cancel.is_connected())
            cancel.assign([self, &w](asio::cancellation_type) {
                wake_list wakes;
                {
                    const std::lock_guard lock(self->mutex_);
                    w.gone = !w.served;
                    if (w.is_parked())
                        wakes.add(w);
                }
                wakes.run();
            });
        {
            const std::lock_guard lock(self->mutex_);
            if (self->taken_ == self->slots_max_ && !w.gone) {
                w.park(std::move(r));
                self->waiting_.push_back(w);
                return;
            }
            w.served = true;
            ++self->taken_;
        }
        asio::post(std::move(r));
    };
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await suspend(park);
    if (cancel.is_connected())
        cancel.clear();
    if (!w.served)
        throw boost::system::system_error(asio::error::operation_aborted, "waiting for a command");
    co_await asio::this_coro::throw_if_cancelled(true);
    w.served = false; // the caller's from here on
    co_return slot(self);
}

void command_slots::give_back() {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) {
            --taken_;
        } else {
            auto& next = static_cast<waiter&>(waiting_.front());
            next.served = true; // it has the slot that was given back
            wakes.add(next);
        }
    }
    wakes.run();
}

/// Who waits here is invisible to Asio: it is let go of when its context dies.
void command_slots::watch(const asio::any_io_executor& executor) {
    const asio::execution_context& context = asio::query(executor, asio::execution::context);
    {
        const std::lock_guard lock(mutex_);
        if (std::ranges::find(watched_, &context) != watched_.end())
            return;
        watched_.push_back(&context);
    }
    context_hooks::of(executor).add(weak_from_this());
}

void command_slots::context_shutdown() noexcept {
    std::vector<resumption> all;
    {
        const std::lock_guard lock(mutex_);
        while (!waiting_.empty())
            all.push_back(waiting_.front().take());
        watched_.clear();
    }
}

} // namespace lifeguard::detail
