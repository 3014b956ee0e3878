#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace lifeguard::test {

namespace asio = boost::asio;
using boost::system::error_code;

/// One coroutine waits here until it is woken.
class parking {
  public:
    enum class on_cancel { wake, ignore };

    explicit parking(asio::any_io_executor executor, on_cancel reaction = on_cancel::wake)
        : executor_(std::move(executor)), reaction_(reaction) {}

    /// Waits for `wake`. Cancelled by any emission that the coroutine's filter lets through, unless
    /// this place ignores cancellation: then the slot has no handler.
    template <typename Token = const asio::use_awaitable_t<>&>
    auto park(Token&& token = asio::use_awaitable) {
        return asio::async_initiate<Token, void(error_code)>(
            [this](auto handler) { this->hold(std::move(handler)); }, token);
    }

    bool occupied() const { return handler_.has_value(); }

    void wake(error_code result = {}) {
        asio::any_completion_handler<void(error_code)> handler(std::move(*handler_));
        handler_.reset();
        asio::post(executor_, asio::append(std::move(handler), result));
    }

  private:
    template <typename Handler>
    void hold(Handler handler) {
        // Constructed, never assigned, and before the slot is used: see any_completion_handler in
        // asio_traps_test.cpp.
        handler_.emplace(std::move(handler));
        auto slot = asio::get_associated_cancellation_slot(*handler_);
        if (reaction_ == on_cancel::wake && slot.is_connected())
            slot.assign([this](asio::cancellation_type) {
                if (handler_)
                    wake(asio::error::operation_aborted);
            });
    }

    asio::any_io_executor executor_;
    on_cancel reaction_;
    std::optional<asio::any_completion_handler<void(error_code)>> handler_;
};

/// Runs coroutines under a cancellation signal, only when told to and without a clock.
struct cancellation_fixture {
    asio::cancellation_signal signal; // first: the frames that hold its slot die before it
    asio::io_context io{1};
    parking place{io.get_executor()};
    parking deaf_place{io.get_executor(), parking::on_cancel::ignore};
    bool finished = false;
    std::exception_ptr error;

    /// What a coroutine that is started here completes.
    auto completion() {
        return asio::bind_cancellation_slot(signal.slot(), [this](std::exception_ptr e) {
            finished = true;
            error = e;
        });
    }

    /// Starts `f` and runs it until it waits.
    template <typename F>
    void start(F f) {
        asio::co_spawn(io, std::move(f), completion());
        run();
    }

    void run() {
        io.restart();
        io.poll();
    }

    void emit(asio::cancellation_type type) {
        signal.emit(type);
        run();
    }

    bool succeeded() const { return finished && !error; }
    bool aborted() const { return finished && error && is_abort(error); }

    static bool is_abort(std::exception_ptr e) {
        try {
            std::rethrow_exception(std::move(e));
        } catch (const boost::system::system_error& failure) {
            return failure.code() == asio::error::operation_aborted;
        }
    }
};

} // namespace lifeguard::test
