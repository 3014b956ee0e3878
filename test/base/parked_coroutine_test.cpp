#include "base/parked_coroutine.hpp"
#include "support/test_context.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>

#include <string>
#include <vector>

using namespace lifeguard;
using namespace std::chrono_literals;
using detail::parked_coroutine;
using detail::resumption;
using detail::wake_list;

namespace {

/// Where coroutines park, until `wake` resumes them or they are cancelled.
struct parking {
    struct waiter : parked_coroutine {
        bool cancelled = false;
    };

    parking() = default;
    parking(const parking&) = delete;
    parking& operator=(const parking&) = delete;
    ~parking() { // whoever still waits, because its test was cut short, would wait for ever
        std::vector<resumption> dropped;
        while (!list.empty())
            dropped.push_back(list.front().take());
    }

    void cancel(waiter& one) {
        wake_list wakes;
        {
            const std::lock_guard lock(mutex);
            if (!one.is_parked())
                return;
            one.cancelled = true;
            wakes.add(one);
        }
        wakes.run();
    }

    asio::awaitable<void> wait() {
        waiter me;
        const auto park = [&](resumption r) {
            if (auto slot = asio::get_associated_cancellation_slot(r); slot.is_connected())
                slot.assign([&](asio::cancellation_type) { cancel(me); });
            const std::lock_guard lock(mutex);
            me.park(std::move(r));
            list.push_back(me);
        };
        co_await detail::suspend(park);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.slot().is_connected())
            state.slot().clear();
        if (me.cancelled)
            throw boost::system::system_error(asio::error::operation_aborted);
    }

    std::size_t waiting() {
        const std::lock_guard lock(mutex);
        return list.size();
    }

    void wake_all(bool in_place) {
        wake_list wakes;
        {
            const std::lock_guard lock(mutex);
            while (!list.empty()) {
                wakes.add(list.front(), in_place); // which takes it out of the list
            }
        }
        wakes.run();
    }

    std::mutex mutex;
    boost::intrusive::list<parked_coroutine, boost::intrusive::constant_time_size<false>> list;
};

} // namespace

BOOST_AUTO_TEST_SUITE(parked_coroutines)

LIFEGUARD_TEST(resume_where_they_parked) {
    parking lot;
    const auto waits = ctx.spawn([&]() -> asio::awaitable<int> {
        co_await lot.wait();
        co_await lot.wait();
        co_return 2;
    });
    ctx.settle();
    BOOST_TEST(lot.waiting() == 1u);
    BOOST_TEST(!waits.ready());
    lot.wake_all(false);
    ctx.settle();
    BOOST_TEST(!waits.ready());
    lot.wake_all(false);
    ctx.settle();
    BOOST_TEST(waits.ready());
}

LIFEGUARD_TEST(posted_they_run_after_the_waker_in_place_before_it_goes_on) {
    for (const bool in_place : {false, true}) {
        parking lot;
        std::string order;
        const auto strand = detail::new_strand(ctx.executor());
        const auto sleeper = ctx.spawn_on(strand, [&]() -> asio::awaitable<void> {
            co_await lot.wait();
            order += "sleeper ";
        });
        ctx.settle();
        const auto waker = ctx.spawn_on(strand, [&]() -> asio::awaitable<void> {
            order += "before ";
            lot.wake_all(in_place);
            order += "after ";
            co_return;
        });
        ctx.settle();
        BOOST_TEST(sleeper.ready());
        BOOST_TEST(waker.ready());
        BOOST_TEST(order == (in_place ? "before sleeper after " : "before after sleeper "));
    }
}

LIFEGUARD_TEST(in_place_means_posted_where_the_waker_is_elsewhere) {
    parking lot;
    bool woken = false;
    const auto sleeper = ctx.spawn([&]() -> asio::awaitable<void> {
        co_await lot.wait();
        woken = true;
    });
    ctx.settle();
    lot.wake_all(true); // this thread runs no handler of the strand
    BOOST_TEST(!woken);
    ctx.settle();
    BOOST_TEST(woken);
    BOOST_TEST(sleeper.ready());
}

LIFEGUARD_TEST(wake_in_the_order_of_adding) {
    parking lot;
    std::string order;
    const auto strand = detail::new_strand(ctx.executor());
    for (const char name : std::string("abcdefgh")) {
        ctx.spawn_on(strand, [&, name]() -> asio::awaitable<void> {
            co_await lot.wait();
            order += name;
        });
        ctx.settle();
    }
    lot.wake_all(false);
    ctx.settle();
    BOOST_TEST(order == "abcdefgh");
}

LIFEGUARD_TEST(a_cancelled_one_leaves_its_parking_place) {
    parking lot;
    auto waits = ctx.spawn(lot.wait());
    auto other = ctx.spawn(lot.wait());
    ctx.settle();
    waits.cancel();
    ctx.settle();
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(waits.error() == asio::error::operation_aborted);
    BOOST_TEST(!other.ready());
    BOOST_TEST(lot.waiting() == 1u);
    lot.wake_all(false);
    ctx.settle();
    BOOST_TEST(other.ready());
}

