#pragma once

#include <lifeguard/circuit_breaker.hpp>
#include <lifeguard/events.hpp>
#include <lifeguard/named_callable.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

#include <concepts>
#include <map>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace lifeguard {

/// A circuit breaker for any coroutine or thread: `circuit_breaker` with a clock and a lock.
///
/// A handle over a shared core. Thread safety: any thread may call any member; a mutex, held for
/// some nanoseconds, guards the state, and no user's code runs under it.
class shared_breaker {
  public:
    class permit;

    /// `judge` says what the errors of `call` mean; without one every error is a failure. Errors:
    /// `invalid_option`.
    explicit shared_breaker(std::string name, breaker_options options = breaker_options(),
                            breaker_judge judge = nullptr,
                            std::shared_ptr<time_source> time = nullptr);

    /// Calls `f`, a function that returns an awaitable, and counts how that ends; what it throws
    /// reaches the caller unchanged. `f` is copied if it is named and moved if it is a temporary,
    /// which must own nothing: name a lambda that captures strings, or pass `std::ref`.
    ///
    /// Errors: `breaker_open_error`; `operation_aborted` when the caller has been cancelled before.
    /// Cancellation: `f` sees it; what it throws then is excluded.
    template <typename F>
    auto call(F&& f) {
        return call(std::forward<F>(f), [](const auto&) { return false; });
    }

    /// The same; a result that `failed` answers true for is returned, and counts as a failure.
    template <typename F, typename Failed>
    auto call(F&& f, Failed&& failed) {
        detail::refuse_owning_temporary<F>();
        detail::refuse_owning_temporary<Failed>();
        return run(*this, std::decay_t<F>(std::forward<F>(f)),
                   std::decay_t<Failed>(std::forward<Failed>(failed)));
    }

    /// Admits something else than a coroutine. Errors: `breaker_open_error`.
    permit acquire();
    /// Empty when the call is rejected.
    std::optional<permit> try_acquire();

    const std::string& name() const noexcept;
    breaker_status status() const;

    /// Told every change of state, in order, on the thread of the call that made it.
    broadcast<breaker_change>& changes() noexcept;

    // By hand, as in `circuit_breaker`. Errors: `illegal_transition`.

    void trip();
    void half_open();
    void force_open();
    void disable();
    void enable();
    void reset();

  private:
    class core;

    template <typename F, typename Failed>
    static std::invoke_result_t<F&> run(shared_breaker self, F f, Failed failed);
    static void refuse_cancelled(asio::cancellation_type cancelled);
    void judge(permit& admitted, const std::exception_ptr& thrown,
               asio::cancellation_type cancelled) const noexcept;

    std::shared_ptr<core> core_;
};

/// The right to make one call. Answer it once; a permit that goes without an answer gives its place
/// back, excluded. Its answer changes nothing when the breaker has changed its state meanwhile, or
/// when it was a probe and `probe_timeout` has passed. Not thread-safe.
class shared_breaker::permit {
  public:
    permit(permit&& other) noexcept = default;
    permit& operator=(permit&& other) noexcept;
    ~permit() { exclude(); }

    void success();
    void failure(const std::exception_ptr& why = nullptr);
    void exclude() noexcept;

  private:
    friend class shared_breaker;
    permit(std::shared_ptr<core> of, circuit_breaker::ticket call) noexcept
        : core_(std::move(of)), ticket_(call) {}

    std::shared_ptr<core> core_; // empty once it has been answered
    circuit_breaker::ticket ticket_;
};

/// Shared breakers by name. Thread-safe.
class breaker_registry {
  public:
    explicit breaker_registry(std::shared_ptr<time_source> time = nullptr);

    /// Errors: `duplicate_id`, `invalid_option`.
    shared_breaker install(const std::string& name, breaker_options options = breaker_options(),
                           breaker_judge judge = nullptr);
    /// Errors: `not_found`.
    shared_breaker find(std::string_view name) const;
    /// Who holds the breaker may go on with it. Errors: `not_found`.
    void remove(std::string_view name);
    /// Of all, by name.
    std::vector<breaker_status> status() const;

  private:
    using by_name = std::map<std::string, shared_breaker, std::less<>>;
    by_name::const_iterator at(std::string_view name) const;

    const std::shared_ptr<time_source> time_;
    mutable std::mutex mutex_;
    by_name breakers_;
};

// The frame owns all that it is given, so that a call may also be spawned.
template <typename F, typename Failed>
std::invoke_result_t<F&> shared_breaker::run(shared_breaker self, F f, Failed failed) {
    using result = typename std::invoke_result_t<F&>::value_type;
    const auto before = co_await asio::this_coro::cancellation_state;
    refuse_cancelled(before.cancelled());
    permit admitted = self.acquire();
    std::exception_ptr thrown;
    try {
        if constexpr (std::is_void_v<result>) {
            co_await f();
            admitted.success();
            co_return;
        } else {
            result value = co_await f();
            if (failed(std::as_const(value)))
                admitted.failure();
            else
                admitted.success();
            co_return value;
        }
    } catch (...) {
        thrown = std::current_exception();
    }
    const auto after = co_await asio::this_coro::cancellation_state;
    self.judge(admitted, thrown, after.cancelled());
    std::rethrow_exception(thrown);
}

} // namespace lifeguard
