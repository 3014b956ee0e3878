#include "dynamic/rig.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(periodic)

LIFEGUARD_TEST(DYN_02_worker_counts_casts_answers_and_halts) {
    rig r(ctx);
    std::map<std::string, std::function<void(std::string)>> peers;
    peers["test"] = [&](std::string text) { r.notes.add(std::move(text)); };
    r.behaviour.children_specs = [] {
        std::map<std::string, worker_spec> specs;
        json payload{{"value", 0}, {"peer", nullptr}};
        specs["foo"] = worker_spec(std::move(payload), each(200ms));
        return specs;
    };
    r.behaviour.perform = [&](const std::string&, json payload) -> worker_outcome {
        if (payload["peer"].is_null())
            return worker_outcome::ok(std::move(payload));
        peers.at(payload["peer"])("pong");
        return worker_outcome::halt();
    };
    r.behaviour.cast = [](const std::string&, const json& message, json payload) {
        if (message == "+")
            payload["value"] = payload["value"].get<int>() + 1;
        else
            payload["peer"] = message["peer"];
        return worker_outcome::ok(std::move(payload));
    };
    r.behaviour.call = [](const std::string& id, const json& message, const json& payload) {
        json reply = json::array({message == "ping" ? "pong" : "what?", id, payload["value"]});
        return reply;
    };
    r.run();
    r.workers->cast("foo", "+");
    ctx.advance(200ms);
    r.workers->cast("foo", "+");
    ctx.settle();
    BOOST_TEST(r.call("foo", "ping") == json::array({"pong", "foo", 2}));
    json peer{{"peer", "test"}};
    r.workers->cast("foo", std::move(peer));
    ctx.settle();
    BOOST_TEST(r.notes.take() == "");
    ctx.advance(200ms);
    BOOST_TEST(r.notes.take() == "pong");
    BOOST_TEST(r.payloads() == "");
    ctx.advance(1s);
    BOOST_TEST(r.notes.take() == "");
}

LIFEGUARD_TEST(DYN_04_perform_sets_the_next_interval) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string&, json payload) {
        r.notes.add("pong");
        const int next = payload.get<int>() * 10;
        return worker_outcome::ok(next).every(std::chrono::milliseconds(next));
    };
    r.run();
    r.put("a", 100, each(100ms));
    const auto pongs_in = [&](duration d) {
        ctx.advance(d);
        return r.notes.take();
    };
    BOOST_TEST(pongs_in(50ms) == "");
    BOOST_TEST(pongs_in(49ms) == "");
    BOOST_TEST(pongs_in(1ms) == "pong");
    BOOST_TEST(pongs_in(300ms) == "");
    BOOST_TEST(pongs_in(699ms) == "");
    BOOST_TEST(pongs_in(1ms) == "pong"); // 1100 ms
    BOOST_TEST((r.workers->get("a")->interval == 10s));
    BOOST_TEST(pongs_in(10s - 1ms) == "");
    BOOST_TEST(pongs_in(1ms) == "pong");
}

LIFEGUARD_TEST(DYN_04_new_interval_stays_until_changed) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string&, const json& payload) {
        r.notes.add("pong");
        return payload == 0 ? worker_outcome::ok(1).every(1s) : worker_outcome();
    };
    r.run();
    r.put("a", 0, each(100ms));
    ctx.advance(100ms);
    r.notes.take();
    for (int i = 0; i < 3; ++i) {
        ctx.advance(999ms);
        BOOST_TEST(r.notes.take() == "");
        ctx.advance(1ms);
        BOOST_TEST(r.notes.take() == "pong");
    }
}

LIFEGUARD_TEST(DYN_07_first_perform_is_at_once_after_so_long_or_after_an_interval) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string& id, const json&) { r.notes.add(id); };
    r.run();
    r.put("at once", {}, {.interval = 1s, .first_perform = 0s});
    BOOST_TEST(r.notes.take() == "at once");
    r.del("at once");
    r.put("after 30 ms", {}, {.interval = 1s, .first_perform = 30ms});
    ctx.advance(29ms);
    BOOST_TEST(r.notes.take() == "");
    ctx.advance(1ms);
    BOOST_TEST(r.notes.take() == "after 30 ms");
    ctx.advance(999ms);
    BOOST_TEST(r.notes.take() == "");
    ctx.advance(1ms); // from then on, the interval
    BOOST_TEST(r.notes.take() == "after 30 ms");
    r.del("after 30 ms");
    r.put("usual");
    ctx.advance(999ms);
    BOOST_TEST(r.notes.take() == "");
    ctx.advance(1ms);
    BOOST_TEST(r.notes.take() == "usual");
}

