#include "dynamic/rig.hpp"

#include <type_traits>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(workers_by_id)

LIFEGUARD_TEST(DYN_01_children_specs_are_what_runs) {
    rig r(ctx);
    r.behaviour.children_specs = [] {
        std::map<std::string, worker_spec> specs;
        for (int i = 0; i < 10; ++i)
            specs.emplace("foo_" + std::to_string(i), i);
        return specs;
    };
    r.run();
    BOOST_TEST((r.now() == manager_state::up));
    BOOST_TEST(r.payloads() == "foo_0=0 foo_1=1 foo_2=2 foo_3=3 foo_4=4 foo_5=5 foo_6=6 foo_7=7 "
                               "foo_8=8 foo_9=9");
    BOOST_TEST(r.workers->ids().size() == 10U);
}

LIFEGUARD_TEST(DYN_03_put_replaces_put_new_does_not_and_del_is_at_once) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string&, const json& payload) {
        r.notes.add("pong " + payload.dump());
    };
    r.behaviour.terminate = [&](const exit_reason& why, const std::string&, const json& payload) {
        r.notes.add("-" + payload.dump() + " " + to_string(why));
    };
    r.run();
    r.put("a", 1, each(100ms));
    ctx.advance(200ms);
    BOOST_TEST(r.notes.take() == "pong 1, pong 1");

    r.put("a", 2, each(100ms));
    BOOST_TEST(r.notes.take() == "-1 shutdown(replaced)");
    BOOST_TEST(r.payloads() == "a=2");
    ctx.advance(100ms);
    BOOST_TEST(r.notes.take() == "pong 2");

    BOOST_TEST(!ctx.await(r.workers->put_new("a", 3)));
    BOOST_TEST(r.payloads() == "a=2");
    BOOST_TEST(r.incarnations() == "a#2");
    BOOST_TEST(ctx.await(r.workers->put_new("b", 3)));
    BOOST_TEST(r.payloads() == "a=2 b=3");
    BOOST_TEST(r.del("b"));
    BOOST_TEST(r.notes.take() == "-3 shutdown(deleted)");

    BOOST_TEST(r.del("a"));
    BOOST_TEST(r.payloads() == "");
    BOOST_TEST(!r.del("a"));
    ctx.advance(1s);
    BOOST_TEST(r.notes.take() == "-2 shutdown(deleted)");
    BOOST_TEST(ctx.time->alarms() == 0U);
}

LIFEGUARD_TEST(DYN_05_what_a_perform_returns_is_what_follows) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string& id, json payload) -> worker_outcome {
        r.notes.add(payload.dump());
        if (id == "halt")
            return worker_outcome::halt();
        if (id == "ok")
            return worker_outcome::ok(payload.get<int>() + 1);
        if (id == "replace")
            return worker_outcome::replace(payload.get<int>() + 1);
        if (id == "move")
            return worker_outcome::replace("moved", payload.get<int>() + 1);
        if (id == "same")
            return worker_outcome::replace("same", payload.get<int>() + 1);
        if (id == "any")
            return json::array({"any", "thing"});
        return {}; // "moved"
    };
    r.run();
    const auto result_of = [&](const char* id) {
        r.put(id, 1, each(100ms));
        ctx.advance(100ms);
        std::string result = r.payloads() + " " + r.values();
        ctx.advance(100ms);
        result += " : " + r.notes.take();
        for (const std::string& left : r.workers->ids())
            r.del(left);
        return result;
    };
    BOOST_TEST(result_of("halt") == "  : 1");
    BOOST_TEST(result_of("ok") == "ok=2 ok=- : 1, 2");
    BOOST_TEST(result_of("replace") == "replace=2 replace=2 : 1, 2");
    BOOST_TEST(result_of("move") == "moved=2 moved=- : 1, 2");
    BOOST_TEST(result_of("same") == "same=2 same=2 : 1, 2");
    BOOST_TEST(result_of("any") == "any=1 any=[\"any\",\"thing\"] : 1, 1");
    BOOST_TEST(result_of("nothing") == "nothing=1 nothing=- : 1, 1");
}

