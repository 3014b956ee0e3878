// What cancellation does to a coroutine in Boost 1.81. The library leans on every one of these.
#include "compiler/parking.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/test/unit_test.hpp>

#include <exception>
#include <tuple>
#include <vector>

namespace {

using namespace lifeguard::test;
using asio::cancellation_type;
using asio::this_coro::reset_cancellation_state;
using asio::this_coro::throw_if_cancelled;

constexpr auto awaitable_tuple = asio::as_tuple(asio::use_awaitable);

/// Awaits `place` as often as asked and counts how often that throws.
asio::awaitable<int> count_throwing_waits(parking& place, int waits) {
    int thrown = 0;
    for (int i = 0; i < waits; ++i) {
        try {
            co_await place.park();
        } catch (const boost::system::system_error&) {
            ++thrown;
        }
    }
    co_return thrown;
}

/// Lets through what the built-in filter lets through, and writes down all that comes.
template <typename Filter>
class recording_filter {
  public:
    explicit recording_filter(std::vector<cancellation_type>& seen) : seen_(&seen) {}

    cancellation_type operator()(cancellation_type type) const {
        seen_->push_back(type);
        return Filter()(type);
    }

  private:
    std::vector<cancellation_type>* seen_;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cancellation_traps, cancellation_fixture)

BOOST_AUTO_TEST_CASE(default_filter_lets_only_terminal_through) {
    start([&]() -> asio::awaitable<void> { co_await place.park(); });

    emit(cancellation_type::total);
    BOOST_TEST(place.occupied());
    emit(cancellation_type::partial);
    BOOST_TEST(place.occupied());
    emit(cancellation_type::terminal);
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(enable_total_cancellation_lets_total_through) {
    start([&]() -> asio::awaitable<void> {
        co_await reset_cancellation_state(asio::enable_total_cancellation());
        co_await place.park();
    });

    emit(cancellation_type::total);
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(filter_is_asked_on_the_way_in_and_on_the_way_out) {
    std::vector<cancellation_type> seen;
    start([&]() -> asio::awaitable<void> {
        co_await reset_cancellation_state(
            recording_filter<asio::enable_terminal_cancellation>(seen));
        co_await place.park();
    });

    // A filter that is given alone is copied: one copy gets what was emitted, the other what the
    // first let through.
    emit(cancellation_type::total);
    BOOST_TEST((seen == std::vector{cancellation_type::total, cancellation_type::none}));
    BOOST_TEST(place.occupied());

    seen.clear();
    emit(cancellation_type::terminal);
    BOOST_TEST((seen == std::vector{cancellation_type::terminal, cancellation_type::terminal}));
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(inner_filter_alone_records_each_emission_once) {
    std::vector<cancellation_type> seen;
    start([&]() -> asio::awaitable<void> {
        co_await reset_cancellation_state(recording_filter<asio::disable_cancellation>(seen),
                                          asio::disable_cancellation());
        co_await place.park();
    });

    emit(cancellation_type::total);
    emit(cancellation_type::terminal);
    BOOST_TEST((seen == std::vector{cancellation_type::total, cancellation_type::terminal}));
    place.wake();
    run();
    BOOST_TEST(succeeded());
}

BOOST_AUTO_TEST_CASE(filtered_emission_erases_an_earlier_cancellation) {
    bool cancelled_by_terminal = false;
    bool cancelled_after_total = true;
    start([&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        signal.emit(cancellation_type::terminal);
        auto state = co_await asio::this_coro::cancellation_state;
        cancelled_by_terminal = state.cancelled() != cancellation_type::none;
        signal.emit(cancellation_type::total);
        cancelled_after_total = state.cancelled() != cancellation_type::none;
        co_await place.park(); // does not throw: the state holds only the last emission
    });

    BOOST_TEST(cancelled_by_terminal);
    BOOST_TEST(!cancelled_after_total);
    BOOST_TEST(place.occupied());
}

BOOST_AUTO_TEST_CASE(emission_to_a_running_coroutine_is_seen_at_its_next_await) {
    bool ran_on = false;
    start([&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        signal.emit(cancellation_type::terminal);
        ran_on = true;
        co_await place.park();
    });

    BOOST_TEST(ran_on);
    BOOST_TEST(!place.occupied());
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(awaited_coroutine_is_not_entered_after_a_cancellation) {
    bool entered = false;
    const auto child = [&]() -> asio::awaitable<void> {
        entered = true;
        co_return;
    };
    start([&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        signal.emit(cancellation_type::terminal);
        co_await child();
    });

    BOOST_TEST(!entered);
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(every_later_await_throws_until_the_state_is_reset) {
    int thrown = 0;
    start([&]() -> asio::awaitable<void> {
        thrown = co_await count_throwing_waits(place, 3);
        co_await reset_cancellation_state();
        co_await place.park();
    });

    emit(cancellation_type::terminal);
    BOOST_TEST(thrown == 3);
    BOOST_TEST(place.occupied());
    place.wake();
    run();
    BOOST_TEST(succeeded());
}

BOOST_AUTO_TEST_CASE(cleared_state_stops_the_throwing_too) {
    start([&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        signal.emit(cancellation_type::terminal);
        auto state = co_await asio::this_coro::cancellation_state;
        state.clear();
        co_await place.park();
    });

    BOOST_TEST(place.occupied());
    emit(cancellation_type::terminal); // the slot is still connected
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(throw_if_cancelled_false_stops_the_throwing) {
    int thrown = -1;
    start([&]() -> asio::awaitable<void> {
        co_await throw_if_cancelled(false);
        signal.emit(cancellation_type::terminal);
        thrown = co_await count_throwing_waits(place, 1);
    });

    BOOST_TEST(place.occupied());
    place.wake();
    run();
    BOOST_TEST(thrown == 0);
    BOOST_TEST(succeeded());
}

BOOST_AUTO_TEST_CASE(wait_that_is_cancelled_itself_throws_without_the_flag) {
    int thrown = -1;
    start([&]() -> asio::awaitable<void> {
        co_await throw_if_cancelled(false);
        thrown = co_await count_throwing_waits(place, 1);
    });

    emit(cancellation_type::terminal); // the operation fails, the flag is about later waits
    BOOST_TEST(thrown == 1);
    BOOST_TEST(succeeded());
}

BOOST_AUTO_TEST_CASE(flag_and_filter_belong_to_the_whole_chain_of_callers) {
    const auto callee = []() -> asio::awaitable<void> {
        co_await throw_if_cancelled(false);
        co_await reset_cancellation_state(asio::enable_total_cancellation());
    };
    bool throws = true;
    start([&]() -> asio::awaitable<void> {
        co_await callee();
        throws = co_await throw_if_cancelled();
        co_await place.park();
    });

    BOOST_TEST(!throws);
    emit(cancellation_type::total);
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(as_tuple_wait_returns_its_own_cancellation) {
    error_code result;
    start([&]() -> asio::awaitable<void> {
        const auto waited = co_await place.park(awaitable_tuple);
        result = std::get<0>(waited);
    });

    emit(cancellation_type::terminal);
    BOOST_TEST(result == asio::error::operation_aborted);
    BOOST_TEST(succeeded());
}

BOOST_AUTO_TEST_CASE(as_tuple_wait_after_a_cancellation_throws_all_the_same) {
    start([&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        signal.emit(cancellation_type::terminal);
        co_await place.park(awaitable_tuple);
    });

    BOOST_TEST(!place.occupied());
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(waiter_with_a_slot_handler_is_woken_by_an_emission) {
    start([&]() -> asio::awaitable<void> { co_await place.park(); });

    emit(cancellation_type::terminal);
    BOOST_TEST(!place.occupied());
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(waiter_without_a_slot_handler_is_not_woken_by_an_emission) {
    bool waited = false;
    start([&]() -> asio::awaitable<void> {
        co_await deaf_place.park();
        waited = true;
        co_await place.park();
    });

    emit(cancellation_type::terminal);
    BOOST_TEST(deaf_place.occupied());

    deaf_place.wake();
    run();
    BOOST_TEST(waited); // the wait itself succeeds, the next one throws
    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(emission_from_outside_takes_its_turn_behind_the_first_resumption) {
    asio::co_spawn(io, [&]() -> asio::awaitable<void> { co_await place.park(); }, completion());
    signal.emit(cancellation_type::terminal); // posts: nothing runs the context now

    io.poll_one();
    BOOST_TEST(place.occupied());
    run();
    BOOST_TEST(aborted());
}

// co_spawn awaits a post when the coroutine ends without ever having waited, and this await throws
// too. So the exception leaves run() and the completion handler is never called.
BOOST_AUTO_TEST_CASE(cancellation_before_the_first_wait_loses_the_completion) {
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            signal.emit(cancellation_type::terminal);
            co_return;
        },
        completion());

    BOOST_CHECK_THROW(run(), boost::system::system_error);
    run();
    BOOST_TEST(!finished);
}

BOOST_AUTO_TEST_CASE(emission_that_overtakes_the_first_resumption_loses_the_completion) {
    bool entered = false;
    const auto body = [&]() -> asio::awaitable<void> {
        entered = true;
        co_await place.park();
    };
    asio::post(io, [&] { signal.emit(cancellation_type::terminal); });
    asio::co_spawn(io, body, completion());

    BOOST_CHECK_THROW(run(), boost::system::system_error);
    run();
    BOOST_TEST(!entered);
    BOOST_TEST(!finished);
}

BOOST_AUTO_TEST_CASE(completion_is_kept_by_a_body_that_ends_with_the_throwing_switched_off) {
    start([&]() -> asio::awaitable<void> {
        signal.emit(cancellation_type::terminal);
        std::exception_ptr failure;
        try {
            co_await place.park();
        } catch (const boost::system::system_error&) {
            failure = std::current_exception();
        }
        co_await throw_if_cancelled(false);
        std::rethrow_exception(failure);
    });

    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_CASE(completion_is_kept_by_a_body_that_has_waited) {
    start([&]() -> asio::awaitable<void> {
        co_await asio::post(asio::use_awaitable);
        signal.emit(cancellation_type::terminal);
        co_await place.park();
    });

    BOOST_TEST(aborted());
}

BOOST_AUTO_TEST_SUITE_END()
