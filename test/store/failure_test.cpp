// A disk that fails while the engine runs: distinct errors, an engine that goes on, nothing lost.
#include "store/faulty_vfs.hpp"
#include "store/file_fixture.hpp"

#include <thread>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(failure)

namespace {

/// As many of the queue's jobs as there are in the file.
void same_after_a_kill(test_context& ctx, queue_fixture& q, const sqlite_store_options& file) {
    queue_fixture again(ctx, in_file(killed_now(file)));
    BOOST_TEST(again.counts() == q.counts());
}

struct failing {
    disk_failure::of what;
    int result;
    errc code;
};

constexpr std::array failures{
    failing{disk_failure::of::write, SQLITE_FULL, errc::store_full},
    failing{disk_failure::of::write, SQLITE_READONLY, errc::store_read_only},
    failing{disk_failure::of::write, SQLITE_IOERR_WRITE, errc::store_failed},
    failing{disk_failure::of::sync, SQLITE_IOERR_FSYNC, errc::store_failed},
};

} // namespace

LIFEGUARD_TEST(CRASH_08_a_push_that_cannot_be_stored_is_refused_and_the_next_one_works) {
    for (const failing f : failures) {
        BOOST_TEST_CONTEXT("SQLite " << f.result) {
            const auto file = new_database();
            queue_fixture q(ctx, in_file(file));
            new_job job("k");
            job.id = job_id(1, 2);
            q.push(new_job("first"));
            {
                const disk_failure now(f.what, f.result);
                const thrown t = q.refused(job);
                BOOST_TEST((t.code == f.code), t.text);
                BOOST_TEST(t.text.find(file.path) != std::string::npos);
                BOOST_TEST(q.counts() == "available 1");
                BOOST_TEST(!q.queue.find(job.id).has_value());
                BOOST_TEST(q.take().kind == "first"); // needs no disk
            }
            BOOST_TEST(q.push(job) == job.id); // its id is free again
            BOOST_TEST(q.counts() == "available 1, executing 1");
        }
    }
}

LIFEGUARD_TEST(a_result_by_token_that_cannot_be_stored_leaves_the_lease) {
    for (const failing f : failures) {
        BOOST_TEST_CONTEXT("SQLite " << f.result) {
            const auto file = new_database();
            queue_fixture q(ctx, in_file(file));
            q.push(new_job("k"));
            const taken_job t = q.take();
            {
                const disk_failure now(f.what, f.result);
                for (int i = 0; i < 2; ++i)
                    BOOST_TEST(q.complete_answers(t.id, t.token) == name_of(f.code));
                BOOST_TEST((thrown_by([&] { q.fail(t); }).code == f.code));
                BOOST_TEST(q.info(t.id).errors.empty());
                BOOST_TEST(q.state(t.id) == job_state::executing);
                BOOST_TEST(q.figures().completed == 0u);
                BOOST_TEST(q.figures().failed == 0u);
            }
            // The lease is still watched, and still good.
            ctx.await(q.queue.extend(t.id, t.token));
            q.complete(t, 5);
            BOOST_TEST(q.info(t.id).result == "5");
            same_after_a_kill(ctx, q, file);
        }
    }
}

LIFEGUARD_TEST(after_a_change_that_could_not_be_stored_a_job_is_where_it_was) {
    queue_fixture q(ctx, in_file(new_database()));
    const job_id leased = q.push(new_job("k"));
    const taken_job t = q.take();
    const job_id idle = q.push(new_job("k"));
    {
        const disk_failure now(disk_failure::of::write, SQLITE_FULL);
        BOOST_TEST(q.complete_answers(t.id, t.token) == "store_full");
        BOOST_TEST((thrown_by([&] { ctx.await(q.queue.remove(idle)); }).code == errc::store_full));
    }
    BOOST_TEST(q.take().id == idle);
    ctx.advance(30s); // both leases run out
    BOOST_TEST(q.state(leased) == job_state::available);
    BOOST_TEST(q.counts() == "available 2");
}

LIFEGUARD_TEST(a_lease_runs_out_though_its_end_could_not_be_stored_at_first) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    q.push(new_job("k"));
    const taken_job t = q.take();
    {
        const disk_failure now(disk_failure::of::write, SQLITE_FULL);
        ctx.advance(30s);
        BOOST_TEST(q.state(t.id) == job_state::executing); // not settled, and not to be taken
        BOOST_TEST(q.take(1).empty());
        BOOST_TEST(q.complete_answers(t.id, t.token) == "lease_lost");
    }
    ctx.advance(1s); // retry_wait
    BOOST_TEST(q.counts() == "available 1");
    BOOST_TEST(q.info(t.id).errors.size() == 1u);
    BOOST_TEST(q.figures().lease_timeouts == 1u);
}

