// The circuit breaker with a clock, a lock and coroutines.
#include "support/errors.hpp"
#include "support/gate.hpp"
#include "support/test_context.hpp"
#include <lifeguard/exit_reason.hpp>
#include <lifeguard/shared_breaker.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

breaker_options with(unsigned threshold) {
    breaker_options o;
    o.threshold = threshold;
    return o;
}

struct excluded_error : std::runtime_error {
    using runtime_error::runtime_error;
};

breaker_verdict judge_excluded(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const excluded_error&) {
        return breaker_verdict::excluded;
    } catch (...) {
        return breaker_verdict::failure;
    }
}

asio::awaitable<int> one() { co_return 1; }
asio::awaitable<int> fails() {
    throw std::runtime_error("disk full");
    co_return 0;
}
asio::awaitable<int> excluded() {
    throw excluded_error("not counted");
    co_return 0;
}

/// A breaker in a test's time, and calls of it.
struct bench {
    explicit bench(test_context& context, breaker_options options = breaker_options(),
                   breaker_judge judge = nullptr)
        : ctx(context), breaker("mail", options, std::move(judge), context.time) {}

    test_future<int> call(std::function<asio::awaitable<int>()> f) {
        auto future = ctx.spawn(breaker.call(f));
        ctx.settle();
        return future;
    }
    void fail(int times) {
        for (int i = 0; i < times; ++i)
            call(fails);
    }
    std::string state() const { return std::string(name_of(breaker.status().state)); }
    breaker_counts counts() const { return breaker.status().counts; }

    test_context& ctx;
    shared_breaker breaker;
};

} // namespace

BOOST_AUTO_TEST_SUITE(shared_breakers)

LIFEGUARD_TEST(BRK_01_new_breaker_arms_no_timer_and_tells_nothing) {
    bench b(ctx);
    auto changes = b.breaker.changes().subscribe();
    ctx.settle();
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.counts().requests == 0U);
    BOOST_TEST(ctx.time->alarms() == 0U);
    BOOST_TEST(!changes.try_next().has_value());
}

LIFEGUARD_TEST(BRK_02_rejected_call_does_not_run) {
    bench b(ctx);
    b.fail(5);
    BOOST_TEST(b.state() == "open");
    int ran = 0;
    const auto rejected = b.call([&]() -> asio::awaitable<int> {
        ++ran;
        co_return 1;
    });
    BOOST_TEST((rejected.error() == errc::breaker_open));
    BOOST_TEST(ran == 0);
    BOOST_TEST(b.counts().rejected == 1U);
    BOOST_TEST(ctx.time->alarms() == 0U);
}

LIFEGUARD_TEST(BRK_05_rejection_carries_its_cause) {
    bench b(ctx);
    b.fail(5);
    const time_point opened = ctx.time->now();
    ctx.advance(1ms);
    for (int asked = 0; asked < 100; ++asked) {
        const auto rejected = b.call(one);
        try {
            std::rethrow_exception(rejected.exception());
        } catch (const breaker_open_error& e) {
            BOOST_TEST(e.name == "mail");
            BOOST_TEST((e.open_since == opened));
            BOOST_TEST((e.retry_after == 9999ms));
            BOOST_TEST(describe(e.cause) == "disk full");
        }
    }
}

// A function that calls itself through its own breaker gets rejections of it as errors.
LIFEGUARD_TEST(BRK_05_cause_is_not_nested_by_a_call_within_a_call) {
    bench b(ctx, with(1));
    b.fail(1);
    for (int round = 0; round < 3; ++round) {
        ctx.advance(10s);
        BOOST_TEST((b.call([&] { return b.breaker.call(one); }).error() == errc::breaker_open));
    }
    ctx.advance(10s);
    b.call([&] { return b.breaker.call(one); });
    BOOST_TEST(b.state() == "half_open");
    b.breaker.trip();
    try {
        b.breaker.acquire();
        BOOST_TEST(false);
    } catch (const breaker_open_error& e) {
        BOOST_TEST(describe(e.cause) == "disk full");
    }
}

