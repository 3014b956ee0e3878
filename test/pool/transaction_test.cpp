// Transactions: what becomes of the resource when the body ends, however it does.
#include "pool/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

resource_pool_options recycling(unsigned size) {
    resource_pool_options options = pool_of(size, 0);
    options.body_failed = after_use::recycle;
    return options;
}

} // namespace

BOOST_AUTO_TEST_SUITE(transactions)

LIFEGUARD_TEST(answers_what_the_body_answers) {
    rig r(ctx, pool_of(1, 0));
    auto number = [](machine& m) -> asio::awaitable<int> { co_return m.number; };
    BOOST_TEST(ctx.await(r.pool.transaction(number)) == 1);
    int seen = 0;
    auto look = [&](machine& m) -> asio::awaitable<void> {
        seen = m.number;
        co_return;
    };
    ctx.await(r.pool.transaction(look));
    BOOST_TEST(seen == 1);
    BOOST_TEST(ctx.await(r.pool.transaction([](machine& m) -> asio::awaitable<std::string> {
        co_return std::to_string(m.number);
    })) == "1");
    BOOST_TEST(r.status() == "ready 1 0 0");
}

LIFEGUARD_TEST(POOL_11_exception_of_the_body_reaches_the_caller) {
    rig r(ctx, pool_of(2, 0));
    std::size_t idle = 0;
    auto body = [&](machine&) -> asio::awaitable<void> {
        idle = r.idle();
        throw std::runtime_error("x");
        co_return;
    };
    BOOST_CHECK_EXCEPTION(ctx.await(r.pool.transaction(body)), std::runtime_error,
                          [](const std::exception& e) { return e.what() == std::string("x"); });
    BOOST_TEST(idle == 1U);
    BOOST_TEST(r.status() == "ready 2 0 0");
    BOOST_TEST(r.started.load() == 2);
}

LIFEGUARD_TEST(POOL_18_checkout_of_a_transaction_times_out) {
    rig r(ctx, pool_of(1, 0));
    auto held = r.take();
    const int number = held->number;
    bool ran = false;
    auto body = [&](machine&) -> asio::awaitable<void> {
        ran = true;
        co_return;
    };
    auto late = ctx.spawn(r.pool.transaction(body, {.checkout_timeout = 50ms}));
    ctx.advance(50ms);
    BOOST_TEST((late.error() == errc::timeout));
    BOOST_TEST(!ran);
    ctx.advance(50ms);
    r.give(held);
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.take()->number == number);
}

LIFEGUARD_TEST(POOL_19_body_that_throws_recycles_when_told_so) {
    rig r(ctx, recycling(1));
    auto body = [](machine&) -> asio::awaitable<void> {
        throw std::runtime_error("x");
        co_return;
    };
    BOOST_CHECK_THROW(ctx.await(r.pool.transaction(body)), std::runtime_error);
    ctx.settle();
    BOOST_TEST(r.stops() == std::vector<std::string>{"1 error(its user threw)"},
               boost::test_tools::per_element());
    BOOST_TEST(r.started.load() == 2);
    BOOST_TEST(r.take()->number == 2);
    r.stop();
    BOOST_TEST(r.stops().back() == "2 shutdown");
}

LIFEGUARD_TEST(POOL_20_cancelled_holder_recycles) {
    rig r(ctx, pool_of(1, 0));
    gate door;
    auto body = [&](machine&) -> asio::awaitable<void> { co_await door.pass(); };
    auto busy = ctx.spawn(r.pool.transaction(body));
    ctx.settle();
    BOOST_TEST(r.status() == "full 0 0 1");
    busy.cancel();
    ctx.settle();
    BOOST_TEST((busy.error() == asio::error::operation_aborted));
    BOOST_TEST(r.stops() == std::vector<std::string>{"1 error(its user has gone)"},
               boost::test_tools::per_element());
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.started.load() == 2);
}

