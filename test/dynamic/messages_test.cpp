#include "dynamic/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(messages)

namespace {

/// Workers that hold a sum: call and cast add to it.
void adds_up(rig& r) {
    r.options.rhythm.interval = 0s;
    r.behaviour.call = [](const std::string&, const json& message, const json& payload) {
        const int sum = payload.get<int>() + message.get<int>();
        return worker_reply(sum, worker_outcome::replace(sum));
    };
    r.behaviour.cast = [](const std::string&, const json& message, const json& payload) {
        return worker_outcome::replace(payload.get<int>() + message.get<int>());
    };
}

/// Workers whose calls and casts wait at a gate.
void waits_at(rig& r, const gate& g) {
    r.options.rhythm.interval = 0s;
    r.behaviour.call = [&r, g](const std::string& id, json message,
                               const json&) -> asio::awaitable<json> {
        r.notes.add(id + " " + message.dump());
        co_await g.pass();
        co_return message;
    };
    r.behaviour.cast = [&r, g](const std::string& id, json message,
                               const json&) -> asio::awaitable<void> {
        r.notes.add(id + " " + message.dump());
        co_await g.pass();
    };
}

int sum_of(const rig& r) {
    int sum = 0;
    const dynamic_workers_state state = r.workers->state();
    for (const auto& [id, info] : state.workers)
        sum += info.value.is_null() ? 0 : info.value.get<int>();
    return sum;
}

} // namespace

LIFEGUARD_TEST(DYN_10_unknown_ids_are_an_error_and_create_nobody) {
    rig r(ctx);
    adds_up(r);
    r.run();
    BOOST_TEST((r.call_error("a", 1) == errc::not_found));
    BOOST_TEST((r.cast_error("a", 1) == errc::not_found));
    BOOST_TEST(r.payloads() == "");
    r.put("a", 1);
    BOOST_TEST(r.call("a", 2) == 3);
    BOOST_TEST((r.cast_error("a", 4) == errc{}));
    ctx.settle();
    BOOST_TEST(r.values() == "a=7");
    r.del("a");
    BOOST_TEST((r.call_error("a", 1) == errc::not_found));
    BOOST_TEST((r.cast_error("a", 1) == errc::not_found));
}

LIFEGUARD_TEST(DYN_15_calls_without_an_id_go_to_a_free_worker) {
    rig r(ctx);
    adds_up(r);
    r.behaviour.children_specs = [] {
        std::map<std::string, worker_spec> specs;
        for (const char* id : {"a", "b", "c"})
            specs.emplace(id, 0);
        return specs;
    };
    r.run();
    for (const int n : {1, 1, 3})
        ctx.await(r.workers->call_any(n));
    BOOST_TEST(sum_of(r) == 5);
    for (const std::string& id : r.workers->ids()) // each in turn
        BOOST_TEST(!r.workers->get(id)->value.is_null(), id);
    std::vector<test_future<void>> casts;
    for (int n = 1; n <= 5; ++n)
        casts.push_back(ctx.spawn([&r, n]() -> asio::awaitable<void> {
            r.workers->cast_any(n);
            co_return;
        }));
    ctx.settle();
    for (auto& c : casts)
        BOOST_CHECK_NO_THROW(c.get()); // accepted
    BOOST_TEST(sum_of(r) == 20);
}

LIFEGUARD_TEST(DYN_15_free_worker_is_preferred_to_a_busy_one) {
    const gate g;
    rig r(ctx);
    waits_at(r, g);
    r.run();
    BOOST_TEST((thrown_by([&] { ctx.await(r.workers->call_any(1)); }).code == errc::not_found));
    r.put("a");
    r.put("b");
    r.workers->cast("a", "busy");
    ctx.settle();
    BOOST_TEST(r.notes.take() == "a \"busy\"");
    auto first = ctx.spawn(r.workers->call_any(1));
    ctx.settle();
    BOOST_TEST(r.notes.take() == "b 1");
    auto second = ctx.spawn(r.workers->call_any(2)); // all are busy: it waits for one
    ctx.settle();
    BOOST_TEST(r.notes.take() == "");
    g.open();
    ctx.settle();
    BOOST_TEST(first.get() == 1);
    BOOST_TEST(second.get() == 2);
}

