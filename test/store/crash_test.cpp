// What is left when the process is killed: the files as they were at that moment.
#include "store/file_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(crash)

LIFEGUARD_TEST(CRASH_02_a_job_that_was_answered_is_there_and_can_be_removed) {
    const auto file = new_database();
    queue_fixture killed(ctx, in_file(file));
    const job_id id = killed.push(new_job("k"));
    queue_fixture q(ctx, in_file(killed_now(file)));
    BOOST_TEST(q.counts() == "available 1");
    ctx.await(q.queue.remove(id));
    BOOST_TEST(q.counts().empty());
}

LIFEGUARD_TEST(CRASH_03_what_was_answered_stands) {
    const auto file = new_database();
    queue_fixture killed(ctx, in_file(file));
    new_job job("k");
    job.priority = 2;
    const job_id first = killed.push(job);
    const job_id second = killed.push(new_job("k"));
    const taken_job snoozed = killed.take();
    ctx.await(killed.queue.snooze(snoozed.id, snoozed.token, 1s));
    killed.complete(killed.take(), 7);
    queue_fixture q(ctx, in_file(killed_now(file)));
    BOOST_TEST(q.state(second) == job_state::completed);
    BOOST_TEST(q.take(1).empty());
    ctx.advance(1s);
    const taken_job again = q.take();
    BOOST_TEST(again.id == first);
    BOOST_TEST(again.priority == 2);
}

LIFEGUARD_TEST(CRASH_05_leased_jobs_are_available_at_once_and_old_tokens_are_void) {
    const auto file = new_database();
    queue_fixture killed(ctx, in_file(file));
    for (int i = 0; i < 4; ++i)
        killed.push(new_job("k"));
    take_options options;
    options.jobs_max = 4;
    options.lease = 600s;
    const auto before = killed.take(options);
    queue_fixture q(ctx, in_file(killed_now(file)));
    BOOST_TEST(q.counts() == "available 4");
    const auto after = q.take(4);
    BOOST_TEST_REQUIRE(after.size() == 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        BOOST_TEST(after[i].id == before[i].id);
        BOOST_TEST(after[i].token == 2u);
        BOOST_TEST(after[i].attempt == 2u); // the first was cut short
        BOOST_TEST(q.complete_answers(before[i].id, before[i].token) == "lease_lost");
        const auto errors = q.info(before[i].id).errors;
        BOOST_TEST_REQUIRE(errors.size() == 1u);
        BOOST_TEST(errors[0].attempt == 1u);
        BOOST_TEST(errors[0].text == "the process ended while it executed the job");
    }
}

namespace {

/// Pushes a job, takes it, says so, and waits to be killed.
[[noreturn]] void hold_a_job(const sqlite_store_options& file, int tell) {
    boost::asio::io_context io;
    job_queue queue(io.get_executor(), sqlite_store(file));
    const auto work = [&]() -> asio::awaitable<void> {
        co_await queue.push(new_job("k"));
        const take_options one;
        co_await queue.take(one);
        const char byte = 1;
        if (::write(tell, &byte, 1) != 1)
            ::_exit(1);
    };
    asio::co_spawn(io, work(), [](const std::exception_ptr&) {});
    io.run();
    for (;;)
        ::pause();
}

} // namespace

BOOST_AUTO_TEST_CASE(CRASH_05_the_mark_of_an_attempt_outlives_a_real_kill) {
    const auto file = new_database();
    int ready[2];
    BOOST_TEST_REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    BOOST_TEST_REQUIRE(child >= 0);
    if (child == 0)
        hold_a_job(file, ready[1]);
    ::close(ready[1]);
    char byte = 0;
    BOOST_TEST(::read(ready[0], &byte, 1) == 1);
    ::kill(child, SIGKILL);
    BOOST_TEST(::waitpid(child, nullptr, 0) == child);
    ::close(ready[0]);
    test_context ctx;
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == "available 1");
    const taken_job t = q.take();
    BOOST_TEST(t.attempt == 2u);
    BOOST_TEST(t.token == 2u);
    BOOST_TEST(q.info(t.id).errors.size() == 1u);
}

LIFEGUARD_TEST(an_attempt_that_a_worker_had_begun_is_charged_and_one_it_had_taken_is_not) {
    const auto file = new_database();
    queue_fixture killed(ctx, in_file(file));
    gate held;
    killed.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    worker_pool_options options = one_worker();
    options.pull_size = 2;
    std::vector<job_id> ids{killed.push(new_job("k")), killed.push(new_job("k"))};
    pool_fixture pool(ctx, killed, options);
    BOOST_TEST(killed.counts() == "executing 2");
    {
        queue_fixture q(ctx, in_file(killed_now(file)));
        BOOST_TEST(q.counts() == "available 2");
        BOOST_TEST(q.info(ids[0]).attempt == 1u);
        BOOST_TEST(q.info(ids[0]).errors.size() == 1u);
        BOOST_TEST(q.info(ids[1]).attempt == 0u);
        BOOST_TEST(q.info(ids[1]).errors.empty());
    }
    held.open_one();
    ctx.settle();
    held.open();
    ctx.settle();
    // What has ended is not cut short by a crash that comes later.
    queue_fixture q(ctx, in_file(killed_now(file)));
    BOOST_TEST(q.counts() == "completed 2");
}

