#pragma once

#include <lifeguard/exit_reason.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/time_source.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace lifeguard {

/// When a worker performs. Owns nothing, so that one may be written inside a co_await expression
/// also with g++ 12.
struct worker_rhythm {
    /// From the end of one perform to the begin of the next. Zero or negative: it performs never by
    /// itself, and answers calls and casts only. Defaults to 1 s.
    duration interval = std::chrono::seconds(1);

    /// A perform that takes longer than `lull` times the interval is reported, once. Zero: never.
    /// Defaults to 1.1.
    double lull = 1.1;

    /// From the start of the worker to its first perform. Zero: at once. Empty: one interval, the
    /// default. Without effect when the interval is zero.
    std::optional<duration> first_perform = std::nullopt;
};
static_assert(std::is_trivially_destructible_v<worker_rhythm>);

/// What a worker starts from, also when it is restarted.
struct worker_spec {
    worker_spec() = default; // no aggregate: those are destroyed twice, see docs/compiler-traps.md
    explicit worker_spec(json start_from) : payload(std::move(start_from)) {}
    worker_spec(json start_from, worker_rhythm when)
        : payload(std::move(start_from)), rhythm(when) {}

    json payload;
    std::optional<worker_rhythm> rhythm; ///< empty: as the manager's options say
};

class worker_outcome;
class worker_reply;

namespace detail {
// nlohmann must not be asked about our own types: they convert from JSON, not to it.
template <typename T>
concept plain_value =
    !std::same_as<std::remove_cvref_t<T>, worker_outcome> &&
    !std::same_as<std::remove_cvref_t<T>, worker_reply> && std::convertible_to<T, json>;
} // namespace detail

/// What follows from a perform, a call or a cast.
class worker_outcome {
  public:
    enum class kind { nothing, halt, ok, replace, move, value };

    /// Nothing changes.
    worker_outcome() = default;

    /// Any value: it becomes the visible value, and the payload stays. `co_return 21.5;` will do.
    template <detail::plain_value T>
    worker_outcome(T&& visible) : worker_outcome(kind::value, json(std::forward<T>(visible))) {}

    /// The worker is removed.
    static worker_outcome halt() { return {kind::halt, json()}; }
    /// `payload` is the payload from now on.
    static worker_outcome ok(json payload) { return {kind::ok, std::move(payload)}; }
    /// `payload` is the payload from now on, and the visible value.
    static worker_outcome replace(json payload) { return {kind::replace, std::move(payload)}; }
    /// The worker is removed, and one called `id`, with `payload` and the same rhythm, is put.
    static worker_outcome replace(std::string id, json payload) {
        worker_outcome moved(kind::move, std::move(payload));
        moved.id_ = std::move(id);
        return moved;
    }
    /// `visible` is the visible value from now on, and the payload stays.
    static worker_outcome value(json visible) { return {kind::value, std::move(visible)}; }

    /// From now on this is the interval; it counts from now. Zero or negative: no more performs.
    worker_outcome every(duration interval) && {
        interval_ = interval;
        return std::move(*this);
    }

    kind what() const noexcept { return what_; }
    json& content() noexcept { return content_; }
    const std::string& id() const noexcept { return id_; }
    const std::optional<duration>& interval() const noexcept { return interval_; }

  private:
    worker_outcome(kind what, json content) : what_(what), content_(std::move(content)) {}

    kind what_ = kind::nothing;
    json content_;
    std::string id_;
    std::optional<duration> interval_;
};

/// What a call answers, and what follows from it for the worker.
class worker_reply {
  public:
    worker_reply() = default;
    /// Any value: that is the reply, and nothing changes.
    template <detail::plain_value T>
    worker_reply(T&& answer) : reply(std::forward<T>(answer)) {}
    worker_reply(json answer, worker_outcome follows)
        : reply(std::move(answer)), then(std::move(follows)) {}

    json reply;
    worker_outcome then;
};

namespace detail {

template <typename T>
struct async_result_of {
    static constexpr bool is_async = false;
    using type = T;
};
template <typename T>
struct async_result_of<asio::awaitable<T>> {
    static constexpr bool is_async = true;
    using type = T;
};

inline asio::awaitable<void> nothing_to_await() { co_return; }

template <typename R>
asio::awaitable<R> already(R result) {
    co_return result;
}

template <typename R, typename T>
asio::awaitable<R> converted(asio::awaitable<T> work) {
    if constexpr (std::is_void_v<T>) {
        co_await std::move(work);
        co_return R();
    } else {
        co_return R(co_await std::move(work));
    }
}

template <typename Signature>
class callback;

/// A function of the user's that may be a coroutine or not, and may answer anything that converts
/// to R, or nothing. Its arguments stay alive until it has ended.
template <typename R, typename... Args>
class callback<R(Args...)> {
  public:
    callback() = default;

