#pragma once

#include <lifeguard/child_spec.hpp>
#include <lifeguard/error.hpp>
#include <lifeguard/exit_reason.hpp>
#include <lifeguard/named_callable.hpp>
#include <lifeguard/resource_lease.hpp>
#include <lifeguard/resource_pool_options.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace lifeguard {

namespace detail {

/// What a pool does with its resources, without their type.
struct resource_functions {
    std::function<asio::awaitable<std::shared_ptr<void>>()> start;
    std::function<asio::awaitable<void>(void*)> run;               ///< empty: it is no service
    std::function<asio::awaitable<void>(void*, exit_reason)> stop; ///< may be empty
    std::function<asio::awaitable<void>(void*)> ping;              ///< may be empty
};

/// How a transaction's body ended, for its resource.
enum class body_end { returned, threw, gone };

leased_resource take_idle(resource_core& core, std::string_view task);
asio::awaitable<leased_resource> check_out(std::shared_ptr<resource_core> core,
                                           checkout_options options);
asio::awaitable<leased_resource> try_check_out(std::shared_ptr<resource_core> core,
                                               std::string_view task);

/// A lease that knows how its transaction ended: one that is destroyed before it was told has lost
/// its holder.
class transaction_lease {
  public:
    explicit transaction_lease(leased_resource lease) noexcept : lease_(std::move(lease)) {}
    transaction_lease(transaction_lease&&) = default;
    ~transaction_lease() { end(body_end::gone); }
    void end(body_end how) noexcept;
    void* object() const noexcept { return lease_.object(); }
    const std::shared_ptr<resource_core>& core() const noexcept { return lease_.core(); }
    std::shared_ptr<void> share() const noexcept { return lease_.share(); }

  private:
    leased_resource lease_;
};

/// A body that is cancelled when it takes too long, in a coroutine of its own.
struct bounded_body {
    explicit bounded_body(leased_resource held) noexcept : lease(std::move(held)) {}
    virtual ~bounded_body() = default;
    virtual asio::awaitable<void> run() = 0; ///< the user's callable

    transaction_lease lease;
};
/// Runs it and throws what it throws, or `timeout`.
asio::awaitable<void> run_bounded(std::shared_ptr<bounded_body> body, duration timeout);

template <typename T>
concept runnable = requires(T& t) {
    { t.run() } -> std::same_as<asio::awaitable<void>>;
};

template <typename F, typename T>
using body_result = typename std::invoke_result_t<F&, T&>::value_type;

// `void` as a value.
template <typename T>
using stored_result = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <typename T>
std::shared_ptr<void> shared_object(std::shared_ptr<T> object) {
    return object;
}
template <typename T>
std::shared_ptr<void> shared_object(std::unique_ptr<T> object) {
    return std::shared_ptr<T>(std::move(object));
}
template <typename T>
std::shared_ptr<void> shared_object(T object) {
    return std::make_shared<T>(std::move(object));
}

template <typename F>
asio::awaitable<std::shared_ptr<void>> start_with(std::shared_ptr<F> f) {
    co_return shared_object(co_await (*f)());
}

template <typename R, typename F, typename T>
struct bounded_call final : bounded_body {
    bounded_call(leased_resource held, F callable) noexcept
        : bounded_body(std::move(held)), f(std::move(callable)) {}

    asio::awaitable<void> run() override {
        T& resource = *static_cast<T*>(lease.object());
        if constexpr (std::is_void_v<R>)
            co_await f(resource);
        else
            answer.emplace(co_await f(resource));
    }

    F f;
    std::optional<stored_result<R>> answer;
};

} // namespace detail

/// How a pool makes and ends its resources. All coroutines run on the pool's own strand and honour
/// cancellation.
template <typename T>
struct resource_spec {
    /// `start()` answers an `awaitable` of T, of std::unique_ptr<T> or of std::shared_ptr<T>. What
    /// it throws is a failed start, tried again after a while. A T with `awaitable<void> run()` is
    /// a service: it is run, and has died when that ends.
    template <std::invocable F>
    explicit resource_spec(F start);

    /// Calls `f(T&, exit_reason)`, an awaitable<void>, when a resource has ended or is let go:
    /// `shutdown` with the pool or as surplus, `error` when it died or was given back as broken.
    template <typename F>
    resource_spec&& on_stop(F f) &&;

    /// Calls `f(T&)`, an awaitable<void>, every `ping_interval` that a resource lies idle: one that
    /// throws has died. Not for services, which know best themselves.
    template <typename F>
    resource_spec&& on_ping(F f) &&;

    detail::resource_functions functions;
};

/// What every pool has, whatever its resources are.
class resource_pool_base {
  public:
    /// The pool as a service: starts its resources, replaces those that die, and runs until it is
    /// stopped. May be run again after it ended.
    /// Errors: `already_started`; `exit_shutdown` when it gave up. Cancellation: total stops it,
    /// resources that are leased included.
    asio::awaitable<void> run();

    /// The pool as a child of a supervisor: its server and resources appear in the tree.
    child_spec spec() const;

    resource_pool_status status() const;

    /// Waits until the first resources, `size` of them, have been started or have failed to at
    /// their first try; `status` says how many there are. Before the pool runs: waits for that,
    /// too. Errors: `no_such_pool` when the pool has been stopped. Cancellation:
    /// `operation_aborted`.
    asio::awaitable<void> ready();

    /// Any time. What is too much is let go as it comes back. Errors: `invalid_option`.
    void resize(unsigned size, unsigned max_overflow);