LIFEGUARD_TEST(DYN_05_moved_worker_replaces_whoever_has_the_id) {
    rig r(ctx);
    r.behaviour.perform = [](const std::string& id, const json&) -> worker_outcome {
        if (id == "a")
            return worker_outcome::replace("b", "from a");
        return {};
    };
    r.behaviour.terminate = [&](const exit_reason& why, const std::string& id, const json&) {
        r.notes.add(id + " " + to_string(why));
    };
    r.run();
    r.put("b", "old", each(1h));
    r.put("a", 1, each(100ms));
    ctx.advance(100ms);
    BOOST_TEST(r.payloads() == "b=\"from a\"");
    const auto ended = r.notes.take();
    BOOST_TEST((ended == "a shutdown(replaced by b), b shutdown(replaced)" ||
                ended == "b shutdown(replaced), a shutdown(replaced by b)"),
               ended);
    BOOST_TEST((r.workers->get("b")->interval == 100ms)); // its rhythm moves along
}

LIFEGUARD_TEST(DYN_06_get_answers_payload_interval_and_lull) {
    rig r(ctx);
    r.options.rhythm = {.interval = 7s, .lull = 2.5};
    r.run();
    BOOST_TEST(!r.workers->get("a").has_value());
    r.put("a", 1, {.interval = 250ms, .lull = 1.5});
    r.put("b", 2);
    const auto a = r.workers->get("a");
    BOOST_REQUIRE(a.has_value());
    BOOST_TEST(a->payload == json(1));
    BOOST_TEST((a->interval == 250ms));
    BOOST_TEST(a->lull == 1.5);
    BOOST_TEST(a->incarnation == 1U);
    BOOST_TEST(!a->busy);
    const auto b = r.workers->get("b");
    BOOST_REQUIRE(b.has_value());
    BOOST_TEST((b->interval == 7s));
    BOOST_TEST(b->lull == 2.5);
}

LIFEGUARD_TEST(DYN_13_terminate_is_called_once_per_incarnation_and_then_the_id_is_gone) {
    rig r(ctx);
    r.behaviour.perform = [](const std::string& id, const json&) -> worker_outcome {
        if (id == "crash")
            throw std::runtime_error("boom");
        return id == "halt" ? worker_outcome::halt() : worker_outcome();
    };
    r.behaviour.terminate = [&](const exit_reason& why, const std::string& id,
                                json payload) -> asio::awaitable<void> {
        co_await nap(ctx.time, 10ms); // it may take its time, also after a request to stop
        r.notes.add(id + " " + payload.dump() + " " + to_string(why));
    };
    r.run();
    r.put("halt", 1, each(100ms));
    ctx.advance(100ms);
    BOOST_TEST(r.payloads() == "");
    ctx.advance(10ms);
    BOOST_TEST(r.notes.take() == "halt 1 normal");

    r.put("crash", 4, each(100ms));
    ctx.advance(110ms);
    BOOST_TEST(r.notes.take() == "crash 4 error(boom)");
    BOOST_TEST(r.incarnations() == "crash#2"); // it comes back
    auto deleted = ctx.spawn(r.workers->del("crash"));
    ctx.settle();
    BOOST_TEST(!deleted.ready());
    BOOST_TEST(r.payloads() == "");
    ctx.advance(10ms);
    BOOST_TEST(deleted.get());
    BOOST_TEST(r.notes.take() == "crash 4 shutdown(deleted)");

    r.put("a", 2, each(1h));
    auto replaced = ctx.spawn(r.workers->put("a", 3, each(1h)));
    ctx.settle();
    BOOST_TEST(!replaced.ready()); // not before the old one has ended
    BOOST_TEST(r.payloads() == "a=3");
    ctx.advance(10ms);
    BOOST_TEST(replaced.ready());
    BOOST_TEST(r.notes.take() == "a 2 shutdown(replaced)");

    auto stopping = ctx.spawn(r.workers->stop());
    ctx.settle();
    BOOST_TEST(r.payloads() == "");
    ctx.advance(10ms);
    BOOST_TEST(stopping.ready());
    BOOST_TEST(r.notes.take() == "a 3 shutdown");
}

