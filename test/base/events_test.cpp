#include "support/test_context.hpp"
#include <lifeguard/events.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace lifeguard;

namespace {

using words = std::vector<std::string>;
using word_subscription = subscription<std::string>;

words taken(word_subscription& from) {
    words all;
    while (auto word = from.try_next())
        all.push_back(*word);
    return all;
}

/// Takes `count` events, or as many as there are until the end.
asio::awaitable<words> take(word_subscription& from, std::size_t count) {
    words all;
    while (all.size() < count) {
        auto word = co_await from.next();
        if (!word)
            break;
        all.push_back(*word);
    }
    co_return all;
}

subscription_options holding(std::size_t queue_max) {
    subscription_options options;
    options.queue_max = queue_max;
    return options;
}

/// Counts its copies, and throws when told to.
struct costly {
    costly() = default;
    costly(const costly& other) : copies(other.copies), throws(other.throws) {
        if (throws)
            throw std::runtime_error("no copy");
        ++*copies;
    }
    std::shared_ptr<int> copies = std::make_shared<int>(0);
    bool throws = false;
};

} // namespace

#define CHECK_WORDS(seen, ...)                                                                     \
    BOOST_TEST((seen) == (words{__VA_ARGS__}), boost::test_tools::per_element())

BOOST_AUTO_TEST_SUITE(events)

LIFEGUARD_TEST(SEED_02_every_subscriber_gets_the_text_once_per_subscription) {
    broadcast<std::string> bus;
    auto a = bus.subscribe(), b = bus.subscribe(), b_again = bus.subscribe();
    auto waits = ctx.spawn(take(a, 2));
    ctx.settle();
    bus.publish("hello");
    bus.publish("world");
    ctx.settle();
    CHECK_WORDS(waits.get(), "hello", "world");
    CHECK_WORDS(taken(b), "hello", "world");
    CHECK_WORDS(taken(b_again), "hello", "world");
    BOOST_TEST(a.dropped() == 0u);
}

LIFEGUARD_TEST(SEED_02_zero_subscribers_are_fine_and_cost_no_copy) {
    broadcast<costly> bus;
    const costly event;
    BOOST_TEST(!bus.wanted());
    bus.publish(event);
    BOOST_TEST(*event.copies == 0);
    {
        auto a = bus.subscribe(), b = bus.subscribe();
        BOOST_TEST(bus.wanted());
        BOOST_TEST(bus.subscribers() == 2u);
        bus.publish(event);
        BOOST_TEST(*event.copies == 1); // shared by both
    }
    BOOST_TEST(!bus.wanted());
    bus.publish(event);
    BOOST_TEST(*event.copies == 1);
}

LIFEGUARD_TEST(SEED_02_a_subscriber_that_has_ended_is_dropped) {
    broadcast<std::shared_ptr<int>> bus;
    const auto event = std::make_shared<int>(7);
    auto stays = bus.subscribe();
    {
        auto ends = bus.subscribe();
        bus.publish(event);
        BOOST_TEST(bus.subscribers() == 2u);
    }
    BOOST_TEST(bus.subscribers() == 1u);
    bus.publish(nullptr);
    BOOST_TEST(event.use_count() == 2); // what waited for the one that ended is gone with it
    BOOST_TEST(stays.try_next().value() == event);
    BOOST_TEST(event.use_count() == 1);
    BOOST_TEST(stays.try_next().value() == nullptr);
    BOOST_TEST(!stays.try_next().has_value());
}

LIFEGUARD_TEST(SEED_02_a_slow_subscriber_delays_nobody_and_loses_the_oldest) {
    broadcast<std::string> bus;
    auto slow = bus.subscribe(holding(3)), fast = bus.subscribe(holding(100));
    for (int i = 0; i < 10; ++i)
        bus.publish(std::to_string(i));
    BOOST_TEST(slow.dropped() == 7u);
    CHECK_WORDS(taken(slow), "7", "8", "9");
    BOOST_TEST(taken(fast).size() == 10u);
    BOOST_TEST(fast.dropped() == 0u);
    bus.publish("x");
    CHECK_WORDS(taken(slow), "x");
    BOOST_TEST(slow.dropped() == 7u);
}

LIFEGUARD_TEST(SEED_02_the_default_queue_holds_1024) {
    broadcast<int> bus;
    auto idle = bus.subscribe();
    for (int i = 0; i < 1024; ++i)
        bus.publish(i);
    BOOST_TEST(idle.dropped() == 0u);
    bus.publish(1024);
    BOOST_TEST(idle.dropped() == 1u);
    BOOST_TEST(idle.try_next().value() == 1);
}