    /// Stops the pool and returns when `run` is about to. May be called any number of times. Who
    /// waits for a resource gets `no_such_pool`.
    asio::awaitable<void> stop();

    /// Ends a resource by force, as if it had died. Errors: `not_found`; `no_such_pool` when the
    /// pool does not run.
    asio::awaitable<void> kill(std::string resource);

    const std::string& name() const noexcept;

  protected:
    resource_pool_base(const asio::any_io_executor& executor, resource_pool_options options,
                       detail::resource_functions functions);

    std::shared_ptr<detail::resource_core> core_;
};

/// A pool of resources that are used by one at a time: connections, handles, licences. Its
/// semantics are poolboy's, case by case (test/pool). Standalone, or as a child in any tree.
///
/// A handle: copies refer to one pool. Thread safety: any thread may call any member of any copy.
/// Lifetime: handles, leases and contexts may be destroyed in any order.
template <typename T>
class resource_pool : public resource_pool_base {
  public:
    /// Starts nothing. Errors: `invalid_option` naming the field.
    resource_pool(const asio::any_io_executor& executor, resource_pool_options options,
                  resource_spec<T> spec)
        : resource_pool_base(executor, std::move(options), std::move(spec.functions)) {}

    /// A resource, alone; waits for one, the longest wait first. Before the pool runs: waits for
    /// that, too.
    /// Errors: `timeout`, `limit_reached`, `no_such_pool` when the pool has been stopped.
    /// Cancellation: nothing has been taken.
    asio::awaitable<lease<T>> checkout(checkout_options options = {}) {
        return typed(detail::check_out(core_, options));
    }

    /// The same without waiting for others: an empty lease when all are in use. It does wait for an
    /// overflow resource to start.
    asio::awaitable<lease<T>> try_checkout(checkout_options options = {}) {
        return typed(detail::try_check_out(core_, options.task));
    }

    /// Checks out, calls `f(T&)`, a coroutine, checks in, and answers what it answered. The body
    /// runs on the caller's executor. How the body ends decides what becomes of the resource, see
    /// the options.
    /// Errors: what `f` throws; `timeout` of the checkout or of the body; those of `checkout`.
    /// Lifetime: an `f` passed by name is referred to.
    template <typename F>
    auto transaction(F&& f, transaction_options options = {})
        -> asio::awaitable<detail::body_result<std::remove_reference_t<F>, T>> {
        detail::refuse_owning_temporary<F>();
        if constexpr (std::is_lvalue_reference_v<F>)
            return transact(core_, std::ref(f), options);
        else
            return transact(core_, std::forward<F>(f), options);
    }

  private:
    static asio::awaitable<lease<T>> typed(asio::awaitable<detail::leased_resource> wait) {
        co_return lease<T>(co_await std::move(wait));
    }

    template <typename F, typename R = detail::body_result<F, T>>
    static asio::awaitable<R> transact(std::shared_ptr<detail::resource_core> core, F f,
                                       transaction_options options);
};

template <typename T>
template <std::invocable F>
resource_spec<T>::resource_spec(F start) {
    functions.start = [f = std::make_shared<F>(std::move(start))] { return detail::start_with(f); };
    if constexpr (detail::runnable<T>)
        functions.run = [](void* object) { return static_cast<T*>(object)->run(); };
}

template <typename T>
template <typename F>
resource_spec<T>&& resource_spec<T>::on_stop(F f) && {
    functions.stop = [f = std::move(f)](void* object, exit_reason why) mutable {
        return f(*static_cast<T*>(object), std::move(why));
    };
    return std::move(*this);
}

template <typename T>
template <typename F>
resource_spec<T>&& resource_spec<T>::on_ping(F f) && {
    static_assert(!detail::runnable<T>, "a resource with run() says by itself when it has died");
    functions.ping = [f = std::move(f)](void* object) mutable {
        return f(*static_cast<T*>(object));
    };
    return std::move(*this);
}

template <typename T>
template <typename F, typename R>
asio::awaitable<R> resource_pool<T>::transact(std::shared_ptr<detail::resource_core> core, F f,
                                              transaction_options options) {
    detail::leased_resource held = detail::take_idle(*core, options.task);
    if (!held) {
        const checkout_options how{options.checkout_timeout, options.task};
        held = co_await detail::check_out(std::move(core), how);
    }
    if (options.body_timeout > duration::zero()) {
        using call = detail::bounded_call<R, F, T>;
        const auto body = std::make_shared<call>(std::move(held), std::move(f));
        co_await detail::run_bounded(body, options.body_timeout);
        if constexpr (std::is_void_v<R>)
            co_return;
        else
            co_return std::move(*body->answer);
    }

    detail::transaction_lease lease(std::move(held));
    std::optional<detail::stored_result<R>> answer;
    std::exception_ptr failed;
    try {
        if constexpr (std::is_void_v<R>)
            co_await f(*static_cast<T*>(lease.object()));
        else
            answer.emplace(co_await f(*static_cast<T*>(lease.object())));
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) {
        const auto state = co_await asio::this_coro::cancellation_state;
        lease.end(state.cancelled() == asio::cancellation_type::none ? detail::body_end::threw
                                                                     : detail::body_end::gone);
        std::rethrow_exception(failed);
    }
    lease.end(detail::body_end::returned);
    if constexpr (!std::is_void_v<R>)
        co_return std::move(*answer);
}

} // namespace lifeguard