LIFEGUARD_TEST(a_job_that_ends_the_process_three_times_is_quarantined) {
    auto file = new_database();
    queue_fixture first(ctx, in_file(file));
    const job_id id = first.push(new_job("deadly"));
    BOOST_TEST(first.take().attempt == 1u);
    queue_fixture second(ctx, in_file(file = killed_now(file)));
    BOOST_TEST(second.take().attempt == 2u);
    queue_fixture third(ctx, in_file(file = killed_now(file)));
    BOOST_TEST(third.take().attempt == 3u);
    queue_fixture q(ctx, in_file(file = killed_now(file)));
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::discarded);
    BOOST_TEST(info.attempt == 3u);
    BOOST_TEST_REQUIRE(info.errors.size() == 3u);
    BOOST_TEST(info.errors[2].text ==
               "quarantined: the process ended while it executed the job, 3 times");
    const thrown t = thrown_by([&] { ctx.await(q.queue.result(id)); });
    BOOST_TEST((t.code == errc::job_discarded));
    // Also in the file.
    queue_fixture again(ctx, in_file(killed_now(file)));
    BOOST_TEST(again.state(id) == job_state::discarded);
    BOOST_TEST(again.info(id).errors.size() == 3u);
}

LIFEGUARD_TEST(the_last_attempt_cut_short_discards_the_job) {
    const auto file = new_database();
    queue_fixture killed(ctx, in_file(file));
    new_job job("k");
    job.max_attempts = 1;
    const job_id id = killed.push(job);
    killed.take();
    queue_fixture q(ctx, in_file(killed_now(file)));
    BOOST_TEST(q.state(id) == job_state::discarded);
    BOOST_TEST(q.info(id).errors.size() == 1u);
}

LIFEGUARD_TEST(a_store_that_is_closed_gives_back_what_executes_uncharged) {
    const auto file = new_database();
    taken_job t;
    {
        queue_fixture q(ctx, in_file(file));
        q.push(new_job("k"));
        t = q.take();
    }
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == "available 1");
    BOOST_TEST(q.info(t.id).attempt == 0u);
    BOOST_TEST(q.info(t.id).errors.empty());
    const taken_job again = q.take();
    BOOST_TEST(again.token == t.token + 1); // or the old one could finish it
    BOOST_TEST(again.attempt == 1u);
}

LIFEGUARD_TEST(a_lost_ledger_charges_nobody_and_voids_all_tokens) {
    const auto file = new_database();
    queue_fixture killed(ctx, in_file(file));
    const job_id idle = killed.push(new_job("idle"));
    killed.push(new_job("k"));
    take_options options;
    options.kinds = {"k"};
    const auto taken = killed.take(options);
    BOOST_TEST_REQUIRE(taken.size() == 1u);
    const auto left = killed_now(file);
    std::filesystem::remove(left.path + "-ledger"); // as a power cut may
    std::uint32_t token = 0;
    {
        queue_fixture q(ctx, in_file(left));
        BOOST_TEST(q.counts() == "available 2");
        const auto again = q.take(options);
        BOOST_TEST_REQUIRE(again.size() == 1u);
        BOOST_TEST(again[0].attempt == 1u);
        token = again[0].token;
        BOOST_TEST(token > taken[0].token);
        const auto twice = killed_now(left);
        std::filesystem::remove(twice.path + "-ledger");
        queue_fixture r(ctx, in_file(twice));
        const auto third = r.take(options);
        BOOST_TEST_REQUIRE(third.size() == 1u);
        BOOST_TEST(third[0].token > token);
    }
    queue_fixture q(ctx, in_file(left));
    BOOST_TEST(q.state(idle) == job_state::available);
}

LIFEGUARD_TEST(a_crash_between_the_charge_and_the_new_ledger_charges_once) {
    const auto file = new_database();
    queue_fixture killed(ctx, in_file(file));
    const job_id id = killed.push(new_job("k"));
    killed.take();
    const auto left = killed_now(file);
    const std::string ledger = content_of(left.path + "-ledger");
    {
        queue_fixture q(ctx, in_file(left));
    }
    std::ofstream(left.path + "-ledger", std::ios::binary) << ledger;
    queue_fixture q(ctx, in_file(left));
    BOOST_TEST(q.info(id).attempt == 1u);
    BOOST_TEST(q.info(id).errors.size() == 1u);
    BOOST_TEST(q.take().attempt == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