LIFEGUARD_TEST(performs_calls_and_casts_of_one_worker_never_overlap) {
    std::map<std::string, std::atomic<int>> inside;
    for (const char* id : {"a", "b"})
        inside[id] = 0;
    std::atomic<int> done = 0;
    const auto busy = [&](const std::string& id, duration d) -> asio::awaitable<void> {
        ctx.check(++inside.at(id) == 1, "one thing at a time");
        co_await nap(ctx.time, d);
        --inside.at(id);
        ++done;
    };
    rig r(ctx);
    r.behaviour.perform = [&](const std::string& id, const json&) { return busy(id, 70ms); };
    r.behaviour.cast = [&](const std::string& id, const json&, const json&) {
        return busy(id, 30ms);
    };
    r.behaviour.call = [&](const std::string& id, const json&,
                           const json&) -> asio::awaitable<worker_reply> {
        co_await busy(id, 50ms);
        co_return worker_reply();
    };
    r.run();
    std::vector<test_future<json>> calls;
    for (const char* id : {"a", "b"}) {
        r.put(id, 0, each(100ms));
        for (int i = 0; i < 10; ++i) {
            r.workers->cast(id, i);
            calls.push_back(ctx.spawn(r.workers->call(id, i, {.timeout = 1h})));
        }
    }
    ctx.advance(30s);
    for (auto& c : calls)
        BOOST_TEST(c.ready());
    // Neither starves: performs come in between.
    BOOST_TEST(r.workers->get("a")->performs > 100U);
    r.del("a");
    r.del("b");
    BOOST_TEST(done > 40 + 200);
}

LIFEGUARD_TEST(call_throws_to_its_caller_and_crashes_the_worker) {
    rig r(ctx);
    adds_up(r);
    r.run();
    r.put("a", 5);
    r.call("a", 1);
    auto bad = ctx.spawn(r.workers->call("a", "no number"));
    auto good = ctx.spawn(r.workers->call("a", 1));
    ctx.settle();
    BOOST_CHECK_THROW(bad.get(), json::type_error);
    const json answer = good.get(); // those behind it are not lost
    BOOST_TEST((answer == 6 || answer == 7), answer.dump());
    BOOST_TEST(r.incarnations() == "a#2");
    BOOST_TEST(r.workers->state().crashes_total == 1U);
}

LIFEGUARD_TEST(caller_hears_of_a_worker_that_goes_before_it_answers) {
    const gate g;
    rig r(ctx);
    waits_at(r, g);
    r.run();
    r.put("a");
    auto running = ctx.spawn(r.workers->call("a", 1, {.timeout = 1h}));
    ctx.settle();
    auto waiting = ctx.spawn(r.workers->call("a", 2, {.timeout = 1h}));
    ctx.settle();
    r.workers->cast("a", 3);
    BOOST_TEST(r.workers->get("a")->waiting == 2U);
    r.del("a");
    BOOST_TEST((running.error() == errc::stopped));
    BOOST_TEST((waiting.error() == errc::not_found));
    BOOST_TEST(r.workers->state().casts_dropped_total == 1U);
    BOOST_TEST(r.notes.take() == "a 1");
}

LIFEGUARD_TEST(messages_are_for_the_id_so_a_replacement_gets_those_that_wait) {
    const gate g;
    rig r(ctx);
    waits_at(r, g);
    r.run();
    r.put("a");
    r.workers->cast("a", 1);
    ctx.settle();
    auto waiting = ctx.spawn(r.workers->call("a", 2, {.timeout = 1h}));
    ctx.settle();
    g.open(); // for the next one
    r.put("a", "new");
    ctx.settle();
    BOOST_TEST(waiting.get() == 2);
}

LIFEGUARD_TEST(call_waits_as_long_as_it_says) {
    const gate g;
    rig r(ctx);
    waits_at(r, g);
    r.run();
    r.put("a");
    auto usual = ctx.spawn(r.workers->call("a", 1));
    auto longer = ctx.spawn(r.workers->call("a", 2, {.timeout = 7s}));
    ctx.advance(5s - 1ms);
    BOOST_TEST(!usual.ready());
    ctx.advance(1ms);
    BOOST_TEST((usual.error() == errc::timeout));
    BOOST_TEST(!longer.ready());
    ctx.advance(2s);
    BOOST_TEST((longer.error() == errc::timeout));
    r.notes.take();
    g.open();
    ctx.settle();
    BOOST_TEST(r.notes.take() == ""); // the one that waited was withdrawn
    BOOST_TEST(r.call("a", 3) == 3);
    BOOST_TEST(r.incarnations() == "a#1");
}

