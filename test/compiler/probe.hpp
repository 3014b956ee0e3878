#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace lifeguard::test {

namespace asio = boost::asio;

/// Counts how many probes came to life and how many were destroyed. The destructor touches nothing
/// of the object itself: destroying a probe twice is counted and does no harm.
class probe {
  public:
    explicit probe(int value) noexcept : value_(value) { ++born; }
    probe(const probe& other) noexcept : value_(other.value_) { ++born; }
    probe(probe&& other) noexcept : value_(other.value_) { ++born; }
    probe& operator=(const probe&) = default;
    probe& operator=(probe&&) = default;
    ~probe() { ++died; }

    int value() const noexcept { return value_; }

    static void forget_all() noexcept { born = died = 0; }

    static inline std::atomic<int> born = 0;
    static inline std::atomic<int> died = 0;

  private:
    int value_;
};

/// A probe that owns memory too, so that a sanitizer sees what counting cannot: a value that is
/// read after it was destroyed.
class owner {
  public:
    explicit owner(int value) : probe_(value), text_(40, static_cast<char>('0' + value)) {}

    int value() const { return text_.at(39) - '0'; }

  private:
    probe probe_;
    std::string text_;
};

/// Suspends once.
inline asio::awaitable<void> yield() { co_await asio::post(asio::use_awaitable); }

/// A way to write a co_await expression, as a coroutine that returns what the expression gave.
using shape = asio::awaitable<int> (*)();

/// Runs `f` and destroys its context after at most `handlers_max` handlers. Nothing when it had not
/// finished by then.
inline std::optional<int> run(shape f, int handlers_max) {
    std::optional<int> result;
    std::exception_ptr error;
    {
        asio::io_context io(1);
        asio::co_spawn(io, f, [&](std::exception_ptr e, int value) {
            error = e;
            result = value;
        });
        for (int i = 0; i < handlers_max && !result; ++i)
            io.poll_one();
    }
    if (error)
        std::rethrow_exception(error);
    return result;
}

} // namespace lifeguard::test