LIFEGUARD_TEST(DYN_16_ids_are_unique_failures_fail_the_start_and_nobody_is_fine) {
    // By type: a map cannot hold an id twice.
    static_assert(std::is_same_v<decltype(std::declval<worker_behaviour>().children_specs()),
                                 std::map<std::string, worker_spec>>);
    bool throws = false;
    rig r(ctx);
    r.behaviour.children_specs = [&] {
        if (throws)
            throw std::runtime_error("no specs today");
        return std::map<std::string, worker_spec>();
    };
    r.behaviour.handle_state_change = [&](manager_state s) {
        r.notes.add(std::string(name_of(s)));
    };
    r.run();
    BOOST_TEST((r.now() == manager_state::up));
    r.put("a", 1);
    r.put("a", 2);
    BOOST_TEST(r.payloads() == "a=2");
    r.stop();
    BOOST_TEST(r.outcome() == "returned");
    BOOST_TEST(r.notes.take() == "starting, up, down");

    throws = true;
    r.run();
    BOOST_TEST(r.outcome().find("no specs today") != std::string::npos, r.outcome());
    BOOST_TEST((thrown_by([&] { r.running->get(); }).code == errc::start_failed));
    BOOST_TEST((r.now() == manager_state::unknown));
    BOOST_TEST(r.notes.take() == "starting, down");

    throws = false; // and the next one works
    r.run();
    BOOST_TEST((r.now() == manager_state::up));
}

LIFEGUARD_TEST(limit_of_workers_is_an_error) {
    rig r(ctx);
    r.options.workers_max = 2;
    r.run();
    r.put("a");
    r.put("b");
    const auto refused = thrown_by([&] { r.put("c"); });
    BOOST_TEST((refused.code == errc::limit_reached));
    BOOST_TEST(refused.text.find("workers_max") != std::string::npos, refused.text);
    r.put("a", 2);
    r.del("b");
    r.put("c");
    BOOST_TEST(r.payloads() == "a=2 c=null");
    r.stop();
    r.behaviour.children_specs = [] {
        std::map<std::string, worker_spec> specs;
        for (const char* id : {"a", "b", "c"})
            specs[id] = worker_spec();
        return specs;
    };
    r.make();
    r.run();
    BOOST_TEST((thrown_by([&] { r.running->get(); }).code == errc::start_failed));
}

LIFEGUARD_TEST(what_is_wrong_is_refused_by_name) {
    rig r(ctx);
    const auto refused = [&](auto change) {
        dynamic_workers_options options = r.options;
        change(options);
        const auto e = thrown_by([&] { dynamic_workers w(ctx.executor(), options, {}); });
        BOOST_TEST((e.code == errc::invalid_option));
        return e.text;
    };
    const auto has = [](const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    };
    BOOST_TEST(has(refused([](auto& o) { o.name = ""; }), "name"));
    BOOST_TEST(has(refused([](auto& o) { o.rhythm.lull = -1; }), "rhythm, lull"));
    BOOST_TEST(has(refused([](auto& o) { o.rhythm.first_perform = -1ms; }), "first_perform"));
    BOOST_TEST(has(refused([](auto& o) { o.workers_max = 0; }), "workers_max"));
    BOOST_TEST(has(refused([](auto& o) { o.mailbox_max = 0; }), "mailbox_max"));
    BOOST_TEST(has(refused([](auto& o) { o.call_timeout = -1ms; }), "call_timeout"));
    BOOST_TEST(has(refused([](auto& o) { o.shutdown = -1ms; }), "shutdown"));
    BOOST_TEST(has(refused([](auto& o) { o.period = 0ms; }), "period"));
    r.run();
    BOOST_TEST((thrown_by([&] { r.put(""); }).code == errc::invalid_option));
    BOOST_TEST((thrown_by([&] { r.put("a", 1, {.lull = -1}); }).code == errc::invalid_option));
    BOOST_TEST(r.workers->ids().empty());
}

