#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace lifeguard::test {

namespace asio = boost::asio;

/// What is known about a spawned coroutine, whatever it returns.
class future_state : public std::enable_shared_from_this<future_state> {
  public:
    explicit future_state(asio::any_io_executor executor) : executor_(std::move(executor)) {}

    bool ready() const;
    std::exception_ptr exception() const;
    void finish(std::exception_ptr thrown);
    void cancel(asio::cancellation_type type);

    asio::any_io_executor executor() const;
    asio::cancellation_slot slot() { return signal_.slot(); }

  private:
    mutable std::mutex mutex_;
    asio::any_io_executor executor_; // empty once the coroutine has ended
    asio::cancellation_signal signal_;
    std::exception_ptr thrown_;
    bool ready_ = false;
};

template <typename T>
struct future_state_of : future_state {
    using future_state::future_state;
    std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>> value;
};

/// The outcome of a coroutine that `test_context::spawn` started. Thread-safe but for `get`. Must
/// not outlive the context.
template <typename T>
class test_future {
  public:
    explicit test_future(std::shared_ptr<future_state_of<T>> state) : state_(std::move(state)) {}

    /// Whether the coroutine has returned or thrown.
    bool ready() const { return state_->ready(); }

    /// What it returned, moved out, or throws what it threw; `std::logic_error` when it is not
    /// ready.
    T get() {
        if (!ready())
            throw std::logic_error("the coroutine has not finished");
        if (const auto thrown = state_->exception())
            std::rethrow_exception(thrown);
        if constexpr (!std::is_void_v<T>)
            return std::move(*state_->value);
    }

    /// The code of the system_error it threw, empty when it returned. Anything else that it threw
    /// is thrown; `std::logic_error` when it is not ready.
    boost::system::error_code error() const {
        if (!ready())
            throw std::logic_error("the coroutine has not finished");
        try {
            if (const auto thrown = state_->exception())
                std::rethrow_exception(thrown);
        } catch (const boost::system::system_error& e) {
            return e.code();
        }
        return {};
    }

    std::exception_ptr exception() const { return state_->exception(); }

    /// Emits `type` to the coroutine, on its own executor. Settle afterwards.
    void cancel(asio::cancellation_type type = asio::cancellation_type::terminal) {
        state_->cancel(type);
    }

  private:
    std::shared_ptr<future_state_of<T>> state_;
};

} // namespace lifeguard::test
