// Commands that are stopped: timeouts, cancellation, the end of the engine.
#include "command/command_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <signal.h> // NOLINT: kill
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

bool has(const std::string& text, const std::string& part) {
    const bool found = text.find(part) != std::string::npos;
    if (!found)
        BOOST_TEST_MESSAGE("no '" << part << "' in: " << text);
    return found;
}

/// Says its process number and that of a child of its own, then waits for ever.
std::string family(const scratch& s) {
    return "sleep 1000 & echo $! >" + s.path("child") + "; echo $$ >" + s.path("leader") + "; wait";
}

std::string deaf_family(const scratch& s) { return "trap '' TERM; " + family(s); }

struct members {
    pid_t leader;
    pid_t child;
    bool gone() const {
        return eventually([this] { return !lives(leader) && !lives(child); });
    }
};

members members_of(const scratch& s) { return {s.number_in("leader"), s.number_in("child")}; }

} // namespace

BOOST_AUTO_TEST_SUITE(command_stop)

BOOST_AUTO_TEST_CASE(timeout_ends_grandchildren_too) {
    for (const unsigned threads : {1U, 2U}) {
        command_engine e(threads);
        const scratch s;
        command_options o;
        o.timeout = 300ms;
        o.kill_after = 60s; // TERM is enough
        e.bind("slow", "echo working >&2; " + family(s), o);
        const outcome out = e.run("slow");
        BOOST_TEST(has(out.error, "sh: timed out after 300 ms; stderr: working"));
        BOOST_TEST(members_of(s).gone());
        BOOST_TEST(children().empty());
    }
}

BOOST_AUTO_TEST_CASE(who_is_deaf_to_term_is_killed) {
    for (const unsigned threads : {1U, 2U}) {
        command_engine e(threads);
        const scratch s;
        command_options o;
        o.timeout = 200ms;
        o.kill_after = 200ms;
        e.bind("deaf", deaf_family(s), o);
        const auto before = real_time_source()->now();
        const outcome out = e.run("deaf");
        BOOST_TEST((real_time_source()->now() - before >= 400ms));
        BOOST_TEST(has(out.error, "timed out after 200 ms"));
        BOOST_TEST(members_of(s).gone());
    }
}

BOOST_AUTO_TEST_CASE(timeout_of_the_job_terminates) {
    worker_pool_options pool;
    pool.cancel_grace = 200ms;
    command_engine e(1, pool);
    const scratch s;
    command_options o;
    o.kill_after = 100s; // the pool's grace comes first
    e.bind("deaf", deaf_family(s), o);
    new_job job("deaf");
    job.timeout = 300ms;
    auto f = e.begin(std::move(job));
    BOOST_TEST(has(outcome_of(f).error, "timed out after 300 ms"));
    BOOST_TEST(members_of(s).gone());
}

BOOST_AUTO_TEST_CASE(a_result_in_time_for_the_kill_counts) {
    command_engine e;
    command_options o;
    o.kill_after = 60s;
    const scratch s;
    e.bind("tidy",
           "trap 'echo 42; exit 0' TERM; echo $$ >" + s.path("ready") +
               "; while true; do sleep 0.05; done",
           o);
    const job_id id = e.submit(new_job("tidy"));
    s.number_in("ready");
    auto stopped = asio::co_spawn(e.io, e.app.queue().cancel(id), asio::use_future);
    stopped.get();
    BOOST_TEST(eventually([&] { return name_of(e.app.queue().find(id)->state) == "completed"; }));
    BOOST_TEST(e.app.queue().find(id)->result == "42");
}

BOOST_AUTO_TEST_CASE(cancelled_job_ends_its_group) {
    for (const unsigned threads : {1U, 2U}) {
        command_engine e(threads);
        const scratch s;
        command_options o;
        o.kill_after = 100ms;
        e.bind("long", deaf_family(s), o);
        const job_id id = e.submit(new_job("long"));
        const members both = members_of(s);
        BOOST_TEST(lives(both.child));
        asio::co_spawn(e.io, e.app.queue().cancel(id), asio::use_future).get();
        BOOST_TEST(both.gone());
        BOOST_TEST(
            eventually([&] { return name_of(e.app.queue().find(id)->state) == "cancelled"; }));
    }
}

BOOST_AUTO_TEST_CASE(kill_of_the_worker_ends_the_group) {
    command_engine e;
    const scratch s;
    e.bind("long", family(s));
    new_job job("long");
    job.max_attempts = 1;
    const job_id id = e.submit(std::move(job));
    const members both = members_of(s);
    std::string busy;
    for (const worker_status& w : e.app.pool("default").workers())
        if (w.busy != 0)
            busy = w.id;
    asio::co_spawn(e.io, e.app.pool("default").kill(busy), asio::use_future).get();
    BOOST_TEST(both.gone());
    BOOST_TEST(eventually([&] { return name_of(e.app.queue().find(id)->state) == "discarded"; }));
    BOOST_TEST(eventually([] { return children().empty(); }));
}

BOOST_AUTO_TEST_CASE(stop_of_the_engine_gives_the_job_back) {
    for (const unsigned threads : {1U, 2U}) {
        const scratch s;
        worker_pool_options pool;
        pool.drain_wait = 100ms;
        pool.cancel_grace = 100ms;
        command_engine e(threads, pool);
        e.bind("long", deaf_family(s));
        const job_id id = e.submit(new_job("long"));
        const members both = members_of(s);
        e.stop();
        BOOST_TEST(both.gone());
        const auto found = e.app.queue().find(id);
        BOOST_TEST(name_of(found->state) == "available");
        BOOST_TEST(found->attempt == 0U);
        BOOST_TEST(children().empty());
    }
}

BOOST_AUTO_TEST_CASE(context_that_is_destroyed_takes_its_commands_along) {
    const scratch s;
    {
        asio::io_context io;
        engine app(io.get_executor());
        command_options o;
        o.argv = {"sh", "-c", deaf_family(s)};
        app.handle_command("long", o);
        o.concurrency = 1;
        o.argv = {"sh", "-c", "echo $$ >" + s.path("narrow") + "; sleep 1000"};
        app.handle_command("narrow", o); // one runs, two wait for it
        asio::co_spawn(io, app.run(), rethrow);
        for (const char* kind : {"long", "narrow", "narrow", "narrow"})
            asio::co_spawn(io, app.pool("default").submit(new_job(kind)), asio::detached);
        eventually([&] {
            io.run_for(10ms);
            return std::ifstream(s.path("leader")).peek() != EOF &&
                   std::ifstream(s.path("narrow")).peek() != EOF;
        });
    }
    BOOST_TEST(members_of(s).gone());
    BOOST_TEST(!lives(s.number_in("narrow")));
    BOOST_TEST(children().empty());
}

// The kernel kills what it has started; not what that has started.
BOOST_AUTO_TEST_CASE(engine_that_is_killed_takes_its_command_along) {
    const scratch s;
    const std::string script = "echo $$ >" + s.path("leader") + "; exec sleep 1000";
    const pid_t victim = ::fork();
    BOOST_REQUIRE(victim >= 0);
    if (victim == 0) {
        ::execl(LIFEGUARD_COMMAND_VICTIM, "victim", "sh", "-c", script.c_str(), nullptr);
        ::_exit(127);
    }
    const pid_t leader = s.number_in("leader");
    BOOST_TEST(lives(leader));
    ::kill(victim, SIGKILL);
    ::waitpid(victim, nullptr, 0);
    BOOST_TEST(eventually([&] { return !lives(leader); }));
}

BOOST_AUTO_TEST_SUITE_END()
