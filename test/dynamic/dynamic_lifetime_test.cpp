// Managers, handles and contexts end in any order, at any moment: a scenario is cut after 0, 1, 2
// ... handlers, until it has run to its end. A sanitizer build looks for what leaks or is used too
// late.
#include "supervision/puppet.hpp"
#include <lifeguard/dynamic_workers.hpp>
#include <lifeguard/engine.hpp>
#include <lifeguard/manual_time_source.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <optional>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(dynamic_lifetime)

namespace {

std::atomic<int> frames = 0;

/// In a coroutine's frame: counts it, and calls the manager while it is destroyed, as users'
/// objects do.
struct resident {
    explicit resident(dynamic_workers of) : workers(std::move(of)) { ++frames; }
    resident(const resident&) = delete;
    resident& operator=(const resident&) = delete;
    ~resident() {
        --frames;
        workers.state();
        workers.get("a");
        try {
            workers.cast("a", 1);
        } catch (const error&) { // it may have ended
        }
    }
    dynamic_workers workers;
};

/// A program with a manager. Its members end in the order that `end` wants.
struct world {
    std::shared_ptr<manual_time_source> time = std::make_shared<manual_time_source>();
    std::optional<asio::io_context> io{std::in_place, 1};
    /// The behaviour owns a handle: a cycle that the library has to cut.
    std::shared_ptr<std::optional<dynamic_workers>> own =
        std::make_shared<std::optional<dynamic_workers>>();
    std::optional<dynamic_workers> workers;
    bool done = false;

    world() {
        dynamic_workers_options options;
        options.time = time;
        options.intensity = 10;
        options.rhythm.interval = 100ms;
        workers.emplace(io->get_executor(), options, behaviour());
        own->emplace(*workers);
    }

    worker_behaviour behaviour() const {
        worker_behaviour b;
        b.children_specs = [] {
            std::map<std::string, worker_spec> specs;
            for (const char* id : {"a", "crash", "slow"})
                specs.emplace(id, 0);
            return specs;
        };
        b.perform = [t = time, o = own](const std::string& id,
                                        json payload) -> asio::awaitable<worker_outcome> {
            const resident here(**o);
            if (id == "crash" && payload == 0)
                throw std::runtime_error("boom");
            if (id == "slow")
                co_await sleep(t, 1s);
            co_return worker_outcome::replace(payload.get<int>() + 1);
        };
        b.call = [t = time, o = own](const std::string&, json message,
                                     const json&) -> asio::awaitable<json> {
            const resident here(**o);
            co_await sleep(t, 10ms);
            co_return message;
        };
        b.cast = [](const std::string&, const json&, const json&) {};
        b.init = [o = own](json payload) -> asio::awaitable<json> {
            const resident here(**o);
            co_return payload;
        };
        b.terminate = [t = time, o = own](const exit_reason&, const std::string&,
                                          const json&) -> asio::awaitable<void> {
            const resident here(**o);
            co_await sleep(t, 10ms);
        };
        b.handle_state_change = [o = own](manager_state) { (*o)->ids(); };
        b.handle_timeout = [o = own](const slow_perform& s) { (*o)->get(s.id); };
        return b;
    }

    /// Everything that may happen to a manager.
    asio::awaitable<void> direct(dynamic_workers w) {
        const resident here(w);
        while (w.state().now != manager_state::up)
            co_await sleep(time, 1ms);
        co_await w.put("b", 1);
        co_await w.put("b", 2);
        co_await w.call("b", 1);
        w.cast("b", 1);
        co_await w.call_any(1);
        co_await sleep(time, 250ms);
        co_await w.del("b");
        co_await w.restart();
        co_await w.put("c", 1);
        co_await w.tree();
        co_await w.put_new("c", 1);
        co_await sleep(time, 50ms);
        co_await w.stop();
        done = true;
    }

    void begin() {
        asio::co_spawn(*io, workers->run(), rethrow);
        asio::co_spawn(*io, direct(*workers), rethrow);
    }

