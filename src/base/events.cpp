#include <lifeguard/events.hpp>

#include "base/assert.hpp"
#include "base/context_hooks.hpp"
#include "base/parked_coroutine.hpp"
#include <lifeguard/error.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/container/small_vector.hpp>

#include <algorithm>
#include <deque>
#include <mutex>
#include <vector>

namespace lifeguard::detail {

/// A callback subscriber.
struct event_callback {
    std::function<void(const void*)> f;
    std::atomic<bool> ended = false;
};

using event_callbacks = std::vector<std::shared_ptr<event_callback>>;

// Events may own anything, so they must not end with the lock held.
using lost_events = boost::container::small_vector<event_ptr, 4>;

/// What the subscribers of one broadcast share.
class event_channel {
  public:
    std::mutex mutex; // also guards the queues
    std::vector<event_queue*> queues;
    std::shared_ptr<const event_callbacks> callbacks = std::make_shared<event_callbacks>();
    bool closed = false;
    std::atomic<std::size_t> subscribers = 0;
    std::atomic<std::uint64_t> errors = 0;

    void publish(const event_ptr& event);
    void close();
    void add(event_queue& queue);
    void add(std::shared_ptr<event_callback> callback);
    void remove(const event_callback& callback);
    void count_subscribers() { subscribers = queues.size() + callbacks->size(); }
};

/// One subscription: the events that wait, or the coroutines that wait for them, never both.
class event_queue : public std::enable_shared_from_this<event_queue> {
  public:
    event_queue(std::shared_ptr<event_channel> channel, std::size_t max)
        : channel_(std::move(channel)), max_(max) {}

    static asio::awaitable<event_ptr> next(std::shared_ptr<event_queue> self);
    event_ptr try_next();
    std::uint64_t dropped() const;
    void end();

    // With the channel's mutex held.
    void push(const event_ptr& event, wake_list& wakes, lost_events& lost) noexcept;
    void release_waiters(wake_list& wakes);

  private:
    struct waiter : parked_coroutine {
        std::uint64_t ticket = 0;
        const asio::execution_context* context = nullptr;
        event_ptr event;
        bool cancelled = false;
    };
    using waiters = boost::intrusive::list<waiter, boost::intrusive::constant_time_size<false>>;

    // Lives in the cancellation slot, perhaps longer than the waiter: knows it by ticket only.
    struct canceller {
        std::shared_ptr<event_queue> queue;
        std::uint64_t ticket;
        void operator()(asio::cancellation_type) const { queue->cancel(ticket); }
    };

    // Tells the queue which of its waiters' contexts goes away.
    struct hook final : context_bound {
        hook(std::weak_ptr<event_queue> q, const asio::execution_context& c) noexcept
            : queue(std::move(q)), context(&c) {}
        void context_shutdown() noexcept override {
            if (const auto alive = queue.lock())
                alive->forget(*context);
        }
        const std::weak_ptr<event_queue> queue;
        const asio::execution_context* const context;
    };

    bool take(event_ptr& event); // with the mutex held; false when there is reason to wait
    void park(waiter& w, resumption r);
    void cancel(std::uint64_t ticket);
    void attach(const asio::any_io_executor& executor);
    void forget(const asio::execution_context& context) noexcept;

    const std::shared_ptr<event_channel> channel_;
    const std::size_t max_;
    std::deque<event_ptr> events_;
    waiters waiting_;
    std::vector<std::shared_ptr<hook>> hooks_; // one per context in which somebody waited
    std::uint64_t tickets_ = 0;
    std::uint64_t dropped_ = 0;
    bool ended_ = false;
};

void event_channel::publish(const event_ptr& event) {
    wake_list wakes;
    lost_events lost;
    std::shared_ptr<const event_callbacks> called;
    {
        const std::lock_guard lock(mutex);
        if (closed)
            return;
        for (event_queue* queue : queues)
            queue->push(event, wakes, lost);
        called = callbacks;
    }
    wakes.run();
    for (const auto& callback : *called) {
        if (callback->ended)
            continue;
        try {
            callback->f(event.get());
        } catch (...) {
            ++errors;
        }
    }
}

void event_channel::close() {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex);
        closed = true;
        for (event_queue* queue : queues)
            queue->release_waiters(wakes);
    }
    wakes.run();
}

