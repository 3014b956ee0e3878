// How Boost 1.81 starts coroutines, ends them and names executors. The library leans on every one
// of these.
#include "compiler/parking.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace lifeguard::test;
using io_executor = asio::io_context::executor_type;
using io_strand = asio::strand<io_executor>;

void rethrow(std::exception_ptr e) {
    if (e)
        std::rethrow_exception(e);
}

struct trace_fixture {
    asio::io_context io{1};
    std::vector<std::string> trace;

    void note(std::string what) { trace.push_back(std::move(what)); }

    asio::awaitable<void> child() {
        note("child");
        co_return;
    }

    /// Spawns `child()` from inside of a handler of the context.
    template <typename Executor>
    void spawn_child(const Executor& executor) {
        note("spawn");
        asio::co_spawn(executor, child(), [this](std::exception_ptr) { note("completion"); });
        note("spawned");
    }

    void check_trace(const std::vector<std::string>& expected) {
        BOOST_TEST(trace == expected, boost::test_tools::per_element());
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(asio_traps, trace_fixture)

BOOST_AUTO_TEST_CASE(co_spawn_inside_of_run_starts_the_child_before_it_returns) {
    asio::post(io, [&] { spawn_child(io.get_executor()); });

    io.poll_one();
    check_trace({"spawn", "child", "spawned"});
}

BOOST_AUTO_TEST_CASE(co_spawn_on_an_idle_strand_inside_of_run_starts_the_child_before_it_returns) {
    const io_strand strand = asio::make_strand(io.get_executor());
    asio::post(io, [&] { spawn_child(strand); });

    io.poll_one();
    check_trace({"spawn", "child", "spawned"});
}

BOOST_AUTO_TEST_CASE(co_spawn_on_a_busy_strand_queues_the_child) {
    const io_strand strand = asio::make_strand(io.get_executor());
    asio::post(io, [&] {
        asio::post(strand, [&] { note("busy"); });
        spawn_child(strand);
    });

    io.poll();
    check_trace({"spawn", "spawned", "busy", "child", "completion"});
}

BOOST_AUTO_TEST_CASE(co_spawn_outside_of_run_queues_the_child) {
    spawn_child(io.get_executor());
    check_trace({"spawn", "spawned"});

    io.poll();
    check_trace({"spawn", "spawned", "child", "completion"});
}

BOOST_AUTO_TEST_CASE(co_spawn_from_a_posted_handler_returns_to_the_parent_first) {
    asio::post(io, [&] {
        asio::post(io, [&] { spawn_child(io.get_executor()); });
        note("parent");
    });

    io.poll();
    check_trace({"parent", "spawn", "child", "spawned", "completion"});
}

BOOST_AUTO_TEST_CASE(child_that_never_waits_completes_by_a_posted_handler) {
    asio::post(io, [&] {
        spawn_child(io.get_executor());
        asio::post(io, [&] { note("next"); });
    });

    io.poll();
    check_trace({"spawn", "child", "spawned", "completion", "next"});
}

BOOST_AUTO_TEST_CASE(child_that_has_waited_completes_in_place) {
    parking place(io.get_executor());
    asio::co_spawn(
        io, [&]() -> asio::awaitable<void> { co_await place.park(); },
        [&](std::exception_ptr) { note("completion"); });
    io.poll();

    place.wake();
    asio::post(io, [&] { note("next"); });
    io.poll_one();
    check_trace({"completion"});
}

BOOST_AUTO_TEST_CASE(exception_of_a_handler_leaves_run_which_can_go_on) {
    asio::post(io, [&] { throw std::runtime_error("out"); });
    asio::post(io, [&] { note("next"); });

    BOOST_CHECK_THROW(io.run(), std::runtime_error);
    BOOST_TEST(!io.stopped());
    io.run();
    check_trace({"next"});
}

BOOST_AUTO_TEST_CASE(exception_of_a_completion_handler_leaves_run_which_can_go_on) {
    const auto fail = [&]() -> asio::awaitable<void> {
        note("fail");
        throw std::runtime_error("out");
        co_return;
    };
    asio::co_spawn(io, fail, rethrow);
    asio::co_spawn(io, child(), rethrow);

    BOOST_CHECK_THROW(io.run(), std::runtime_error);
    io.run();
    check_trace({"fail", "child"});
}

BOOST_AUTO_TEST_CASE(exception_of_a_handler_on_a_strand_leaves_the_strand_usable) {
    const io_strand strand = asio::make_strand(io.get_executor());
    asio::post(strand, [] { throw std::runtime_error("out"); });
    asio::post(strand, [&] { note("next"); });

    BOOST_CHECK_THROW(io.run(), std::runtime_error);
    io.run();
    check_trace({"next"});
}

BOOST_AUTO_TEST_CASE(target_finds_the_executor_of_an_io_context) {
    const asio::any_io_executor any = io.get_executor();

    BOOST_REQUIRE(any.target<io_executor>());
    BOOST_TEST((*any.target<io_executor>() == io.get_executor()));
    BOOST_TEST(!any.target<io_strand>());
}

BOOST_AUTO_TEST_CASE(target_finds_a_strand_and_what_is_below_it) {
    const io_strand strand = asio::make_strand(io.get_executor());
    const asio::any_io_executor any = strand;

    BOOST_REQUIRE(any.target<io_strand>());
    BOOST_TEST((*any.target<io_strand>() == strand));
    BOOST_TEST((any.target<io_strand>()->get_inner_executor() == io.get_executor()));
    BOOST_TEST(!any.target<io_executor>());
}

BOOST_AUTO_TEST_CASE(target_tells_a_strand_over_any_io_executor_apart) {
    const asio::any_io_executor inner = io.get_executor();
    const asio::any_io_executor any = asio::make_strand(inner);

    BOOST_TEST(!any.target<io_strand>());
    BOOST_REQUIRE(any.target<asio::strand<asio::any_io_executor>>());
}

BOOST_AUTO_TEST_CASE(target_finds_the_executor_that_a_coroutine_runs_on) {
    const io_strand strand = asio::make_strand(io.get_executor());
    bool found = false;
    asio::co_spawn(
        strand,
        [&]() -> asio::awaitable<void> {
            const asio::any_io_executor executor = co_await asio::this_coro::executor;
            const auto* target = executor.target<io_strand>();
            found = target && *target == strand && target->running_in_this_thread();
        },
        rethrow);

    io.poll();
    BOOST_TEST(found);
}

BOOST_AUTO_TEST_CASE(target_does_not_find_an_executor_that_tracks_work) {
    const asio::any_io_executor any = io.get_executor();
    const asio::any_io_executor tracked =
        asio::prefer(any, asio::execution::outstanding_work.tracked);

    BOOST_TEST(!tracked.target<io_executor>()); // tracking is a template argument of the type
}

// Only ever construct an any_completion_handler by moving: its move assignment calls itself until
// the stack is full, so there is no test that shows it.
BOOST_AUTO_TEST_CASE(any_completion_handler_can_be_move_constructed) {
    using handler = asio::any_completion_handler<void(int)>;
    int sum = 0;
    handler first([&sum, owned = std::make_unique<int>(4)](int value) { sum += value + *owned; });
    handler second(std::move(first));
    BOOST_TEST(!first);

    std::vector<handler> grown; // moves its elements when it grows
    grown.push_back(std::move(second));
    for (int i = 0; i < 10; ++i)
        grown.push_back(handler([&sum](int value) { sum += value; }));
    for (handler& h : grown)
        std::move(h)(1);
    BOOST_TEST(sum == 15);
    BOOST_TEST(!grown.front());
}

BOOST_AUTO_TEST_CASE(any_completion_handler_replaces_what_was_assigned_to_the_slot_before) {
    asio::cancellation_signal signal;
    bool before = false;
    bool after = false;

    signal.slot().assign([&](asio::cancellation_type) { before = true; });
    asio::any_completion_handler<void()> handler(
        asio::bind_cancellation_slot(signal.slot(), [] {}));
    asio::get_associated_cancellation_slot(handler).assign(
        [&](asio::cancellation_type) { after = true; });
    signal.emit(asio::cancellation_type::total);

    BOOST_TEST(!before); // assign to the slot of the any_completion_handler, not to the one below
    BOOST_TEST(after);
}

BOOST_AUTO_TEST_SUITE_END()