LIFEGUARD_TEST(whoever_takes_it_first_resumes_it) {
    for (int round = 0; round < 50; ++round) {
        parking lot;
        auto waits = ctx.spawn(lot.wait());
        ctx.settle();
        waits.cancel(); // posted, so it races with the waker where there are two threads
        asio::post(ctx.io, [&] { lot.wake_all(false); });
        ctx.settle();
        BOOST_TEST_REQUIRE(waits.ready());
        BOOST_TEST(lot.waiting() == 0u);
    }
}

// A coroutine that ends in place may let an exception through its completion handler.
LIFEGUARD_TEST(an_exception_does_not_lose_those_that_follow) {
    parking lot;
    const auto strand = detail::new_strand(ctx.executor());
    asio::co_spawn(strand, lot.wait(),
                   [](const std::exception_ptr&) { throw std::runtime_error("boom"); });
    ctx.settle();
    std::vector<test::test_future<void>> others;
    for (int i = 0; i < 3; ++i)
        others.push_back(ctx.spawn_on(strand, lot.wait()));
    ctx.settle();
    asio::post(strand, [&] { lot.wake_all(true); });
    BOOST_CHECK_THROW(ctx.settle(), std::runtime_error);
    ctx.settle();
    for (const auto& other : others)
        BOOST_TEST(other.ready());
}

LIFEGUARD_TEST(what_is_deferred_comes_before_anybody_is_resumed) {
    parking lot;
    std::string order;
    const auto strand = detail::new_strand(ctx.executor());
    const auto sleeper = ctx.spawn_on(strand, [&]() -> asio::awaitable<void> {
        co_await lot.wait();
        order += "sleeper ";
    });
    ctx.settle();
    asio::post(strand, [&] {
        wake_list wakes;
        wakes.add(lot.list.front(), true);
        wakes.defer([&] { order += "deferred "; });
        wakes.run();
        wakes.run(); // once is enough
    });
    ctx.settle();
    BOOST_TEST(sleeper.ready());
    BOOST_TEST(order == "deferred sleeper ");
}

BOOST_AUTO_TEST_CASE(a_parking_lot_lets_everybody_go) {
    asio::io_context io;
    detail::parking_lot lot;
    const auto token = std::make_shared<int>();
    const auto sleeps = [&, token]() -> asio::awaitable<void> {
        const auto held = token;
        parked_coroutine place;
        const auto park = [&](resumption r) { lot.park(place, std::move(r)); };
        co_await detail::suspend(park);
    };
    for (int i = 0; i < 3; ++i)
        asio::co_spawn(io, sleeps(), asio::detached);
    io.poll();
    BOOST_TEST(token.use_count() == 5);
    lot.clear();
    io.restart();
    io.poll();
    BOOST_TEST(token.use_count() == 2);
    BOOST_TEST(lot.clear().empty());
}

BOOST_AUTO_TEST_CASE(dropping_a_resumption_unwinds_the_coroutine) {
    asio::io_context io;
    parked_coroutine place;
    const auto token = std::make_shared<int>();
    bool resumed = false;
    const auto sleeps = [&, token]() -> asio::awaitable<void> {
        const auto held = token;
        const auto park = [&](resumption r) { place.park(std::move(r)); };
        co_await detail::suspend(park);
        resumed = true;
    };
    asio::co_spawn(io, sleeps(), asio::detached);
    io.poll();
    BOOST_TEST(place.is_parked());
    BOOST_TEST(token.use_count() == 3);
    {
        const resumption dropped = place.take();
    }
    BOOST_TEST(!place.is_parked());
    io.restart();
    io.poll();
    BOOST_TEST(token.use_count() == 2);
    BOOST_TEST(!resumed);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(executors)

LIFEGUARD_TEST(strands_are_found_and_made_over_what_is_below) {
    const auto base = ctx.executor();
    const auto strand = detail::new_strand(base);
    BOOST_TEST((strand.target<asio::strand<detail::io_executor>>() != nullptr));
    BOOST_TEST((detail::below_strand(strand) == base));
    BOOST_TEST((detail::below_strand(base) == base));
    BOOST_TEST((detail::strand_of(strand) == strand));
    BOOST_TEST((detail::new_strand(strand) != strand));
    BOOST_TEST((detail::below_strand(detail::new_strand(strand)) == base));
    BOOST_TEST((detail::strand_of(base) != base));
    const asio::any_io_executor erased = asio::make_strand(base);
    BOOST_TEST((detail::below_strand(erased) == base));
    BOOST_TEST((detail::strand_of(erased) == erased));
}

LIFEGUARD_TEST(running_in_knows_the_callers_strand) {
    const auto base = ctx.executor();
    const auto strand = detail::new_strand(base), other = detail::new_strand(base);
    const asio::any_io_executor erased = asio::make_strand(base);
    BOOST_TEST(!detail::running_in(base));
    BOOST_TEST(!detail::running_in(strand));
    asio::post(strand, [&] {
        ctx.check(detail::running_in(strand), "in its strand");
        ctx.check(detail::running_in(base), "in the context below");
        ctx.check(!detail::running_in(other), "in no other strand");
        ctx.check(!detail::running_in(erased), "in no other erased strand");
    });
    asio::post(erased, [&] { ctx.check(detail::running_in(erased), "in its erased strand"); });
    ctx.settle();
}

BOOST_AUTO_TEST_SUITE_END()