void event_channel::add(event_queue& queue) {
    const std::lock_guard lock(mutex);
    queues.push_back(&queue);
    count_subscribers();
}

void event_channel::add(std::shared_ptr<event_callback> callback) {
    const std::lock_guard lock(mutex);
    auto more = std::make_shared<event_callbacks>(*callbacks);
    more->push_back(std::move(callback));
    callbacks = std::move(more);
    count_subscribers();
}

void event_channel::remove(const event_callback& callback) {
    std::shared_ptr<const event_callbacks>
        gone; // what the callback owns must not end under the lock
    const std::lock_guard lock(mutex);
    auto fewer = std::make_shared<event_callbacks>(*callbacks);
    std::erase_if(*fewer, [&](const auto& c) { return c.get() == &callback; });
    gone = std::exchange(callbacks, std::move(fewer));
    count_subscribers();
}

void event_queue::push(const event_ptr& event, wake_list& wakes, lost_events& lost) noexcept {
    if (!waiting_.empty()) {
        waiter& first = waiting_.front();
        waiting_.pop_front();
        first.event = event;
        wakes.add(first);
        return;
    }
    if (events_.size() >= max_) {
        lost.push_back(std::move(events_.front()));
        events_.pop_front();
        ++dropped_;
    }
    try {
        events_.push_back(event);
    } catch (...) {
        ++dropped_;
    }
}

void event_queue::release_waiters(wake_list& wakes) {
    while (!waiting_.empty()) {
        waiter& first = waiting_.front();
        waiting_.pop_front();
        wakes.add(first);
    }
}

bool event_queue::take(event_ptr& event) {
    if (events_.empty())
        return ended_ || channel_->closed;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
}

event_ptr event_queue::try_next() {
    const std::lock_guard lock(channel_->mutex);
    event_ptr event;
    take(event);
    return event;
}

std::uint64_t event_queue::dropped() const {
    const std::lock_guard lock(channel_->mutex);
    return dropped_;
}

void event_queue::end() {
    wake_list wakes;
    std::deque<event_ptr> gone;
    {
        const std::lock_guard lock(channel_->mutex);
        ended_ = true;
        gone.swap(events_);
        release_waiters(wakes);
        std::erase(channel_->queues, this);
        channel_->count_subscribers();
    }
    wakes.run();
}

asio::awaitable<event_ptr> event_queue::next(std::shared_ptr<event_queue> self) {
    waiter w;
    {
        const std::lock_guard lock(self->channel_->mutex);
        if (self->take(w.event))
            co_return std::move(w.event);
        w.ticket = ++self->tickets_;
    }
    const auto executor = co_await asio::this_coro::executor;
    w.context = &asio::query(executor, asio::execution::context);
    self->attach(executor);

    const auto park = [&](resumption r) { self->park(w, std::move(r)); };
    co_await suspend(park);

    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.slot().is_connected())
        state.slot().clear();
    if (w.cancelled)
        throw boost::system::system_error(asio::error::operation_aborted, "subscription::next");
    co_return std::move(w.event);
}

void event_queue::park(waiter& w, resumption r) {
    if (auto slot = asio::get_associated_cancellation_slot(r); slot.is_connected())
        slot.assign(canceller{shared_from_this(), w.ticket});
    {
        const std::lock_guard lock(channel_->mutex);
        if (!take(w.event)) {
            w.park(std::move(r));
            waiting_.push_back(w);
            return;
        }
    }
    asio::post(std::move(r));
}