LIFEGUARD_TEST(DYN_08_without_an_interval_there_are_calls_and_casts_only) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string&, const json&) { r.notes.add("performed"); };
    r.behaviour.call = [](const std::string&, const json& message, const json& payload) {
        const int sum = message.get<int>() + payload.get<int>();
        return worker_reply(sum, worker_outcome::ok(sum));
    };
    r.behaviour.cast = [](const std::string&, const json& message, const json&) {
        return worker_outcome::replace(message);
    };
    r.run();
    for (const auto interval : {0ms, -1ms}) {
        r.put("a", 1, {.interval = interval, .first_perform = 0s});
        ctx.advance(1h);
        BOOST_TEST(r.call("a", 2) == 3);
        r.workers->cast("a", 10);
        ctx.settle();
        BOOST_TEST(r.values() == "a=10");
        BOOST_TEST(r.call("a", 2) == 12);
        ctx.advance(1h);
        BOOST_TEST(r.notes.take() == "");
        BOOST_TEST(ctx.time->alarms() == 0U);
    }
}

LIFEGUARD_TEST(DYN_11_init_builds_the_payload_inside_the_worker) {
    const gate slow;
    rig r(ctx);
    r.behaviour.init = [&](const std::string& id, json payload) -> asio::awaitable<json> {
        r.notes.add("init " + id);
        co_await slow.pass();
        if (payload == "bad")
            throw std::runtime_error("no payload for " + id);
        co_return id + ":" + payload.dump();
    };
    r.behaviour.perform = [](const std::string&, json payload) {
        if (payload == "a:2")
            throw std::runtime_error("boom");
    };
    r.behaviour.call = [](const std::string&, const json&, const json& payload) { return payload; };
    r.run();
    r.put("a", 1, each(1s)); // does not wait for init, and neither does the manager
    BOOST_TEST(r.payloads() == "a=1");
    BOOST_TEST(r.workers->get("a")->busy);
    auto asked = ctx.spawn(r.workers->call("a", "payload?"));
    ctx.advance(3s);
    BOOST_TEST(!asked.ready());
    slow.open();
    ctx.settle();
    BOOST_TEST(asked.get() == "a:1");
    BOOST_TEST(r.payloads() == "a=\"a:1\"");
    BOOST_TEST(r.notes.take() == "init a");
    ctx.advance(5s);
    BOOST_TEST(r.notes.take() == ""); // once per incarnation

    r.put("a", 2, each(1s));
    BOOST_TEST(r.notes.take() == "init a");
    ctx.advance(1s);
    BOOST_TEST(r.notes.take() == "init a"); // of the next one
    BOOST_TEST(r.payloads() == "a=\"a:2\"");
    BOOST_TEST(r.incarnations() == "a#3");
    r.del("a");

    // A failure is the worker's, not the manager's; here again and again, up to the limit.
    ctx.advance(10s);
    r.put("b", "bad", each(1s));
    ctx.settle();
    BOOST_TEST(r.running->ready());
    BOOST_TEST(r.outcome() == "exit_shutdown(intensity_exceeded)");
    BOOST_TEST(r.notes.take() == "init b, init b, init b, init b");
}

LIFEGUARD_TEST(DYN_11_init_takes_nothing_the_payload_or_both) {
    const auto built = [&](auto init) {
        rig r(ctx);
        r.behaviour.init = init;
        r.run();
        r.put("a", 1);
        return r.payloads();
    };
    BOOST_TEST(built([] { return 7; }) == "a=7");
    BOOST_TEST(built([](const json& p) { return p.get<int>() + 1; }) == "a=2");
    BOOST_TEST(built([](const std::string& id, const json& p) { return id + p.dump(); }) ==
               "a=\"a1\"");
    BOOST_TEST(built([]() -> asio::awaitable<json> { co_return "later"; }) == "a=\"later\"");
    BOOST_TEST(built([](json p) -> asio::awaitable<int> { co_return p.get<int>() + 2; }) == "a=3");
}

LIFEGUARD_TEST(DYN_12_worker_that_throws_is_restarted_alone_and_within_limits) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string& id, json payload) {
        const int n = payload.get<int>() + 1;
        if (id == "a" && n == 3)
            throw std::runtime_error("boom");
        return worker_outcome::ok(n);
    };
    r.run();
    r.put("a", 0, each(100ms));
    r.put("b", 0, each(100ms));
    ctx.advance(200ms);
    BOOST_TEST(r.payloads() == "a=2 b=2");
    ctx.advance(100ms);
    BOOST_TEST(r.payloads() == "a=0 b=3"); // its progress is lost
    BOOST_TEST(r.incarnations() == "a#2 b#1");
    BOOST_TEST(r.workers->state().crashes_total == 1U);
    BOOST_TEST(r.log->count("reason=error(boom)") == 1U);
    ctx.advance(600ms); // the second and third
    BOOST_TEST(r.incarnations() == "a#4 b#1");
    BOOST_TEST((r.now() == manager_state::up));
    ctx.advance(300ms); // more than 3 in 5 s
    BOOST_TEST(r.running->ready());
    BOOST_TEST(r.outcome() == "exit_shutdown(intensity_exceeded)");
    BOOST_TEST(r.payloads() == "");
}