LIFEGUARD_TEST(SEED_02_subscribing_during_a_broadcast_takes_effect_with_the_next) {
    broadcast<std::string> bus;
    std::vector<word_subscription> late;
    std::vector<std::shared_ptr<void>> late_calls;
    words called;
    const auto first = bus.on_event([&](const std::string&) {
        late.push_back(bus.subscribe());
        late_calls.push_back(
            bus.on_event([&](const std::string& word) { called.push_back(word); }));
    });
    bus.publish("one");
    BOOST_TEST_REQUIRE(late.size() == 1u);
    BOOST_TEST(called.empty());
    BOOST_TEST(!late[0].try_next().has_value());
    bus.publish("two");
    BOOST_TEST_REQUIRE(late.size() == 2u);
    CHECK_WORDS(taken(late[0]), "two");
    BOOST_TEST(!late[1].try_next().has_value());
    CHECK_WORDS(called, "two");
}

LIFEGUARD_TEST(a_throwing_callback_is_counted_and_disturbs_nobody) {
    broadcast<std::string> bus;
    words before, after;
    auto queue = bus.subscribe();
    const auto a = bus.on_event([&](const std::string& word) { before.push_back(word); });
    const auto b = bus.on_event([](const std::string&) { throw std::runtime_error("boom"); });
    const auto c = bus.on_event([](const std::string&) { throw 7; });
    const auto d = bus.on_event([&](const std::string& word) { after.push_back(word); });
    bus.publish("x");
    CHECK_WORDS(before, "x");
    CHECK_WORDS(after, "x");
    CHECK_WORDS(taken(queue), "x");
    BOOST_TEST(bus.errors() == 2u);
}

LIFEGUARD_TEST(an_event_that_cannot_be_copied_is_counted) {
    broadcast<costly> bus;
    auto queue = bus.subscribe();
    costly event;
    event.throws = true;
    bus.publish(event);
    BOOST_TEST(bus.errors() == 1u);
    BOOST_TEST(!queue.try_next().has_value());
}

LIFEGUARD_TEST(callbacks_end_with_their_object_also_during_a_call) {
    broadcast<std::string> bus;
    words seen;
    std::shared_ptr<void> a, b;
    const auto token = std::make_shared<int>();
    a = bus.on_event([&, token](const std::string& word) {
        seen.push_back("a" + word);
        a.reset();
        b.reset();
    });
    b = bus.on_event([&](const std::string& word) { seen.push_back("b" + word); });
    BOOST_TEST(bus.subscribers() == 2u);
    bus.publish("1");
    bus.publish("2");
    CHECK_WORDS(seen, "a1");
    BOOST_TEST(bus.subscribers() == 0u);
    BOOST_TEST(token.use_count() == 1);
}

LIFEGUARD_TEST(callbacks_may_publish) {
    broadcast<int> bus;
    std::vector<int> seen;
    const auto again = bus.on_event([&](int value) {
        seen.push_back(value);
        if (value > 0)
            bus.publish(value - 1);
    });
    auto queue = bus.subscribe();
    bus.publish(3);
    const std::vector<int> expected{3, 2, 1, 0};
    BOOST_TEST(seen == expected, boost::test_tools::per_element());
    for (const int value : expected)
        BOOST_TEST(queue.try_next().value() == value);
}

LIFEGUARD_TEST(next_waits_for_an_event_and_takes_what_waits_at_once) {
    broadcast<std::string> bus;
    auto a = bus.subscribe();
    bus.publish("ready");
    BOOST_TEST(ctx.await(a.next()).value() == "ready");
    auto waits = ctx.spawn(a.next());
    ctx.settle();
    BOOST_TEST(!waits.ready());
    bus.publish("later");
    BOOST_TEST(!waits.ready()); // it runs on its own executor, never within publish
    ctx.settle();
    BOOST_TEST(waits.get().value() == "later");
}

LIFEGUARD_TEST(concurrent_waits_are_served_in_the_order_of_their_calls) {
    broadcast<std::string> bus;
    auto a = bus.subscribe();
    auto first = ctx.spawn(a.next());
    ctx.settle();
    auto second = ctx.spawn(a.next());
    ctx.settle();
    bus.publish("1");
    bus.publish("2");
    bus.publish("3");
    ctx.settle();
    BOOST_TEST(first.get().value() == "1");
    BOOST_TEST(second.get().value() == "2");
    CHECK_WORDS(taken(a), "3");
}

LIFEGUARD_TEST(closing_ends_the_waits_after_what_has_been_published) {
    broadcast<std::string> bus;
    auto waits_for = bus.subscribe(), has = bus.subscribe();
    auto waits = ctx.spawn(waits_for.next());
    ctx.settle();
    bus.publish("last");
    ctx.settle();
    BOOST_TEST(waits.get().value() == "last");
    auto ends = ctx.spawn(waits_for.next());
    ctx.settle();
    bus.close();
    bus.publish("too late");
    ctx.settle();
    BOOST_TEST_REQUIRE(ends.ready());
    BOOST_TEST(!ends.get().has_value());
    CHECK_WORDS(ctx.await(take(has, 10)), "last");
    auto late = bus.subscribe();
    BOOST_TEST(!ctx.await(late.next()).has_value());
}

