#pragma once

#include "support/errors.hpp"
#include "support/test_future.hpp"
#include <lifeguard/manual_time_source.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <utility>

namespace lifeguard::test {

template <typename Awaitable>
struct awaited;
template <typename T, typename Executor>
struct awaited<asio::awaitable<T, Executor>> {
    using type = T;
};

template <typename F>
concept coroutine_function =
    std::invocable<F&> && requires { typename awaited<std::invoke_result_t<F&>>::type; };

/// Can be made to destroy its coroutines and handlers before it is destroyed itself.
class cuttable_context : public asio::io_context {
  public:
    using asio::io_context::io_context;
    void cut() noexcept { shutdown(); }
};

/// An io_context that one or two threads run, and time that stands still.
///
/// Nothing runs but within `settle`, `advance` and `await`, and these return when no handler is
/// ready. With two threads handlers run on both: Boost.Test's macros are not thread-safe, so
/// coroutines use `check` or leave what they saw for the test's body to look at.
///
/// The destructor fails the test when alarms are still set or spawned coroutines have not ended.
///
/// One that is cut ends in the middle of things: after so many handlers `settle` destroys all
/// coroutines, and throws `cut_short` through the test's body.
struct test_context {
    explicit test_context(int threads = 1, std::optional<std::size_t> cut_after = std::nullopt);
    test_context(const test_context&) = delete;
    test_context& operator=(const test_context&) = delete;
    ~test_context();

    std::shared_ptr<manual_time_source> time; // outlives what waits in `io`
    cuttable_context io;

    asio::any_io_executor executor() { return io.get_executor(); }
    int threads() const noexcept;

    /// Starts a coroutine on a new strand, or on `on`. A callable is kept alive as long as its
    /// coroutine, so a lambda may capture. Nothing runs before the next `settle`.
    template <typename T>
    test_future<T> spawn(asio::awaitable<T> what) {
        return spawn_on(new_strand(), std::move(what));
    }
    template <coroutine_function F>
    auto spawn(F f) {
        return spawn_on(new_strand(), std::move(f));
    }
    template <typename T>
    test_future<T> spawn_on(asio::any_io_executor on, asio::awaitable<T> what) {
        return start<T>(std::move(on), [&](auto state) { return keep<T>(state, std::move(what)); });
    }
    template <coroutine_function F>
    auto spawn_on(asio::any_io_executor on, F f) {
        using T = typename awaited<std::invoke_result_t<F&>>::type;
        return start<T>(std::move(on),
                        [&](auto state) { return keep_result_of<T>(state, std::move(f)); });
    }

    /// Runs handlers until none is ready. Throws what a handler threw (after which others may be
    /// ready).
    void settle();

    /// From now on, as long as the answer lives, `settle` also waits for what goes on outside the
    /// context: `drain` blocks until that has come to rest, and says whether there was anything.
    [[nodiscard]] std::shared_ptr<void> settle_with(std::function<bool()> drain);

    /// Moves time on by `by`, from alarm to alarm, settling before and after each, and ends exactly
    /// there.
    void advance(duration by);

    /// Spawns, settles, and returns what the coroutine returned or throws what it threw. Throws
    /// std::runtime_error when it waits for something that settling did not bring.
    template <typename T>
    T await(asio::awaitable<T> what) {
        return finished(spawn(std::move(what)));
    }
    template <coroutine_function F>
    auto await(F f) {
        return finished(spawn(std::move(f)));
    }

    /// A check for coroutines: thread-safe; reported by the next `settle`.
    void check(bool ok, const std::string& what,
               std::source_location where = std::source_location::current());

    /// How many handlers the thread (0, the test's own, or 1) has run.
    std::size_t handlers_run(int thread) const;

    /// Whether its coroutines have been destroyed before their time: what is unwound then has
    /// nothing to finish and nothing to look at.
    bool is_cut() const noexcept { return cut_; }

    /// The test leaves alarms and coroutines behind on purpose.
    void expect_leftovers() noexcept;

  private:
    struct runner;

    template <typename T, typename Make>
    test_future<T> start(asio::any_io_executor on, Make make) {
        auto state = std::make_shared<future_state_of<T>>(on);
        track(state);
        asio::co_spawn(
            std::move(on), make(state),
            asio::bind_cancellation_slot(state->slot(), [state](std::exception_ptr thrown) {
                state->finish(std::move(thrown));
            }));
        return test_future<T>(std::move(state));
    }

    // co_spawn itself could only return what is default constructible.
    template <typename T>
    static asio::awaitable<void> keep(std::shared_ptr<future_state_of<T>> state,
                                      asio::awaitable<T> what) {
        if constexpr (std::is_void_v<T>)
            co_await std::move(what);
        else
            state->value.emplace(co_await std::move(what));
    }
    template <typename T, typename F>
    static asio::awaitable<void> keep_result_of(std::shared_ptr<future_state_of<T>> state, F f) {
        if constexpr (std::is_void_v<T>)
            co_await f();
        else
            state->value.emplace(co_await f());
    }

    template <typename T>
    T finished(test_future<T> future) {
        settle();
        if (!future.ready())
            did_not_finish();
        return future.get();
    }

    asio::any_io_executor new_strand();
    void track(std::weak_ptr<future_state> state);
    [[noreturn]] void did_not_finish() const;
    void report_checks();

    std::unique_ptr<runner> runner_;
    bool cut_ = false;
};

/// Not an exception of the library's or of a test's: nobody else catches it.
struct cut_short {};

/// Runs `body` with one thread and then with two. With LIFEGUARD_TEST_CUTS=N in the environment it
/// is instead cut after 1, 2, 3 ... N handlers: a sanitizer sees what is left, or used too late.
void with_one_and_two_threads(const std::function<void(test_context& ctx)>& body);

/// Two threads are only a test when both had something to do. True also while there was too little
/// to do to tell.
bool both_threads_ran_handlers();

} // namespace lifeguard::test

/// One Boost.Test case, `name`, whose body runs twice, with a fresh `test_context& ctx` on one
/// thread and on two. Decorators may follow; one labelled "scale" is too long to be cut.
#define LIFEGUARD_TEST(name, ...)                                                                  \
    static void lifeguard_test_##name(::lifeguard::test::test_context& ctx);                       \
    BOOST_AUTO_TEST_CASE(name, *boost::unit_test::label("coroutine") __VA_ARGS__) {                \
        ::lifeguard::test::with_one_and_two_threads(&lifeguard_test_##name);                       \
    }                                                                                              \
    static void lifeguard_test_##name([[maybe_unused]] ::lifeguard::test::test_context& ctx)