LIFEGUARD_TEST(DYN_12_limits_are_as_set) {
    rig r(ctx);
    r.options.intensity = 1;
    r.options.period = 1s;
    r.behaviour.perform = [](const std::string&, const json&) -> worker_outcome {
        throw std::runtime_error("boom");
    };
    r.run();
    r.put("a", 0, each(1001ms));
    ctx.advance(20s); // never more than one in a second
    BOOST_TEST(r.incarnations() == "a#20");
    r.put("a", 0, each(400ms));
    ctx.advance(800ms);
    BOOST_TEST(r.running->ready());
}

LIFEGUARD_TEST(DYN_14_slow_perform_is_reported_once_and_never_overlaps) {
    std::atomic<int> inside = 0;
    std::vector<slow_perform> slow;
    rig r(ctx);
    r.behaviour.perform = [&](const std::string&, json payload) -> asio::awaitable<void> {
        ctx.check(++inside == 1, "performs do not overlap");
        r.notes.add("begin");
        co_await nap(ctx.time, std::chrono::milliseconds(payload.get<int>()));
        r.notes.add("end");
        --inside;
    };
    r.behaviour.handle_timeout = [&](const slow_perform& s) { slow.push_back(s); };
    r.run();
    r.put("a", 1099, each(1000ms));
    ctx.advance(1000ms + 1099ms);
    BOOST_TEST(r.notes.take() == "begin, end");
    BOOST_TEST(slow.empty());
    BOOST_TEST(r.log->count("event=perform_slow") == 0U);

    r.put("a", 5000, each(1000ms));
    ctx.advance(1000ms + 1099ms);
    BOOST_TEST(slow.empty());
    ctx.advance(1ms);
    BOOST_REQUIRE(slow.size() == 1U);
    BOOST_TEST(slow[0].id == "a");
    BOOST_TEST((slow[0].elapsed == 1100ms));
    BOOST_TEST((slow[0].interval == 1000ms));
    BOOST_TEST(slow[0].lull == 1.1);
    BOOST_TEST(slow[0].payload == json(5000));
    ctx.advance(3900ms); // it ends
    BOOST_TEST(slow.size() == 1U);
    BOOST_TEST(r.notes.take() == "begin, end");
    ctx.advance(999ms);
    BOOST_TEST(r.notes.take() == "");
    ctx.advance(1ms); // one interval after its end
    BOOST_TEST(r.notes.take() == "begin");
    BOOST_TEST(r.workers->state().slow_performs_total == 1U);
    BOOST_TEST(r.log->count("event=perform_slow") == 1U);
}

LIFEGUARD_TEST(what_callbacks_throw_that_nobody_waits_for_is_counted_and_logged) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string&, const json&) { return nap(ctx.time, 2s); };
    r.behaviour.handle_timeout = [](const slow_perform&) { throw std::runtime_error("too late"); };
    r.behaviour.terminate = [](const exit_reason&, const std::string&, const json&) {
        throw std::runtime_error("no farewell");
    };
    r.behaviour.handle_state_change = [](manager_state s) {
        if (s == manager_state::down)
            throw std::runtime_error("not down");
    };
    r.run();
    r.put("a");
    ctx.advance(3s);
    BOOST_TEST(r.workers->state().callback_errors_total == 1U);
    r.del("a");
    BOOST_TEST(r.workers->state().callback_errors_total == 2U);
    r.stop();
    BOOST_TEST(r.outcome() == "returned");
    BOOST_TEST(r.workers->state().callback_errors_total == 3U);
    BOOST_TEST(r.log->count("event=callback_failed") == 3U);
    BOOST_TEST(r.log->count("too late") == 1U);
    BOOST_TEST(r.log->count("no farewell") == 1U);
    BOOST_TEST(r.log->count("not down") == 1U);
}

LIFEGUARD_TEST(callback_that_spoils_its_cancellation_state_spoils_nothing_else) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string&, const json&) -> asio::awaitable<void> {
        r.notes.add("begin");
        struct at_end {
            rig& r;
            ~at_end() { r.notes.add("end"); }
        } const here{r};
        co_await nap(ctx.time, 10s); // hears a request to stop each time
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    };
    r.run();
    r.put("a", 0, each(1s));
    ctx.advance(1s + 10s + 1s);
    BOOST_TEST(r.notes.take() == "begin, end, begin");
    BOOST_TEST(r.del("a")); // at once
    BOOST_TEST(r.notes.take() == "end");
}

BOOST_AUTO_TEST_SUITE_END()
