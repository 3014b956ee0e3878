// An engine cut off after each handler that it runs, in every order of destruction. What counts is
// what the address sanitizer says: nothing used after its end, nothing leaked.
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/manual_time_source.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp> // lint: allow a gate
#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

using namespace std::chrono_literals;
using namespace lifeguard;
namespace asio = boost::asio;

namespace {

/// Waits until it is cancelled: on something that Asio knows, as handlers do.
asio::awaitable<json> parked(job_context&) {
    asio::steady_timer timer(co_await asio::this_coro::executor); // lint: allow: never armed
    timer.expires_at(time_point::max());                          // lint: allow: never armed
    co_await timer.async_wait(asio::use_awaitable);
    co_return nullptr;
}

/// The same, again and again, whatever comes.
asio::awaitable<json> deaf(job_context& job) {
    for (;;) {
        try {
            co_await parked(job);
        } catch (...) { // NOLINT: it does not listen
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
}

asio::awaitable<json> busy(job_context&) {
    for (int n = 0; n < 5; ++n)
        co_await asio::post(asio::use_awaitable);
    co_return json{{"a", {1, 2, 3}}};
}

asio::awaitable<json> broken(job_context&) {
    throw std::runtime_error("broken");
    co_return nullptr;
}

/// A program with an engine that a lot happens to, one handler at a time.
struct program {
    program() : time(std::make_shared<manual_time_source>()), io(std::in_place, 1) {
        engine_options o;
        o.time = time;
        o.log = std::make_shared<silent>();
        worker_pool_options first, second;
        first.name = "a";
        first.size = 2;
        first.max_overflow = 2;
        first.process_timeout = 1s;
        first.stuck_threshold = 2s;
        second.name = "b";
        second.size = 1;
        second.concurrency = 2;
        second.let_it_crash = true;
        second.queues = {"b"};
        o.pools = {first, second};
        app.emplace(io->get_executor(), std::move(o));
        app->handle("parked", parked);
        app->handle("deaf", deaf);
        app->handle("busy", busy);
        app->handle("broken", broken);
        start(app->run());
        call("a", "busy");
        call("a", "parked", {.execute_wait = 500ms});
        call("a", "deaf");
        call("a", "busy", {.checkout_wait = 100ms});
        call("b", "broken", {.dispatch = dispatch::least_busy});
        call("b", "parked");
        for (int n = 0; n < 5; ++n)
            start(app->pool("a").submit(new_job(n % 2 == 0 ? "busy" : "broken")));
        start(app->pool("b").submit(new_job("deaf")));
    }

    void call(const char* pool, const char* kind, execute_options how = {}) {
        start(app->pool(pool).execute(new_job(kind), how));
    }
    template <typename T>
    void start(asio::awaitable<T> what) {
        asio::co_spawn(*io, std::move(what), asio::detached);
    }

    /// What happens when nothing else is ready.
    bool next_event() {
        switch (events++) {
        case 0:
            start(app->pool("a").kill("a/1"));
            start(app->tree());
            return true;
        case 1: // timeouts, and what waits
        case 2:
        case 3: // the deaf ones are stuck
            time->advance(1s);
            return true;
        case 4:
            call("b", "parked");
            start(app->pool("b").kill("b/1"));
            return true;
        case 5:
            app->request_stop();
            return true;
        case 6: // what does not stop is asked
        case 7:
            time->advance(4s);
            return true;
        default:
            return false;
        }
    }

    /// Runs one handler; false when there is nothing left to do.
    bool step() {
        for (;;) {
            io->restart();
            if (io->poll_one() != 0)
                return true;
            if (!next_event())
                return false;
        }
    }

    struct silent final : log_sink {
        void write(const log_record&) override {}
    };

    std::shared_ptr<manual_time_source> time;
    std::optional<asio::io_context> io;
    std::optional<engine> app;
    int events = 0;
};

/// Runs the program to its end and answers how many handlers that took.
int length() {
    program p;
    int steps = 0;
    while (p.step())
        ++steps;
    return steps;
}

void for_each_cut(const std::function<void(program&)>& end) {
    const int last = length();
    BOOST_TEST_MESSAGE(last << " handlers");
    BOOST_TEST(last > 100);
    for (int cut = 0; cut <= last; ++cut) {
        BOOST_TEST_CONTEXT("cut after " << cut << " handlers") {
            program p;
            for (int n = 0; n < cut; ++n)
                p.step();
            end(p);
        }
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_lifetime)

BOOST_AUTO_TEST_CASE(engine_runs_to_its_end) {
    program p;
    while (p.step()) {
    }
    BOOST_TEST(p.app->pool("a").status().workers == 0U);
    BOOST_TEST(p.app->pool("b").status().workers == 0U);
}

BOOST_AUTO_TEST_CASE(engine_goes_before_its_context_wherever_it_is_cut) {
    for_each_cut([](program& p) {
        p.app.reset();
        p.io.reset();
    });
}

BOOST_AUTO_TEST_CASE(context_goes_before_its_engine_wherever_it_is_cut) {
    for_each_cut([](program& p) {
        p.io.reset();
        p.app.reset();
    });
}

BOOST_AUTO_TEST_CASE(exception_leaves_run_wherever_it_is_cut) {
    for_each_cut([](program& p) {
        asio::post(*p.io, [] { throw std::logic_error("the program's own"); });
        BOOST_CHECK_THROW(p.io->poll(), std::logic_error);
        p.io.reset();
        p.app.reset();
    });
}

BOOST_AUTO_TEST_CASE(engine_goes_and_the_context_runs_on) {
    for_each_cut([](program& p) {
        p.app->request_stop();
        p.app.reset();
        p.io->restart();
        p.io->poll();
        p.time->advance(10s);
        p.io->poll();
        p.io.reset();
    });
}

BOOST_AUTO_TEST_CASE(pool_and_results_may_be_asked_of_an_engine_whose_context_is_gone) {
    program p;
    for (int n = 0; n < 60; ++n)
        p.step();
    const worker_pool pool = p.app->pool("a");
    p.io.reset();
    BOOST_TEST(!pool.status().running);
    BOOST_TEST(pool.workers().size() >= 2U);
    BOOST_TEST(!p.app->metrics().empty());
    p.app->request_stop();
}

BOOST_AUTO_TEST_SUITE_END()
