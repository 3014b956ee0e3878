#include "dynamic/rig.hpp"
#include <lifeguard/engine.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(manager)

namespace {

std::map<std::string, worker_spec> a_and_b() {
    std::map<std::string, worker_spec> specs;
    specs.emplace("a", 1);
    specs.emplace("b", 2);
    return specs;
}

/// Notes the changes of state, and the ends of workers.
void notes_all(rig& r) {
    r.behaviour.children_specs = [&r] {
        r.notes.add("specs");
        return a_and_b();
    };
    r.behaviour.handle_state_change = [&r](manager_state s) {
        r.notes.add(std::string(name_of(s)));
    };
}

void kill(rig& r, const char* child) {
    supervisor top = r.workers->core().current_supervisor().value();
    r.ctx.await(top.kill_child(child));
    r.ctx.settle();
}

} // namespace

LIFEGUARD_TEST(DYN_09_state_changes_are_told) {
    rig r(ctx);
    notes_all(r);
    std::size_t running_when_up = 0;
    r.behaviour.handle_state_change = [&](manager_state s) {
        r.notes.add(std::string(name_of(s)));
        if (s != manager_state::up)
            return;
        const dynamic_workers_state state = r.workers->state();
        for (const auto& [id, info] : state.workers)
            running_when_up += info.incarnation;
    };
    r.run();
    BOOST_TEST(r.notes.take() == "starting, specs, up");
    BOOST_TEST(running_when_up == 2U); // the last initial child runs
    r.put("c");
    r.del("a");
    ctx.advance(5s);
    BOOST_TEST(r.notes.take() == "");
    r.stop();
    BOOST_TEST(r.notes.take() == "down");
}

LIFEGUARD_TEST(DYN_17_restart_begins_anew) {
    std::atomic<int> ended = 0;
    std::atomic<bool> restarts = false;
    rig r(ctx);
    notes_all(r);
    r.behaviour.terminate = [&](const exit_reason& why, const std::string&, const json&) {
        if (restarts)
            ctx.check(to_string(why) == "shutdown", to_string(why));
        ++ended;
    };
    r.run();
    r.put("c", 3);
    r.put("b", 4);
    BOOST_TEST(r.payloads() == "a=1 b=4 c=3");
    r.notes.take();
    ended = 0;
    restarts = true;
    for (int i = 0; i < 10; ++i) { // it is no crash: there is no limit
        ctx.await(r.workers->restart());
        BOOST_TEST(r.payloads() == "a=1 b=2");
        BOOST_TEST(r.notes.take() == "down, starting, specs, up");
    }
    BOOST_TEST(ended == 3 + 9 * 2);
    BOOST_TEST((r.now() == manager_state::up));
}

LIFEGUARD_TEST(DYN_17_restart_that_fails_is_a_crash_of_the_state_service) {
    int fail = 0;
    rig r(ctx);
    r.behaviour.children_specs = [&] {
        if (fail > 0 && fail-- > 0)
            throw std::runtime_error("no specs");
        return a_and_b();
    };
    r.run();
    fail = 2; // and again by the supervisor
    auto restarting = ctx.spawn(r.workers->restart());
    ctx.settle();
    BOOST_TEST((restarting.error() == errc::start_failed));
    BOOST_TEST(r.payloads() == "a=1 b=2"); // the supervisor tried again
    BOOST_TEST((r.now() == manager_state::up));
    fail = 1000;
    ctx.advance(6s);
    auto hopeless = ctx.spawn(r.workers->restart());
    ctx.settle();
    BOOST_TEST((hopeless.error() == errc::start_failed));
    BOOST_TEST(r.running->ready());
    BOOST_TEST(r.outcome() == "exit_shutdown(intensity_exceeded)");
}

LIFEGUARD_TEST(DYN_18_state_change_may_ask_for_a_restart) {
    int restarts = 1;
    manager_state at = manager_state::up;
    rig r(ctx);
    notes_all(r);
    r.behaviour.handle_state_change = [&](manager_state s) {
        r.notes.add(std::string(name_of(s)));
        return s == at && restarts-- > 0 ? state_answer::restart : state_answer::ok;
    };
    r.make();
    BOOST_TEST((r.now() == manager_state::unknown)); // before the start
    r.run();
    BOOST_TEST(r.notes.take() == "starting, specs, up, down, starting, specs, up");
    BOOST_TEST(r.payloads() == "a=1 b=2");
    r.stop();
    BOOST_TEST((r.now() == manager_state::unknown)); // after the end
    BOOST_TEST(r.notes.take() == "down");

    restarts = 1;
    at = manager_state::starting;
    r.run();
    BOOST_TEST(r.notes.take() == "starting, starting, specs, up");
    restarts = 1;
    at = manager_state::down; // too late: it ends
    r.stop();
    BOOST_TEST(r.notes.take() == "down");

    restarts = 1'000'000;
    at = manager_state::up;
    ctx.advance(1h);
    r.run();
    BOOST_TEST(r.running->ready()); // it does not go on for ever
    BOOST_TEST(r.outcome() == "exit_shutdown(intensity_exceeded)");
}

