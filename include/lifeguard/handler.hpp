#pragma once

#include <lifeguard/job_context.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/verdict.hpp>

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace lifeguard {

namespace asio = boost::asio;

/// Runs the jobs of one kind. What it returns is the job's result; what it throws is a failed
/// attempt, unless it is a verdict. It is called on the lane's strand, any number of times at once
/// on different lanes.
using handler = std::function<asio::awaitable<json>(job_context&)>;

/// Checks a payload at submission; throws to refuse the job.
using validator = std::function<void(const json&)>;

namespace detail {

template <typename T>
struct awaited;
template <typename T>
struct awaited<asio::awaitable<T>> {
    using type = T;
};

template <typename Awaitable>
asio::awaitable<json> as_json(Awaitable work) {
    if constexpr (std::is_void_v<typename awaited<Awaitable>::type>) {
        co_await std::move(work);
        co_return json();
    } else {
        co_return json(co_await std::move(work));
    }
}

/// Throws `discard_job`, saying why the payload does not convert and which member is at fault.
[[noreturn]] void refuse_payload(const json& payload,
                                 const std::function<void(const json&)>& convert);

template <typename Args>
Args convert_payload(job_context& job) {
    try {
        return job.payload().template get<Args>();
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception&) { // nlohmann's, or the user's conversion function's
        refuse_payload(job.payload(), [](const json& j) { (void)j.template get<Args>(); });
    }
}

// Its caller, the worker's lane, keeps both alive and waits for it.
// NOLINTBEGIN(cppcoreguidelines-avoid-reference-coroutine-parameters)
template <typename Args, typename F>
asio::awaitable<json> run_typed(F& f, job_context& job) {
    // The arguments live here, in the frame that waits for the user's coroutine.
    Args args = convert_payload<Args>(job);
    if constexpr (std::is_invocable_v<F&, Args&, job_context&>) {
        co_return co_await as_json(f(args, job));
    } else {
        static_assert(std::is_invocable_v<F&, Args&>,
                      "a typed handler takes its arguments and, if it likes, the job_context&");
        co_return co_await as_json(f(args));
    }
}
// NOLINTEND(cppcoreguidelines-avoid-reference-coroutine-parameters)

} // namespace detail

/// Makes a handler of any coroutine function that takes a `job_context&` and returns a value that
/// converts to JSON, or nothing.
template <typename F>
handler make_handler(F f) {
    static_assert(std::is_invocable_v<F&, job_context&>, "a handler takes a job_context&");
    if constexpr (std::is_convertible_v<F, handler>)
        return handler(std::move(f));
    else
        return [f = std::move(f)](job_context& job) mutable { return detail::as_json(f(job)); };
}

/// Makes a handler whose payload is converted to `Args` by nlohmann's conversions. A payload that
/// does not convert discards the job, saying why: another attempt would not help.
template <typename Args, typename F>
handler make_typed_handler(F f) {
    return [f = std::move(f)](job_context& job) mutable { return detail::run_typed<Args>(f, job); };
}

} // namespace lifeguard