LIFEGUARD_TEST(BRK_06_to_09_open_half_open_and_what_the_probe_decides) {
    bench b(ctx);
    const gate door;
    b.fail(5);
    ctx.advance(9999ms);
    BOOST_TEST((b.call(one).error() == errc::breaker_open));
    ctx.advance(1ms);
    auto probe = b.call([&]() -> asio::awaitable<int> {
        co_await door.pass();
        throw std::runtime_error("still full");
    });
    BOOST_TEST(b.state() == "half_open");
    BOOST_TEST((b.call(one).error() == errc::breaker_open)); // one probe at a time
    BOOST_TEST(b.state() == "half_open");
    door.open();
    ctx.settle();
    BOOST_TEST(describe(probe.exception()) == "still full");
    BOOST_TEST(b.state() == "open");
    ctx.advance(10s);
    BOOST_TEST(b.call(one).get() == 1);
    BOOST_TEST(b.state() == "closed");
}

LIFEGUARD_TEST(BRK_11_error_reaches_the_caller_unchanged_and_counts) {
    bench b(ctx);
    const auto failed = b.call(fails);
    try {
        std::rethrow_exception(failed.exception());
    } catch (const std::runtime_error& e) {
        BOOST_TEST((typeid(e) == typeid(std::runtime_error)));
        BOOST_TEST(std::string(e.what()) == "disk full");
    }
    BOOST_TEST(b.counts().failures == 1U);
}

LIFEGUARD_TEST(BRK_11_result_that_means_failure_counts_too) {
    bench b(ctx, with(2));
    const auto is_bad = [](int status) { return status >= 500; };
    const auto answer = [](int status) {
        return [status]() -> asio::awaitable<int> { co_return status; };
    };
    BOOST_TEST(ctx.await(b.breaker.call(answer(200), is_bad)) == 200);
    BOOST_TEST(ctx.await(b.breaker.call(answer(500), is_bad)) == 500);
    BOOST_TEST(b.counts().successes == 1U);
    BOOST_TEST(b.counts().failures == 1U);
    BOOST_TEST(ctx.await(b.breaker.call(answer(503), is_bad)) == 503);
    BOOST_TEST(b.state() == "open");
}

LIFEGUARD_TEST(BRK_11_judge_that_calls_everything_a_success_never_opens) {
    bench b(ctx, with(1), [](const std::exception_ptr&) { return breaker_verdict::success; });
    for (int i = 0; i < 20; ++i)
        BOOST_TEST(describe(b.call(fails).exception()) == "disk full");
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.counts().successes == 20U);
}

LIFEGUARD_TEST(BRK_12_excluded_errors_reach_the_caller_and_are_told_apart) {
    bench b(ctx, breaker_options(), judge_excluded);
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(describe(b.call(excluded).exception()) == "not counted");
        BOOST_TEST(b.call(one).get() == 1);
    }
    b.fail(2);
    const breaker_counts counts = b.counts();
    BOOST_TEST(counts.requests == 8U);
    BOOST_TEST(counts.excluded == 3U);
    BOOST_TEST(counts.successes == 3U);
    BOOST_TEST(counts.failures == 2U);
}

LIFEGUARD_TEST(BRK_13_forced_open_whatever_comes_late) {
    bench b(ctx);
    const gate door;
    auto early = b.call([&]() -> asio::awaitable<int> {
        co_await door.pass();
        co_return 7;
    });
    b.breaker.force_open();
    ctx.advance(1h);
    BOOST_TEST((b.call(one).error() == errc::breaker_open));
    door.open();
    ctx.settle();
    BOOST_TEST(early.get() == 7);
    BOOST_TEST(b.state() == "forced_open");
    b.breaker.enable();
    BOOST_TEST(b.call(one).get() == 1);
}

LIFEGUARD_TEST(BRK_16_changes_are_told_in_order_with_names) {
    bench b(ctx);
    std::vector<std::string> told;
    const auto listens = b.breaker.changes().on_event([&](const breaker_change& c) {
        told.push_back(c.name + ": " + std::string(name_of(c.from)) + " -> " +
                       std::string(name_of(c.to)));
        b.breaker.status(); // a callback may use the breaker
    });
    b.fail(5);
    b.breaker.trip(); // it is open
    ctx.advance(10s);
    b.call(one);
    const std::vector<std::string> expected{"mail: closed -> open", "mail: open -> half_open",
                                            "mail: half_open -> closed"};
    BOOST_TEST(told == expected, boost::test_tools::per_element());
}

