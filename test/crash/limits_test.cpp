// Somebody else uses the file while the engine runs; and how large the files become.
#include "store/file_fixture.hpp"
#include <lifeguard/engine.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(limits)

namespace {

/// LIFEGUARD_SOAK: there is time for the full lengths.
bool soak() { return std::getenv("LIFEGUARD_SOAK") != nullptr; }

} // namespace

// The component's real-time variant: the wait is SQLite's, on the writer's thread.
BOOST_AUTO_TEST_CASE(CRASH_11_while_a_lock_is_waited_for_a_timer_keeps_its_beat) {
    auto file = new_database();
    file.busy_wait = soak() ? 3s : 300ms;
    boost::asio::io_context io;
    const auto clock = real_time_source();
    job_queue queue(io.get_executor(), sqlite_store(file));
    shell other(file.path);
    other.run("BEGIN IMMEDIATE");
    bool answered = false;
    thrown said;
    duration waited{};
    duration longest{};
    int beats = 0;
    const auto push = [&]() -> asio::awaitable<void> {
        const time_point begin = clock->now();
        try {
            co_await queue.push(new_job("k"));
        } catch (const error& e) {
            said = {e.code(), e.what()};
        }
        waited = clock->now() - begin;
        answered = true;
    };
    const auto beat = [&]() -> asio::awaitable<void> {
        gate_timer timer(io);
        time_point last = clock->now();
        while (!answered) {
            timer.expires_after(5ms); // lint: allow the case is about real time
            co_await timer.async_wait(asio::use_awaitable);
            const time_point now = clock->now();
            longest = std::max(longest, now - last - 5ms);
            last = now;
            ++beats;
        }
    };
    asio::co_spawn(io, push(), rethrow);
    asio::co_spawn(io, beat(), rethrow);
    io.run();
    BOOST_TEST((said.code == errc::store_busy), said.text);
    BOOST_TEST((waited >= file.busy_wait * 9 / 10));
    const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(longest).count();
    BOOST_TEST_MESSAGE(beats << " beats, the latest one by " << late << " ms");
    BOOST_TEST(beats >= 10);
    BOOST_TEST(late < (soak() ? 50 : 150)); // other tests may run beside this one
    other.run("ROLLBACK");
    io.restart();
    asio::co_spawn(io, push(), rethrow);
    said = {};
    io.run();
    BOOST_TEST(!said.code.failed(), said.text);
}

namespace {

std::uintmax_t size_of(const std::string& path) {
    return std::filesystem::exists(path) ? std::filesystem::file_size(path) : 0;
}

/// Pushes and completes so many jobs with payloads of about 2 KB.
void work(test_context& ctx, queue_fixture& q, int jobs) {
    const new_job job = new_job::from_text("k", "\"" + std::string(2000, 'x') + "\"");
    constexpr int group = 200;
    for (int done = 0; done < jobs; done += group) {
        std::vector<test_future<job_id>> pushes;
        for (int i = 0; i < group; ++i)
            pushes.push_back(ctx.spawn(q.queue.push(job)));
        ctx.settle();
        std::vector<test_future<void>> completions;
        for (const taken_job& t : q.take(group))
            completions.push_back(ctx.spawn(q.queue.complete(t.id, t.token, json())));
        ctx.settle();
        BOOST_TEST_REQUIRE(completions.size() == pushes.size());
    }
}

constexpr std::uintmax_t mib = 1024 * 1024;

/// The largest size of the log beside a reader that stays for 1,000 jobs each time.
std::uintmax_t log_beside_a_reader(int rounds) {
    auto file = unsynced_database();
    file.finished_max = 1000;
    std::uintmax_t largest = 0;
    {
        test_context ctx;
        queue_fixture q(ctx, in_file(file));
        shell reader(file.path);
        for (int round = 0; round < rounds; ++round) {
            reader.run("BEGIN");
            reader.ask("SELECT count(*) FROM jobs");
            work(ctx, q, 1000);
            largest = std::max(largest, size_of(file.path + "-wal"));
            reader.run("COMMIT");
            work(ctx, q, 200); // SQLite can begin a log anew only while nobody reads from it
        }
    }
    BOOST_TEST(size_of(file.path + "-wal") == 0u); // after a stop in good order
    return largest;
}

} // namespace

BOOST_AUTO_TEST_CASE(CRASH_14_the_log_stays_short_beside_a_reader_that_comes_and_goes) {
    const auto largest = log_beside_a_reader(soak() ? 2000 : 8);
    BOOST_TEST_MESSAGE("the log had " << largest / mib << " MiB at most");
    BOOST_TEST(largest < 64 * mib);
}

// By finished_max, which is what there is to keep a file small.
BOOST_AUTO_TEST_CASE(CRASH_15_a_file_whose_old_jobs_are_forgotten_does_not_grow) {
    auto file = unsynced_database();
    file.finished_max = 500;
    const int jobs = soak() ? 1'000'000 : 4000;
    const auto size_after = [&] {
        {
            test_context ctx;
            queue_fixture q(ctx, in_file(file));
            work(ctx, q, jobs);
        }
        return size_of(file.path);
    };
    const auto first = size_after();
    const auto second = size_after();
    BOOST_TEST_MESSAGE("the file has " << first << " bytes, then " << second);
    BOOST_TEST(second <= first + first / 10);
}

BOOST_AUTO_TEST_SUITE_END()
