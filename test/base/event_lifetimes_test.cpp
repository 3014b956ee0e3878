// Subscriptions, broadcasts, contexts and threads, ending in any order.
#include <lifeguard/events.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>

using namespace lifeguard;

using word_subscription = subscription<std::string>;

BOOST_AUTO_TEST_SUITE(event_lifetimes)

BOOST_AUTO_TEST_CASE(the_context_may_end_while_somebody_waits) {
    broadcast<std::string> bus;
    std::optional<word_subscription> a(bus.subscribe());
    const auto token = std::make_shared<int>();
    asio::cancellation_signal signal;
    const auto waits = [&, token]() -> asio::awaitable<void> {
        const auto held = token;
        co_await a->next();
    };
    {
        asio::io_context io;
        for (const bool on_strand : {false, true})
            asio::co_spawn(on_strand ? asio::any_io_executor(asio::make_strand(io))
                                     : asio::any_io_executor(io.get_executor()),
                           waits(), asio::detached);
        asio::co_spawn(io, waits(), asio::bind_cancellation_slot(signal.slot(), asio::detached));
        io.poll();
        BOOST_TEST(token.use_count() == 5);
    }
    BOOST_TEST(token.use_count() == 2);
    bus.publish("nobody");
    BOOST_TEST(a->try_next().value() == "nobody");
    a.reset();
}

BOOST_AUTO_TEST_CASE(a_context_that_ends_takes_only_its_own_waits_along) {
    broadcast<std::string> bus;
    auto a = bus.subscribe();
    asio::io_context stays;
    std::optional<std::string> got;
    const auto waits = [&]() -> asio::awaitable<void> { got = co_await a.next(); };
    for (int round = 0; round < 3; ++round) { // contexts at one address
        asio::io_context io;
        asio::co_spawn(io, waits(), asio::detached);
        io.poll();
        if (round == 0) {
            asio::co_spawn(stays, waits(), asio::detached);
            stays.poll();
        }
    }
    bus.publish("for the one that stays");
    stays.restart();
    stays.poll();
    BOOST_TEST(got.value() == "for the one that stays");
}

BOOST_AUTO_TEST_CASE(everything_may_end_in_the_frame_that_waits) {
    asio::io_context io;
    const auto owner = [&]() -> asio::awaitable<void> {
        broadcast<std::string> bus;
        auto a = bus.subscribe();
        co_await a.next();
    };
    asio::co_spawn(io, owner(), asio::detached);
    io.poll();
}

// Two publish, two subscribe, receive and end, one closes.
BOOST_AUTO_TEST_CASE(threads_may_do_everything_at_once) {
    broadcast<int> bus;
    constexpr int each = 3000;
    std::atomic<int> called = 0;
    std::atomic<bool> disordered = false;
    asio::io_context io(2);
    subscription_options few;
    few.queue_max = 64;
    const auto callback = bus.on_event([&](int) { ++called; });

    // Each publisher's own events arrive in its order: negative ones from one, positive from the
    // other.
    const auto reader = [&](bool short_lived) -> asio::awaitable<void> {
        for (bool open = true; open;) {
            auto mine = bus.subscribe(few);
            int highest = 0, lowest = 0;
            for (int i = 0; !short_lived || i < 10; ++i) {
                const auto event = co_await mine.next();
                if (!event) {
                    open = false;
                    break;
                }
                int& last = *event > 0 ? highest : lowest;
                if (std::abs(*event) <= std::abs(last))
                    disordered = true;
                last = *event;
            }
        }
    };
    for (int i = 0; i < 3; ++i) {
        const auto strand = asio::make_strand(io);
        asio::co_spawn(strand, reader(false), asio::detached);
        asio::co_spawn(io, reader(true), asio::detached);
    }
    std::thread run_one([&] { io.run(); }), run_two([&] { io.run(); });
    const auto publish = [&](int sign) {
        for (int i = 1; i <= each; ++i)
            bus.publish(sign * i);
    };
    std::thread other([&] { publish(-1); });
    publish(1);
    other.join();
    bus.close();
    run_one.join();
    run_two.join();
    BOOST_TEST(!disordered);
    BOOST_TEST(called == 2 * each);
    BOOST_TEST(bus.subscribers() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
