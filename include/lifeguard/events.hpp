#pragma once

#include <lifeguard/time_source.hpp>

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace lifeguard {

/// Per-subscription options.
struct subscription_options {
    /// How many events may wait to be taken. One more, and the oldest is lost and counted. At
    /// least 1; defaults to 1024.
    std::size_t queue_max = 1024;
};

namespace detail {

class event_channel;
class event_queue;
using event_ptr = std::shared_ptr<const void>;

/// `subscription<T>`, whatever T is.
class any_subscription {
  public:
    explicit any_subscription(std::shared_ptr<event_queue> queue) noexcept;
    any_subscription(any_subscription&& other) noexcept;
    any_subscription& operator=(any_subscription&& other) noexcept;
    ~any_subscription();

    asio::awaitable<event_ptr> next();
    event_ptr try_next();
    std::uint64_t dropped() const;

  private:
    std::shared_ptr<event_queue> queue_;
};

/// `broadcast<T>`, whatever T is.
class any_broadcast {
  public:
    any_broadcast();
    ~any_broadcast();

    bool wanted() const noexcept { return subscribers_->load(std::memory_order_relaxed) != 0; }
    void publish(const event_ptr& event) noexcept;
    void publish_failed() noexcept;
    any_subscription subscribe(subscription_options options);
    std::shared_ptr<void> on_event(std::function<void(const void*)> f);
    void close();
    std::size_t subscribers() const noexcept;
    std::uint64_t errors() const noexcept;

  private:
    const std::shared_ptr<event_channel> channel_;
    const std::atomic<std::size_t>* const subscribers_; // the channel's
};

} // namespace detail

/// Receives events until it is destroyed. Made by `broadcast<T>::subscribe`.
///
/// Thread safety: any thread may call any member; events go to concurrent callers of `next` in the
/// order of their calls. Lifetime: may outlive the broadcast, and the context in which it waits.
template <typename T>
class subscription {
  public:
    /// Waits for the next event. Empty once the broadcast is closed and what waited has been taken,
    /// or when the subscription ends meanwhile.
    /// Cancellation: any type ends the wait with `operation_aborted` and loses no event. It must be
    /// emitted on the waiting coroutine's executor, a strand if several threads run it.
    asio::awaitable<std::optional<T>> next() { return copy_of(any_.next()); }

    /// An event that waits already, if there is one.
    std::optional<T> try_next() { return copy_of(any_.try_next()); }

    /// How many events were lost because too many waited.
    std::uint64_t dropped() const { return any_.dropped(); }

  private:
    template <typename>
    friend class broadcast;
    explicit subscription(detail::any_subscription any) noexcept : any_(std::move(any)) {}

    static std::optional<T> copy_of(const detail::event_ptr& event) {
        if (!event)
            return std::nullopt;
        return *static_cast<const T*>(event.get());
    }
    static asio::awaitable<std::optional<T>> copy_of(asio::awaitable<detail::event_ptr> next) {
        const detail::event_ptr event = co_await std::move(next);
        co_return copy_of(event);
    }

    detail::any_subscription any_;
};

/// Tells events to any number of subscribers, each with a bounded queue of its own. A slow or
/// failing subscriber disturbs neither the publisher nor the others. T is copied once per
/// publication and once per subscriber that takes it.
///
/// Thread safety: any thread may call any member. All subscriptions see the events of several
/// publishers in the same order. Lifetime: the destructor closes it.
template <typename T>
class broadcast {
  public:
    /// Gives `event` to everyone who is subscribed now, once per subscription. Never blocks and
    /// never throws; costs one relaxed load when nobody is subscribed.
    void publish(const T& event) noexcept {
        if (!any_.wanted())
            return;
        try {
            any_.publish(std::make_shared<const T>(event));
        } catch (...) {
            any_.publish_failed();
        }
    }

    /// Whether anybody is subscribed: look before you build an event.
    bool wanted() const noexcept { return any_.wanted(); }

    /// Subscribes to the events published from now on; during a publication, to those after it.
    /// Errors: `invalid_option` when `queue_max` is 0.
    subscription<T> subscribe(subscription_options options = {}) {
        return subscription<T>(any_.subscribe(options));
    }

    /// Calls `f` with every event, on the publishing thread, after the queues have got theirs. It
    /// must not block; several threads may call it at once. What it throws is swallowed and
    /// counted. The subscription ends with the returned object, but a call from another thread may
    /// be on its way then: `f` owns, or holds weakly, what it uses.
    [[nodiscard]] std::shared_ptr<void> on_event(std::function<void(const T&)> f) {
        return any_.on_event(
            [f = std::move(f)](const void* event) { f(*static_cast<const T*>(event)); });
    }

    /// No more events. Those that wait can still be taken; then every `next` is empty.
    void close() { any_.close(); }

    /// How many subscriptions there are, callbacks included.
    std::size_t subscribers() const noexcept { return any_.subscribers(); }

    /// How often a callback threw, or an event could not be copied.
    std::uint64_t errors() const noexcept { return any_.errors(); }

  private:
    detail::any_broadcast any_;
};

} // namespace lifeguard