LIFEGUARD_TEST(BRK_16_callback_that_changes_the_breaker_is_told_of_it_afterwards) {
    bench b(ctx, with(1));
    std::vector<std::string> told;
    const auto listens = b.breaker.changes().on_event([&](const breaker_change& c) {
        told.emplace_back(name_of(c.to));
        if (c.to == breaker_state::open)
            b.breaker.force_open();
    });
    b.fail(1);
    const std::vector<std::string> expected{"open", "forced_open"};
    BOOST_TEST(told == expected, boost::test_tools::per_element());
}

LIFEGUARD_TEST(BRK_19_removed_and_installed_again_it_is_new) {
    breaker_registry registry(ctx.time);
    shared_breaker first = registry.install("mail", with(2));
    for (int i = 0; i < 2; ++i)
        first.acquire().failure();
    BOOST_TEST((registry.find("mail").status().state == breaker_state::open));
    BOOST_TEST((thrown_by([&] { registry.install("mail"); }).code == errc::duplicate_id));
    registry.remove("mail");
    BOOST_TEST((thrown_by([&] { registry.find("mail"); }).code == errc::not_found));
    BOOST_TEST((thrown_by([&] { registry.remove("mail"); }).code == errc::not_found));
    registry.install("mail", with(2));
    const std::vector<breaker_status> all = registry.status();
    BOOST_REQUIRE(all.size() == 1U);
    BOOST_TEST((all[0].state == breaker_state::closed));
    BOOST_TEST(all[0].counts.requests == 0U);
    BOOST_TEST(all[0].counts.failures == 0U);
    BOOST_TEST((first.status().state == breaker_state::open)); // its holder's
}