    /// Runs up to `handlers`; false when there was nothing more to run.
    bool run(int handlers) {
        for (int i = 0; i < handlers; ++i) {
            if (io->poll_one() != 0)
                continue;
            const auto next = time->next_alarm();
            if (!next)
                return false;
            time->advance_to(*next);
            io->restart();
        }
        return true;
    }

    /// What a program does that lets go of its handles.
    void let_go() {
        workers.reset();
        own.reset(); // but the behaviour has it
    }
};

/// Cuts the scenario after every number of handlers; `end` takes the world apart.
template <typename End>
void cut_everywhere(End end) {
    bool complete = false;
    int cut = 0;
    for (; !complete; ++cut) {
        BOOST_TEST_CONTEXT("cut after " << cut << " handlers") {
            std::weak_ptr<manual_time_source> alive; // whoever leaks keeps it
            {
                world w;
                alive = w.time;
                w.begin();
                complete = !w.run(cut);
                if (complete)
                    BOOST_TEST(w.done);
                end(w);
            }
            BOOST_REQUIRE_EQUAL(frames.load(), 0);
            BOOST_REQUIRE(alive.expired());
        }
        BOOST_REQUIRE_LT(cut, 5000);
    }
    BOOST_TEST(cut > 50);
}

} // namespace

BOOST_AUTO_TEST_CASE(handle_ends_before_the_context) {
    cut_everywhere([](world& w) {
        w.let_go();
        w.io.reset();
    });
}

BOOST_AUTO_TEST_CASE(context_ends_before_the_handle) {
    cut_everywhere([](world& w) {
        w.io.reset();
        w.workers->state();
        BOOST_CHECK_THROW(w.workers->cast("a", 1), error);
        w.let_go();
    });
}

BOOST_AUTO_TEST_CASE(handle_ends_and_the_rest_runs_on_without_it) {
    bool complete = false;
    for (int cut = 0; !complete; ++cut) {
        world w;
        w.begin();
        complete = !w.run(cut);
        w.let_go();
        w.run(5000);
        BOOST_REQUIRE(w.done);
    }
}

BOOST_AUTO_TEST_CASE(exception_leaves_the_run_loop) {
    struct cut_here {};
    cut_everywhere([](world& w) {
        asio::post(*w.io, [] { throw cut_here(); });
        try {
            struct unwinding {
                ~unwinding() { w.io.reset(); }
                world& w;
            } const at_the_end{w};
            w.io->restart();
            w.io->run();
            BOOST_ERROR("nothing was thrown");
        } catch (const cut_here&) { // as a program would
        }
    });
}

BOOST_AUTO_TEST_CASE(callers_in_another_context_are_answered_when_the_manager_s_context_ends) {
    asio::io_context callers(1);
    int answered = 0;
    world w;
    w.begin();
    w.run(60);
    BOOST_REQUIRE((w.workers->state().now == manager_state::up));
    const auto count = [&](auto...) { ++answered; };
    asio::co_spawn(callers, w.workers->put("slow", 1), count); // its old one takes its time
    asio::co_spawn(callers, w.workers->call("a", 1), count);
    asio::co_spawn(callers, w.workers->restart(), count);
    callers.poll();
    w.io->poll();
    w.io.reset();
    callers.restart();
    callers.poll();
    BOOST_TEST(answered == 3);
    asio::co_spawn(callers, w.workers->put("x", 1), count);
    asio::co_spawn(callers, w.workers->del("x"), count);
    asio::co_spawn(callers, w.workers->call("x", 1), count);
    asio::co_spawn(callers, w.workers->restart(), count);
    asio::co_spawn(callers, w.workers->stop(), count);
    asio::co_spawn(callers, w.workers->tree(), count);
    asio::co_spawn(callers, w.workers->run(), count);
    callers.restart();
    callers.poll();
    BOOST_TEST(answered == 10);
}

BOOST_AUTO_TEST_CASE(manager_that_never_ran_leaks_nothing) {
    std::weak_ptr<manual_time_source> alive;
    {
        world w;
        alive = w.time;
        w.workers->spec();
    }
    BOOST_TEST(alive.expired());
}

BOOST_AUTO_TEST_SUITE_END()