LIFEGUARD_TEST(worker_that_is_put_several_times_at_once_is_the_last_one) {
    rig r(ctx);
    r.behaviour.terminate = [&](const exit_reason&, const std::string&, const json& payload) {
        r.notes.add("-" + payload.dump());
    };
    r.run();
    r.put("a", 0);
    // All on one strand, so that their order is known.
    const asio::any_io_executor strand = asio::make_strand(ctx.io);
    std::vector<test_future<void>> all;
    for (int i = 1; i <= 5; ++i)
        all.push_back(ctx.spawn_on(strand, r.workers->put("a", i)));
    ctx.settle();
    for (auto& f : all)
        BOOST_TEST(f.ready());
    BOOST_TEST(r.payloads() == "a=5");
    // Those in between may have run or not; the first and the last have.
    BOOST_TEST(r.notes.take().starts_with("-0"));
}

LIFEGUARD_TEST(worker_may_delete_and_replace_itself) {
    rig r(ctx);
    r.behaviour.perform = [&](const std::string& id,
                              const json& payload) -> asio::awaitable<worker_outcome> {
        if (payload == "new")
            co_return worker_outcome();
        if (id == "replaces")
            co_await r.workers->put(id, "new");
        else
            co_await r.workers->del(id);
        ctx.check(false, "it is cut short");
        co_return worker_outcome();
    };
    r.run();
    r.put("replaces", "old", each(100ms));
    r.put("deletes", "old", each(100ms));
    ctx.advance(1s);
    BOOST_TEST(r.payloads() == "replaces=\"new\"");
    BOOST_TEST(r.workers->state().crashes_total == 0U);
}

LIFEGUARD_TEST(worker_that_is_deaf_is_forced_and_replaced) {
    const auto let_go = std::make_shared<detail::reply>();
    rig r(ctx);
    r.options.shutdown = 2s;
    r.behaviour.perform = [&](const std::string&, json payload) -> asio::awaitable<void> {
        if (payload == "deaf")
            co_await deaf(let_go);
    };
    r.behaviour.terminate = [&](const exit_reason& why, const std::string&, const json& payload) {
        r.notes.add(payload.dump() + " " + to_string(why));
    };
    r.run();
    r.put("a", "deaf", each(100ms));
    ctx.advance(100ms);
    BOOST_TEST(r.workers->get("a")->busy);
    auto replaced = ctx.spawn(r.workers->put("a", "next", each(100ms)));
    ctx.advance(2s + 999ms);
    BOOST_TEST(!replaced.ready());
    ctx.advance(1ms); // abandoned
    BOOST_TEST(replaced.ready());
    BOOST_TEST(r.payloads() == "a=\"next\"");
    let_go->arrive(); // the late one disturbs nobody
    ctx.settle();
    BOOST_TEST(r.notes.take() == "\"deaf\" killed");
    BOOST_TEST(r.payloads() == "a=\"next\"");
    BOOST_TEST(r.incarnations() == "a#2");
}

LIFEGUARD_TEST(nothing_works_while_the_manager_does_not_run) {
    rig r(ctx);
    r.behaviour.call = [](const std::string&, const json&, const json&) { return 1; };
    r.make();
    const auto refused = [&] {
        BOOST_TEST((thrown_by([&] { r.put("a"); }).code == errc::stopped));
        BOOST_TEST((r.call_error("a", 1) == errc::stopped));
        BOOST_TEST((r.cast_error("a", 1) == errc::stopped));
        BOOST_TEST((thrown_by([&] { ctx.await(r.workers->restart()); }).code == errc::stopped));
        BOOST_TEST((thrown_by([&] { ctx.await(r.workers->tree()); }).code == errc::stopped));
        BOOST_TEST(!r.del("a"));
        ctx.await(r.workers->stop());
    };
    refused();
    r.run();
    r.put("a");
    auto again = ctx.spawn(r.workers->run());
    ctx.settle();
    BOOST_TEST((thrown_by([&] { again.get(); }).code == errc::already_started));
    r.stop();
    refused();
}

BOOST_AUTO_TEST_SUITE_END()