LIFEGUARD_TEST(BRK_20_counts_are_exact_with_many_callers, *boost::unit_test::label("scale")) {
    bench b(ctx, breaker_options(), judge_excluded);
    const auto caller = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 5000; ++i) {
            co_await b.breaker.call(one);
            try {
                co_await b.breaker.call(excluded);
            } catch (const excluded_error&) {
            }
            if (i % 100 == 0)
                co_await asio::post(asio::use_awaitable);
        }
    };
    std::vector<test_future<void>> callers;
    for (int i = 0; i < 10; ++i)
        callers.push_back(ctx.spawn(caller));
    ctx.settle();
    for (const auto& c : callers)
        BOOST_TEST(c.ready());
    BOOST_TEST(b.counts().requests == 100'000U);
    BOOST_TEST(b.counts().successes == 50'000U);
    BOOST_TEST(b.counts().excluded == 50'000U);
}

LIFEGUARD_TEST(BRK_25_cancelled_before_admission_nothing_runs_and_nothing_counts) {
    bench b(ctx, with(1));
    const gate door;
    int ran = 0;
    const auto body = [&]() -> asio::awaitable<int> {
        ++ran;
        co_return 1;
    };
    const auto late = [&]() -> asio::awaitable<int> {
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await door.pass_deaf();
        co_return co_await b.breaker.call(body);
    };
    for (const char* state : {"closed", "open"}) { // when it is both, cancelled wins
        auto call = ctx.spawn(late);
        ctx.settle();
        call.cancel();
        ctx.settle();
        door.admit();
        ctx.settle();
        BOOST_TEST((call.error() == asio::error::operation_aborted));
        BOOST_TEST(ran == 0);
        BOOST_TEST(b.state() == state);
        BOOST_TEST(b.counts().requests == (b.state() == "open" ? 1U : 0U));
        BOOST_TEST(b.counts().rejected == 0U);
        b.fail(1);
    }
}

LIFEGUARD_TEST(BRK_25_cancelled_while_it_runs_is_excluded) {
    bench b(ctx, with(1));
    const gate door;
    const auto waits = [&]() -> asio::awaitable<int> {
        co_await door.pass();
        co_return 1;
    };
    auto call = b.call(waits);
    call.cancel();
    ctx.settle();
    BOOST_TEST((call.error() == asio::error::operation_aborted));
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.counts().excluded == 1U);

    // A probe gives its place back.
    b.fail(1);
    ctx.advance(10s);
    auto probe = b.call(waits);
    probe.cancel();
    ctx.settle();
    BOOST_TEST(b.state() == "half_open");
    BOOST_TEST(b.call(one).get() == 1);
    BOOST_TEST(b.state() == "closed");
}

// Nobody on our side cancelled: a socket that a stranger closed says the same.
LIFEGUARD_TEST(BRK_25_abort_that_nobody_asked_for_is_a_failure) {
    bench b(ctx);
    b.call([]() -> asio::awaitable<int> {
        throw boost::system::system_error(asio::error::operation_aborted);
        co_return 0;
    });
    BOOST_TEST(b.counts().failures == 1U);
    BOOST_TEST(b.counts().excluded == 0U);
}

LIFEGUARD_TEST(permit_that_goes_without_an_answer_gives_its_place_back) {
    bench b(ctx, with(1));
    b.fail(1);
    ctx.advance(10s);
    {
        const auto probe = b.breaker.acquire();
        BOOST_TEST(!b.breaker.try_acquire().has_value());
    }
    BOOST_TEST(b.state() == "half_open");
    auto second = b.breaker.try_acquire();
    BOOST_REQUIRE(second.has_value());
    shared_breaker::permit moved(std::move(*second));
    second.reset(); // has nothing to give back any more
    BOOST_TEST(!b.breaker.try_acquire().has_value());
    moved.success();
    moved.failure(); // answered before: nothing
    BOOST_TEST(b.state() == "closed");
    BOOST_TEST(b.counts().failures == 0U);
}

LIFEGUARD_TEST(probe_that_hangs_does_not_wedge_the_breaker) {
    breaker_options options = with(1);
    options.probe_timeout = 5s;
    bench b(ctx, options);
    const gate door;
    b.fail(1);
    ctx.advance(10s);
    auto hangs = b.call([&]() -> asio::awaitable<int> {
        co_await door.pass();
        co_return 1;
    });
    ctx.advance(4999ms);
    BOOST_TEST((b.call(one).error() == errc::breaker_open));
    ctx.advance(1ms);
    BOOST_TEST((b.call(fails).exception() != nullptr)); // the next probe
    BOOST_TEST(b.state() == "open");
    door.open();
    ctx.settle();
    BOOST_TEST(hangs.get() == 1); // and changes nothing
    BOOST_TEST(b.state() == "open");
}

LIFEGUARD_TEST(call_owns_what_it_was_given) {
    bench b(ctx);
    auto future = [&] {
        const std::string text = "twenty characters long, or more";
        const auto work = [text]() -> asio::awaitable<std::string> { co_return text; };
        return ctx.spawn(b.breaker.call(work));
    }();
    ctx.settle();
    BOOST_TEST(future.get() == "twenty characters long, or more");

    const auto nothing = []() -> asio::awaitable<void> { co_return; };
    ctx.await(b.breaker.call(nothing));
    BOOST_TEST(b.counts().successes == 2U);
}

// The spellings that docs/compiler-traps.md calls safe; with g++ 12 others are destroyed twice.
LIFEGUARD_TEST(call_is_safe_within_a_co_await_expression) {
    bench b(ctx);
    const auto caller = [&]() -> asio::awaitable<std::size_t> {
        const std::string text = "twenty characters long, or more";
        const auto named = [text]() -> asio::awaitable<std::string> { co_return text; };
        std::size_t length = (co_await b.breaker.call(named)).size();
        length += (co_await b.breaker.call([&]() -> asio::awaitable<std::string> {
                      co_return text + "!";
                  })).size();
        length += (co_await b.breaker.call(std::ref(named))).size();
        co_return length;
    };
    BOOST_TEST(ctx.await(caller) == 3 * 31 + 1);
}

BOOST_AUTO_TEST_CASE(temporaries_that_own_something_are_refused) {
    const std::string text;
    const auto owns = [text] { return text.size(); };
    const auto refers = [&text] { return text.size(); };
    using owning = decltype(owns);
    using referring = decltype(refers);
    static_assert(!named_or_owns_nothing<owning>);
    static_assert(named_or_owns_nothing<owning&>);
    static_assert(named_or_owns_nothing<referring>);
    static_assert(named_or_owns_nothing<std::reference_wrapper<owning>>);
}

BOOST_AUTO_TEST_SUITE_END()