void event_queue::cancel(std::uint64_t ticket) {
    wake_list wakes;
    {
        const std::lock_guard lock(channel_->mutex);
        const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                        [&](const waiter& w) { return w.ticket == ticket; });
        // Gone: an event has been handed over, and its receiver is about to run.
        if (found == waiting_.end())
            return;
        waiter& w = *found;
        waiting_.erase(found);
        w.cancelled = true;
        wakes.add(w);
    }
    wakes.run();
}

void event_queue::attach(const asio::any_io_executor& executor) {
    const asio::execution_context& context = asio::query(executor, asio::execution::context);
    std::shared_ptr<hook> made;
    {
        const std::lock_guard lock(channel_->mutex);
        if (std::any_of(hooks_.begin(), hooks_.end(),
                        [&](const auto& h) { return h->context == &context; }))
            return;
        made = std::make_shared<hook>(weak_from_this(), context);
        hooks_.push_back(made);
    }
    context_hooks::of(executor).add(made);
}

void event_queue::forget(const asio::execution_context& context) noexcept {
    waiters gone;
    {
        const std::lock_guard lock(channel_->mutex);
        for (auto it = waiting_.begin(); it != waiting_.end();) {
            const auto w = it++;
            if (w->context == &context)
                gone.splice(gone.end(), waiting_, w);
        }
        // Another context may come to lie at the same address.
        std::erase_if(hooks_, [&](const auto& h) { return h->context == &context; });
    }
    // Dropping a resumption destroys its coroutine.
    while (!gone.empty()) {
        waiter& w = gone.front();
        gone.pop_front();
        const resumption dropped = w.take();
    }
}

any_subscription::any_subscription(std::shared_ptr<event_queue> queue) noexcept
    : queue_(std::move(queue)) {}

any_subscription::any_subscription(any_subscription&& other) noexcept = default;

any_subscription& any_subscription::operator=(any_subscription&& other) noexcept {
    any_subscription former(std::move(other));
    std::swap(queue_, former.queue_);
    return *this;
}

// Only a lack of memory throws in what follows. A wake-up that is lost is worse than the end.

any_subscription::~any_subscription() {
    if (queue_)
        queue_->end();
}

any_broadcast::~any_broadcast() { channel_->close(); }

void any_broadcast::publish(const event_ptr& event) noexcept { channel_->publish(event); }

asio::awaitable<event_ptr> any_subscription::next() {
    LIFEGUARD_ASSERT(queue_, "next() of a subscription that has been moved from");
    return event_queue::next(queue_);
}

event_ptr any_subscription::try_next() {
    LIFEGUARD_ASSERT(queue_, "try_next() of a subscription that has been moved from");
    return queue_->try_next();
}

std::uint64_t any_subscription::dropped() const {
    LIFEGUARD_ASSERT(queue_, "dropped() of a subscription that has been moved from");
    return queue_->dropped();
}

any_broadcast::any_broadcast()
    : channel_(std::make_shared<event_channel>()), subscribers_(&channel_->subscribers) {}

void any_broadcast::publish_failed() noexcept { ++channel_->errors; }

any_subscription any_broadcast::subscribe(subscription_options options) {
    if (options.queue_max == 0)
        throw error(errc::invalid_option, "subscription_options::queue_max is 0");
    auto queue = std::make_shared<event_queue>(channel_, options.queue_max);
    channel_->add(*queue);
    return any_subscription(std::move(queue));
}

std::shared_ptr<void> any_broadcast::on_event(std::function<void(const void*)> f) {
    auto callback = std::make_shared<event_callback>();
    callback->f = std::move(f);
    channel_->add(callback);
    event_callback* const raw = callback.get();
    return {raw, [channel = channel_, callback = std::move(callback)](event_callback*) {
                callback->ended = true;
                channel->remove(*callback);
            }};
}

void any_broadcast::close() { channel_->close(); }

std::size_t any_broadcast::subscribers() const noexcept { return *subscribers_; }

std::uint64_t any_broadcast::errors() const noexcept { return channel_->errors; }

} // namespace lifeguard::detail
