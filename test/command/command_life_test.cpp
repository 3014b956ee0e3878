// Commands: nothing is left behind, and not too many run.
#include "command/command_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <signal.h> // NOLINT: sigaction
#include <unistd.h>

#include <atomic>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(command_life)

BOOST_AUTO_TEST_CASE(two_hundred_in_a_row_leave_nothing) {
    for (const unsigned threads : {1U, 2U}) {
        command_engine e(threads);
        command_options o;
        o.argv = {"cat"};
        e.bind("cat", "", o);
        e.bind("fail", "exit 1");
        BOOST_TEST(e.run("cat", 0).result == 0); // what is opened once, and kept
        const std::size_t before = open_descriptors();
        for (int i = 0; i < 200; ++i) {
            if (i % 10 == 0)
                BOOST_TEST(e.run("fail").error != "");
            else
                BOOST_TEST(e.run("cat", i).result == i);
        }
        BOOST_TEST(children().empty());
        // The job ends a moment before the last descriptor is closed, before and after.
        BOOST_TEST(eventually([&] { return open_descriptors() <= before; }));
    }
}

BOOST_AUTO_TEST_CASE(many_at_once) {
    worker_pool_options pool;
    pool.size = 20;
    command_engine e(2, pool);
    e.bind("cat", "cat");
    std::vector<std::future<json>> all;
    for (int i = 0; i < 100; ++i)
        all.push_back(e.begin(new_job("cat", i)));
    for (int i = 0; i < 100; ++i)
        BOOST_TEST(all[static_cast<std::size_t>(i)].get() == i);
    BOOST_TEST(children().empty());
}

BOOST_AUTO_TEST_CASE(no_more_than_allowed_at_once) {
    worker_pool_options pool;
    pool.size = 10;
    command_engine e(2, pool);
    const scratch s;
    command_options o;
    o.concurrency = 2;
    // Each says how many are there, itself included.
    e.bind("count",
           "mkdir " + s.path("") + "r$$; ls " + s.path("") + " | wc -l; sleep 0.05; rmdir " +
               s.path("") + "r$$",
           o);
    std::vector<std::future<json>> all;
    for (int i = 0; i < 12; ++i)
        all.push_back(e.begin(new_job("count")));
    int most = 0;
    for (auto& f : all)
        most = std::max(most, f.get().get<int>());
    BOOST_TEST(most == 2);
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_slot_can_be_cancelled) {
    command_engine e;
    const scratch s;
    command_options o;
    o.concurrency = 1;
    o.kill_after = 100ms;
    e.bind("one", "echo $$ >" + s.path("pid") + "; sleep 1000", o);
    const job_id first = e.submit(new_job("one"));
    s.number_in("pid");
    const job_id second = e.submit(new_job("one"));
    const auto state = [&](const job_id& id) {
        return std::string(name_of(e.app.queue().find(id)->state));
    };
    BOOST_TEST(eventually([&] { return state(second) == "executing"; }));
    asio::co_spawn(e.io, e.app.queue().cancel(second), asio::use_future).get();
    BOOST_TEST(eventually([&] { return state(second) == "cancelled"; }));
    BOOST_TEST(state(first) == "executing");
    asio::co_spawn(e.io, e.app.queue().cancel(first), asio::use_future).get();
    BOOST_TEST(eventually([&] { return state(first) == "cancelled"; }));
    // The slot is free again.
    const job_id third = e.submit(new_job("one"));
    BOOST_TEST(eventually([&] { return children().size() == 1U; }));
    asio::co_spawn(e.io, e.app.queue().cancel(third), asio::use_future).get();
    BOOST_TEST(eventually([&] { return state(third) == "cancelled"; }));
}

BOOST_AUTO_TEST_CASE(what_a_command_leaves_running_is_killed) {
    command_engine e;
    const scratch s;
    e.bind("daemon", "sleep 1000 & echo $! >" + s.path("child") + "; echo 5");
    BOOST_TEST(e.run("daemon").result == 5);
    const pid_t child = s.number_in("child");
    BOOST_TEST(eventually([&] { return !lives(child); }));
    // One that left the group holds the pipe open; nobody waits for it.
    e.bind("escaped", "setsid sleep 1000 & echo $! >" + s.path("free") + "; sleep 0.2; echo 6");
    BOOST_TEST(e.run("escaped").result == 6);
    ::kill(s.number_in("free"), SIGKILL);
}

BOOST_AUTO_TEST_CASE(program_inherits_neither_descriptors_nor_signals) {
    const int open = ::open("/dev/null", O_RDONLY); // not O_CLOEXEC: as a careless program does
    BOOST_REQUIRE(open >= 0);
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    struct sigaction before{};
    ::sigaction(SIGPIPE, &ignore, &before);
    command_engine e;
    e.bind("fds", "ls /proc/self/fd | wc -l");
    BOOST_TEST(e.run("fds").result == 4); // and the directory that ls reads
    e.bind("signals", "grep -E '^Sig(Blk|Ign)' /proc/self/status | grep -cv 0000000000000000");
    BOOST_TEST(e.run("signals").error.find("exit status 1") != std::string::npos); // none
    ::sigaction(SIGPIPE, &before, nullptr);
    ::close(open);
}

namespace {

std::atomic<int> heard{0};
void hear(int) { ++heard; }

} // namespace

BOOST_AUTO_TEST_CASE(signal_handlers_of_the_program_stay) {
    struct sigaction mine{};
    mine.sa_handler = hear;
    mine.sa_flags = SA_RESTART;
    struct sigaction before{};
    ::sigaction(SIGCHLD, &mine, &before);
    {
        command_engine e;
        e.bind("ok", "echo 1");
        BOOST_TEST(e.run("ok").result == 1);
        struct sigaction now{};
        ::sigaction(SIGCHLD, nullptr, &now);
        BOOST_TEST((now.sa_handler == hear));
        BOOST_TEST(heard > 0);
    }
    // A program that has its children reaped by the kernel is told what is wrong.
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGCHLD, &ignore, nullptr);
    {
        command_engine e;
        e.bind("ok", "sleep 0.1; echo 1");
        BOOST_TEST(e.run("ok").error.find("ignores SIGCHLD") != std::string::npos);
    }
    ::sigaction(SIGCHLD, &before, nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