LIFEGUARD_TEST(the_result_of_a_worker_is_kept_until_it_can_be_stored) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    gate held;
    int runs = 0;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        ++runs;
        co_await held.pass();
        co_return "precious";
    });
    pool_fixture pool(ctx, q, one_worker());
    const job_id id = pool.submit(new_job("k"));
    auto result = ctx.spawn(q.queue.result(id));
    {
        const disk_failure now(disk_failure::of::write, SQLITE_FULL);
        held.open();
        ctx.settle();
        ctx.advance(5s);
        BOOST_TEST(q.state(id) == job_state::executing);
        BOOST_TEST(!result.ready());                    // it is not durable
        BOOST_TEST(pool.pool.worker("p/1").busy == 0u); // and the worker is free
        const thrown t = thrown_by([&] { ctx.await(q.queue.remove(id)); });
        BOOST_TEST((t.code == errc::executing));
    }
    ctx.advance(1s);
    BOOST_TEST_REQUIRE(result.ready());
    BOOST_TEST(result.get() == "precious");
    BOOST_TEST(runs == 1);
    same_after_a_kill(ctx, q, file);
}

LIFEGUARD_TEST(anything_that_is_stored_takes_along_what_could_not_be) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    q.handle("k", [](job_context&) -> asio::awaitable<json> { co_return 1; });
    const job_id id = q.push(new_job("k"));
    {
        const disk_failure now(disk_failure::of::write, SQLITE_FULL);
        pool_fixture pool(ctx, q, one_worker());
        BOOST_TEST(q.state(id) == job_state::executing);
    }
    q.push(new_job("other"));
    BOOST_TEST(q.state(id) == job_state::completed);
}

LIFEGUARD_TEST(in_a_full_group_the_results_are_saved_and_the_pushes_refused) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    q.push(new_job("k"));
    const taken_job t = q.take();
    shell s(file.path);
    s.run("BEGIN IMMEDIATE"); // holds the writer while the group forms
    const auto groups = [&] {
        return q.queue.core()->shared().metrics->value("lifeguard_store_groups_total", {}).value();
    };
    const double before = groups();
    auto first = ctx.spawn(q.queue.push(new_job("first")));
    ctx.io.restart();
    ctx.io.poll();
    while (groups() == before)
        std::this_thread::yield(); // until the writer waits for the shell, with the first alone
    auto second = ctx.spawn(q.queue.push(new_job("second")));
    auto done = ctx.spawn(q.queue.complete(t.id, t.token, json(2)));
    ctx.io.restart();
    ctx.io.poll();
    // The first transaction finds no space, nor does the second as a whole.
    const disk_failure now(disk_failure::of::write, SQLITE_FULL, 2);
    s.run("ROLLBACK");
    ctx.settle();
    BOOST_TEST((first.error() == errc::store_full));
    BOOST_TEST((second.error() == errc::store_full));
    BOOST_TEST(!done.error().failed());
    BOOST_TEST(q.counts() == "completed 1");
    same_after_a_kill(ctx, q, file);
}

LIFEGUARD_TEST(CRASH_11_a_shell_that_holds_the_lock_is_waited_for_and_then_it_is_busy) {
    auto file = new_database();
    file.busy_wait = duration::zero();
    queue_fixture q(ctx, in_file(file));
    shell s(file.path);
    s.run("BEGIN IMMEDIATE");
    const thrown t = q.refused(new_job("k"));
    BOOST_TEST((t.code == errc::store_busy), t.text);
    s.run("ROLLBACK");
    q.push(new_job("k"));
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_TEST(a_push_waits_for_a_shell_without_holding_up_the_others) {
    const auto file = new_database(); // busy_wait 5 s
    queue_fixture q(ctx, in_file(file));
    shell s(file.path);
    s.run("BEGIN IMMEDIATE");
    auto push = ctx.spawn(q.queue.push(new_job("k")));
    bool ran = false;
    asio::post(ctx.io, [&] { ran = true; });
    ctx.io.restart();
    ctx.io.poll();
    BOOST_TEST(ran);
    BOOST_TEST(!push.ready());
    s.run("ROLLBACK");
    ctx.settle();
    BOOST_TEST_REQUIRE(push.ready());
    BOOST_TEST(!push.error().failed());
}

LIFEGUARD_TEST(CRASH_09_a_file_that_can_only_be_read_is_refused) {
    const auto file = new_database();
    {
        queue_fixture q(ctx, in_file(file));
    }
    const read_only_disk now;
    const thrown t = thrown_by([&] { sqlite_store(file); });
    BOOST_TEST((t.code == errc::store_read_only), t.text);
    BOOST_TEST(t.text.find(file.path) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_not_there_is_named) {
    sqlite_store_options o;
    o.path = "/nowhere/at/all/jobs.db";
    const thrown t = thrown_by([&] { sqlite_store(o); });
    BOOST_TEST((t.code == errc::store_failed), t.text);
    BOOST_TEST(t.text.find(o.path) != std::string::npos);
}

LIFEGUARD_TEST(an_execute_hears_that_its_job_could_not_be_stored) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    q.handle("k", [](job_context&) -> asio::awaitable<json> { co_return 1; });
    pool_fixture pool(ctx, q, one_worker());
    {
        const disk_failure now(disk_failure::of::write, SQLITE_FULL);
        const thrown t = thrown_by([&] { ctx.await(pool.pool.execute(new_job("k"))); });
        BOOST_TEST((t.code == errc::store_full), t.text);
    }
    BOOST_TEST(ctx.await(pool.pool.execute(new_job("k"))) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