LIFEGUARD_TEST(the_end_of_the_broadcast_closes_it) {
    auto bus = std::make_unique<broadcast<std::string>>();
    auto a = bus->subscribe();
    auto callback = bus->on_event([](const std::string&) {});
    auto waits = ctx.spawn(a.next());
    ctx.settle();
    bus.reset();
    ctx.settle();
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(!waits.get().has_value());
    BOOST_TEST(!a.try_next().has_value());
}

LIFEGUARD_TEST(the_end_of_the_subscription_ends_its_waits) {
    broadcast<std::string> bus;
    std::optional<word_subscription> a(bus.subscribe());
    auto waits = ctx.spawn(a->next());
    auto not_begun = a->next();
    ctx.settle();
    a.reset();
    ctx.settle();
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(!waits.get().has_value());
    BOOST_TEST(!ctx.await(std::move(not_begun)).has_value());
}

LIFEGUARD_TEST(a_subscription_can_be_moved_while_somebody_waits) {
    broadcast<std::string> bus;
    auto a = bus.subscribe();
    auto waits = ctx.spawn(a.next());
    ctx.settle();
    auto b = std::move(a);
    bus.publish("1");
    ctx.settle();
    BOOST_TEST(waits.get().value() == "1");
    auto c = bus.subscribe();
    BOOST_TEST(bus.subscribers() == 2u);
    b = std::move(c); // the former ends
    BOOST_TEST(bus.subscribers() == 1u);
    bus.publish("2");
    CHECK_WORDS(taken(b), "2");
}

LIFEGUARD_TEST(a_cancelled_wait_loses_no_event) {
    broadcast<std::string> bus;
    auto a = bus.subscribe();
    auto waits = ctx.spawn(a.next());
    ctx.settle();
    waits.cancel();
    ctx.settle();
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(waits.error() == asio::error::operation_aborted);
    bus.publish("1");
    BOOST_TEST(ctx.await(a.next()).value() == "1");
}

LIFEGUARD_TEST(every_type_of_cancellation_that_the_coroutine_lets_through_ends_a_wait) {
    broadcast<std::string> bus;
    auto a = bus.subscribe();
    for (const auto type : {asio::cancellation_type::total, asio::cancellation_type::partial,
                            asio::cancellation_type::terminal}) {
        auto waits = ctx.spawn([&]() -> asio::awaitable<void> {
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            co_await a.next();
        });
        ctx.settle();
        waits.cancel(type);
        ctx.settle();
        BOOST_TEST_REQUIRE(waits.ready());
        BOOST_TEST(waits.error() == asio::error::operation_aborted);
    }
}

LIFEGUARD_TEST(a_wait_can_be_cancelled_again_after_it_was_served) {
    broadcast<std::string> bus;
    auto a = bus.subscribe();
    auto waits = ctx.spawn(take(a, 3));
    ctx.settle();
    bus.publish("1");
    ctx.settle();
    waits.cancel();
    ctx.settle();
    BOOST_TEST_REQUIRE(waits.ready());
    BOOST_TEST(waits.error() == asio::error::operation_aborted);
    // One that is cancelled when it does not wait any more is not disturbed.
    auto done = ctx.spawn(take(a, 1));
    ctx.settle();
    bus.publish("2");
    ctx.settle();
    done.cancel();
    ctx.settle();
    CHECK_WORDS(done.get(), "2");
}

LIFEGUARD_TEST(an_event_and_a_cancellation_at_once_end_in_one_of_the_two) {
    broadcast<std::string> bus;
    int served = 0, cancelled = 0;
    for (int round = 0; round < 100; ++round) {
        auto a = bus.subscribe();
        auto waits = ctx.spawn(a.next());
        ctx.settle();
        waits.cancel(); // posted; with two threads it races with the publication
        asio::post(ctx.io, [&] { bus.publish("x"); });
        ctx.settle();
        BOOST_TEST_REQUIRE(waits.ready());
        const bool got_it = !waits.error();
        ++(got_it ? served : cancelled);
        BOOST_TEST_REQUIRE(a.try_next().has_value() != got_it);
    }
    BOOST_TEST(served + cancelled == 100);
}

LIFEGUARD_TEST(a_queue_without_room_is_refused) {
    broadcast<std::string> bus;
    BOOST_TEST(test::thrown_by([&] { bus.subscribe(holding(0)); }).code == errc::invalid_option);
    BOOST_TEST(bus.subscribers() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