LIFEGUARD_TEST(DYN_19_crash_of_the_state_service_restarts_all_that_of_a_worker_one) {
    std::atomic<int> ended = 0;
    rig r(ctx);
    notes_all(r);
    r.behaviour.cast = [](const std::string&, const json&, const json&) {
        throw std::runtime_error("boom");
    };
    r.behaviour.terminate = [&](const exit_reason&, const std::string&, const json&) { ++ended; };
    r.run();
    r.put("c", 3);
    r.workers->cast("a", "die");
    ctx.settle();
    BOOST_TEST(r.incarnations() == "a#2 b#1 c#1");
    BOOST_TEST(ended == 1);
    r.notes.take();
    kill(r, "state");
    BOOST_TEST(r.notes.take() == "down, starting, specs, up");
    BOOST_TEST(ended == 1 + 3);
    BOOST_TEST(r.payloads() == "a=1 b=2");
    BOOST_TEST(r.incarnations() == "a#1 b#1"); // workers of a new life
    BOOST_TEST((r.now() == manager_state::up));
    kill(r, "workers"); // what is behind it alone
    BOOST_TEST(r.notes.take() == "specs, up");
    BOOST_TEST(r.payloads() == "a=1 b=2");
    r.put("c", 3);
    BOOST_TEST(r.payloads() == "a=1 b=2 c=3");
}

LIFEGUARD_TEST(tree_shows_the_ids) {
    rig r(ctx);
    r.behaviour.children_specs = a_and_b;
    r.run();
    r.put("thermometer-7");
    BOOST_TEST(ctx.await(r.workers->tree()) == "w (rest_for_one, 3 in 5 s)\n"
                                               "├── state (worker, running)\n"
                                               "└── workers (supervisor, one_for_one, 3 in 5 s)\n"
                                               "    ├── a (worker, running)\n"
                                               "    ├── b (worker, running)\n"
                                               "    └── thermometer-7 (worker, running)\n");
}

LIFEGUARD_TEST(manager_is_a_child_of_any_supervisor) {
    rig r(ctx);
    notes_all(r);
    r.behaviour.cast = [](const std::string&, const json&, const json&) {
        throw std::runtime_error("boom");
    };
    r.make();
    supervisor_options options;
    options.name = "top";
    options.intensity = 1;
    options.time = ctx.time;
    std::vector<child_spec> children{r.workers->spec()};
    supervisor top(ctx.executor(), options, children);
    auto running = ctx.spawn(top.run());
    ctx.settle();
    BOOST_TEST(r.payloads() == "a=1 b=2");
    const std::string tree = ctx.await(top.tree());
    BOOST_TEST(tree.find("        ├── a (worker, running)\n") != std::string::npos, tree);
    r.put("c");
    for (int i = 0; i < 4; ++i) { // more than its limits allow: its parent starts it again
        r.workers->cast("a", "die");
        ctx.settle();
    }
    BOOST_TEST(r.payloads() == "a=1 b=2");
    BOOST_TEST((r.now() == manager_state::up));
    BOOST_TEST(r.notes.take() == "starting, specs, up, down, starting, specs, up");
    auto stopping = ctx.spawn(top.stop());
    ctx.settle();
    BOOST_TEST(running.ready());
    BOOST_TEST(r.notes.take() == "down");
}

LIFEGUARD_TEST(manager_is_a_child_of_an_engine) {
    rig r(ctx);
    r.behaviour.children_specs = a_and_b;
    r.make();
    engine_options options;
    options.time = ctx.time;
    engine e(ctx.executor(), options);
    auto running = ctx.spawn(e.run());
    ctx.settle();
    supervisor root = e.root();
    child_spec spec = r.workers->spec();
    ctx.await(root.start_child(std::move(spec)));
    BOOST_TEST(r.payloads() == "a=1 b=2");
    const std::string tree = ctx.await(e.tree());
    BOOST_TEST(tree.find("└── b (worker, running)\n") != std::string::npos, tree);
    auto stopping = ctx.spawn(e.stop());
    ctx.settle();
    BOOST_TEST(running.ready());
    BOOST_TEST(r.payloads() == "");
}

LIFEGUARD_TEST(workers_run_side_by_side_but_on_a_strand_when_that_is_given) {
    std::atomic<int> inside = 0;
    rig r(ctx);
    const asio::any_io_executor strand = asio::make_strand(ctx.io);
    r.behaviour.perform = [&](const std::string&, const json&) {
        ctx.check(++inside == 1, "nobody else is on the strand");
        for (int i = 0; i < 1000; ++i)
            std::atomic_signal_fence(std::memory_order_seq_cst);
        --inside;
    };
    r.workers.emplace(strand, r.options, r.behaviour);
    r.run();
    for (int i = 0; i < 20; ++i)
        r.put(std::to_string(i), 0, each(10ms));
    ctx.advance(1s);
}

LIFEGUARD_TEST(stop_ends_what_is_under_way) {
    rig r(ctx);
    notes_all(r);
    const gate never;
    r.behaviour.call = [&](const std::string&, const json&, const json&) -> asio::awaitable<json> {
        co_await never.pass();
        co_return 0;
    };
    r.behaviour.terminate = [&](const exit_reason&, const std::string&,
                                const json&) -> asio::awaitable<void> {
        co_await nap(ctx.time, 1s);
    };
    r.run();
    auto called = ctx.spawn(r.workers->call("a", 1, {.timeout = 1h}));
    auto waits = ctx.spawn(r.workers->call("a", 2, {.timeout = 1h}));
    auto put = ctx.spawn(r.workers->put("b", "new"));
    ctx.settle();
    auto restarting = ctx.spawn(r.workers->restart());
    ctx.settle();
    auto stopping = ctx.spawn(r.workers->stop());
    ctx.settle();
    ctx.advance(1s);
    ctx.advance(1s);
    BOOST_TEST(stopping.ready());
    BOOST_TEST(r.running->ready());
    BOOST_TEST((called.error() == errc::stopped));
    BOOST_TEST((waits.error() == errc::stopped));
    BOOST_TEST((put.error() == errc::stopped));
    BOOST_TEST(restarting.ready());
    BOOST_TEST((restarting.exception() != nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