LIFEGUARD_TEST(POOL_20_reuse_policy_spares_it) {
    resource_pool_options options = pool_of(1, 0);
    options.holder_gone = after_use::reuse;
    rig r(ctx, options);
    gate door;
    auto body = [&](machine&) -> asio::awaitable<void> { co_await door.pass(); };
    auto busy = ctx.spawn(r.pool.transaction(body));
    ctx.settle();
    busy.cancel();
    ctx.settle();
    BOOST_TEST(r.stops().empty());
    BOOST_TEST(r.take()->number == 1);
}

LIFEGUARD_TEST(POOL_20_destroyed_holder_recycles) {
    rig r(ctx, pool_of(1, 0));
    std::vector<detail::resumption> parked;
    auto keep = [&](detail::resumption resume) { parked.push_back(std::move(resume)); };
    auto body = [&](machine&) -> asio::awaitable<void> { co_await detail::suspend(keep); };
    auto busy = ctx.spawn(r.pool.transaction(body));
    ctx.settle();
    BOOST_TEST(r.status() == "full 0 0 1");
    parked.clear(); // destroys the frames
    ctx.settle();
    BOOST_TEST(!busy.ready());
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.started.load() == 2);
    ctx.expect_leftovers(); // the coroutine that will never end
}

LIFEGUARD_TEST(body_that_takes_too_long_is_cancelled_and_its_resource_recycled) {
    rig r(ctx, pool_of(1, 0));
    gate door;
    auto body = [&](machine&) -> asio::awaitable<int> {
        co_await door.pass();
        co_return 1;
    };
    auto late = ctx.spawn(r.pool.transaction(body, {.body_timeout = 100ms}));
    ctx.advance(99ms);
    BOOST_TEST(!late.ready());
    ctx.advance(1ms);
    BOOST_TEST((late.error() == errc::timeout));
    BOOST_TEST(r.stops().size() == 1U);
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.started.load() == 2);
}

LIFEGUARD_TEST(body_within_its_time_is_as_any_other) {
    rig r(ctx, pool_of(1, 0));
    auto number = [](machine& m) -> asio::awaitable<int> { co_return m.number; };
    BOOST_TEST(ctx.await(r.pool.transaction(number, {.body_timeout = 1s})) == 1);
    auto throws = [](machine&) -> asio::awaitable<int> {
        throw std::runtime_error("x");
        co_return 1;
    };
    BOOST_CHECK_THROW(ctx.await(r.pool.transaction(throws, {.body_timeout = 1s})),
                      std::runtime_error);
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.started.load() == 1);
}

LIFEGUARD_TEST(deaf_body_is_left_to_itself_and_its_resource_kept_for_it) {
    rig r(ctx, pool_of(1, 0));
    gate door;
    int number = 0;
    auto body = [&](machine& m) -> asio::awaitable<void> {
        co_await door.pass_deaf();
        number = m.number;
    };
    auto late = ctx.spawn(r.pool.transaction(body, {.body_timeout = 100ms}));
    ctx.advance(2099ms);
    BOOST_TEST(!late.ready());
    ctx.advance(1ms);
    BOOST_TEST((late.error() == errc::timeout));
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.started.load() == 2);
    door.open();
    ctx.settle();
    BOOST_TEST(number == 1);
}

LIFEGUARD_TEST(cancelled_caller_of_a_bounded_body_cancels_it) {
    rig r(ctx, pool_of(1, 0));
    gate door;
    auto body = [&](machine&) -> asio::awaitable<void> { co_await door.pass(); };
    auto busy = ctx.spawn(r.pool.transaction(body, {.body_timeout = 1h}));
    ctx.settle();
    busy.cancel();
    ctx.settle();
    BOOST_TEST((busy.error() == asio::error::operation_aborted));
    BOOST_TEST(r.status() == "ready 1 0 0");
    BOOST_TEST(r.started.load() == 2);
}

BOOST_AUTO_TEST_SUITE_END()