    template <typename F>
        requires(!std::same_as<std::remove_cvref_t<F>, callback> && std::invocable<F&, Args...>)
    callback(F f) : call_(adapt(std::move(f))) {}

    explicit operator bool() const noexcept { return static_cast<bool>(call_); }
    asio::awaitable<R> operator()(Args... args) const { return call_(args...); }

  private:
    using function = std::function<asio::awaitable<R>(Args...)>;

    template <typename F>
    static function adapt(F f) {
        using result = async_result_of<std::invoke_result_t<F&, Args...>>;
        if constexpr (result::is_async && std::is_same_v<typename result::type, R>) {
            return function(std::move(f));
        } else if constexpr (result::is_async) {
            return [f = std::move(f)](Args... args) mutable { return converted<R>(f(args...)); };
        } else if constexpr (std::is_void_v<R>) {
            return [f = std::move(f)](Args... args) mutable {
                f(args...);
                return nothing_to_await();
            };
        } else if constexpr (std::is_void_v<typename result::type>) {
            return [f = std::move(f)](Args... args) mutable {
                f(args...);
                return already(R());
            };
        } else {
            return [f = std::move(f)](Args... args) mutable { return already(R(f(args...))); };
        }
    }

    function call_;
};

/// Builds a payload from nothing, from the spec's payload, or from the id and that.
class init_callback : public callback<json(const std::string&, const json&)> {
    using base = callback<json(const std::string&, const json&)>;

  public:
    init_callback() = default;

    template <typename F>
        requires(!std::same_as<std::remove_cvref_t<F>, init_callback>)
    init_callback(F f) : base(with_both(std::move(f))) {}

  private:
    template <typename F>
    static base with_both(F f) {
        if constexpr (std::is_invocable_v<F&, const std::string&, const json&>) {
            return base(std::move(f));
        } else if constexpr (std::is_invocable_v<F&, const json&>) {
            return base([f = std::move(f)](const std::string&, const json& payload) mutable {
                return f(payload);
            });
        } else {
            static_assert(std::is_invocable_v<F&>,
                          "init takes nothing, the payload, or the id and the payload");
            return base(
                [f = std::move(f)](const std::string&, const json&) mutable { return f(); });
        }
    }
};

} // namespace detail

/// Where a manager of dynamic workers is in its life.
enum class manager_state {
    unknown,  ///< it does not run
    starting, ///< its workers are being started
    up,
    down, ///< its workers have been stopped
};

/// "unknown" and so on.
std::string_view name_of(manager_state state) noexcept;

/// What `handle_state_change` answers.
enum class state_answer {
    ok,
    restart, ///< all workers stop, and `children_specs` is read again
};

/// A perform that takes longer than it should.
struct slow_perform {
    std::string id;
    duration elapsed;
    duration interval;
    double lull;
    json payload;
};

/// What the workers of a `dynamic_workers` do: the user's functions, all of them optional.
///
/// All but `children_specs` and `handle_timeout` may be coroutines or not, and may leave out the
/// answer. What perform, call, cast and init throw is a crash: the worker is restarted with its
/// spec's payload. They run on a strand of the worker's own, one at a time; those of different
/// workers may run at the same time. Parameters may be taken by value or by reference: they stay
/// alive until the coroutine ends. Lifetime: kept until the manager and its context have ended; a
/// handle of the manager is therefore captured by reference.
struct worker_behaviour {
    /// The workers to begin with, by id. Read at every start of the manager, on its strand; must
    /// not block. What it throws fails the start.
    std::function<std::map<std::string, worker_spec>()> children_specs;

    /// The periodic work. Empty: workers answer calls and casts only.
    detail::callback<worker_outcome(const std::string& id, const json& payload)> perform;

    /// Answers a message whose sender waits. The sender gets what it throws, too.
    detail::callback<worker_reply(const std::string& id, const json& message, const json& payload)>
        call;

    /// Handles a message whose sender does not wait.
    detail::callback<worker_outcome(const std::string& id, const json& message,
                                    const json& payload)>
        cast;

    /// Builds the payload, once per incarnation, inside the worker: f(), f(payload) or
    /// f(id, payload). Empty: it is the spec's.
    detail::init_callback init;

    /// The end of an incarnation, whatever the reason; shielded from further requests to stop. What
    /// it throws is logged and counted.
    detail::callback<void(const exit_reason& why, const std::string& id, const json& payload)>
        terminate;

    /// Starting, up and down, on the manager's strand. `restart` in answer to starting or up
    /// restarts the manager, at most as often as the restart limits allow; to await `restart()` in
    /// here would wait for itself. What it throws is a crash of the manager's state service; on the
    /// way down it is logged and counted.
    detail::callback<state_answer(const manager_state& now)> handle_state_change;

    /// A perform has exceeded `lull` times its interval, and goes on. On the manager's strand; must
    /// not block. What it throws is logged and counted.
    std::function<void(const slow_perform&)> handle_timeout;
};

} // namespace lifeguard