LIFEGUARD_TEST(call_that_is_cancelled_is_withdrawn) {
    const gate g;
    rig r(ctx);
    waits_at(r, g);
    r.run();
    r.put("a");
    r.workers->cast("a", 1);
    ctx.settle();
    auto waiting = ctx.spawn(r.workers->call("a", 2));
    ctx.settle();
    waiting.cancel(asio::cancellation_type::terminal);
    ctx.settle();
    BOOST_TEST(waiting.ready());
    g.open();
    ctx.settle();
    BOOST_TEST(r.notes.take() == "a 1");
    BOOST_TEST(ctx.time->alarms() == 0U);
}

LIFEGUARD_TEST(mailbox_is_bounded) {
    const gate g;
    rig r(ctx);
    r.options.mailbox_max = 3;
    waits_at(r, g);
    r.run();
    r.put("a");
    r.workers->cast("a", 0);
    ctx.settle();
    auto gone = ctx.spawn(r.workers->call("a", 1, {.timeout = 1s}));
    ctx.settle();
    r.workers->cast("a", 2);
    r.workers->cast("a", 3);
    const auto refused = thrown_by([&] { r.workers->cast("a", 4); });
    BOOST_TEST((refused.code == errc::limit_reached));
    BOOST_TEST(refused.text.find("mailbox_max") != std::string::npos, refused.text);
    BOOST_TEST((r.call_error("a", 4) == errc::limit_reached));
    BOOST_TEST((thrown_by([&] { r.workers->cast_any(4); }).code == errc::limit_reached));
    ctx.advance(1s);
    BOOST_TEST((gone.error() == errc::timeout));
    r.workers->cast("a", 5); // in its place
    BOOST_TEST((r.cast_error("a", 6) == errc::limit_reached));
    g.open();
    ctx.settle();
    BOOST_TEST(r.notes.take() == "a 0, a 2, a 3, a 5");
}

LIFEGUARD_TEST(behaviour_without_call_or_cast_says_so) {
    rig r(ctx);
    r.run();
    r.put("a");
    BOOST_TEST((r.call_error("a", 1) == errc::unsupported));
    BOOST_TEST((r.cast_error("a", 1) == errc::unsupported));
}

LIFEGUARD_TEST(call_may_halt_the_worker_and_change_its_rhythm) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string&, const json&) { r.notes.add("performed"); };
    r.behaviour.call = [](const std::string&, const json& message, const json&) {
        if (message == "halt")
            return worker_reply("bye", worker_outcome::halt());
        return worker_reply("ok", worker_outcome().every(100ms));
    };
    r.run();
    r.put("a", 0, each(0ms));
    ctx.advance(1s);
    BOOST_TEST(r.call("a", "wake up") == "ok");
    ctx.advance(250ms);
    BOOST_TEST(r.notes.take() == "performed, performed");
    BOOST_TEST(r.call("a", "halt") == "bye");
    BOOST_TEST(r.payloads() == "");
    ctx.advance(1s);
    BOOST_TEST(r.notes.take() == "");
}

LIFEGUARD_TEST(worker_that_casts_to_itself_does_not_keep_the_thread) {
    rig r(ctx);
    r.options.rhythm.interval = 0s;
    r.behaviour.cast = [&](const std::string& id, const json& message, const json&) {
        if (message.get<int>() < 100'000)
            r.workers->cast(id, message.get<int>() + 1);
    };
    r.run();
    r.put("a");
    r.workers->cast("a", 0);
    const std::size_t turns = 100;
    for (std::size_t i = 0; i < turns; ++i)
        ctx.io.poll_one();
    ctx.io.restart();
    BOOST_TEST(r.del("a")); // it can be stopped in the middle
    BOOST_TEST(r.workers->state().casts_dropped_total <= 1U);
}

BOOST_AUTO_TEST_SUITE_END()
