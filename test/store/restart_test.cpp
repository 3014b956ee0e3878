// What a store that was closed in good order knows when it is opened again.
#include "store/file_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(restart)

namespace {

void same(const job_info& before, const job_info& after) {
    BOOST_TEST_CONTEXT(before.kind) {
        BOOST_TEST(after.id == before.id);
        BOOST_TEST(after.kind == before.kind);
        BOOST_TEST(after.queue == before.queue);
        BOOST_TEST(after.state == before.state);
        BOOST_TEST(after.priority == before.priority);
        BOOST_TEST(after.attempt == before.attempt);
        BOOST_TEST(after.max_attempts == before.max_attempts);
        BOOST_TEST(after.deliveries == before.deliveries);
        BOOST_TEST((after.created_at == before.created_at));
        BOOST_TEST((after.run_at == before.run_at));
        BOOST_TEST((after.attempted_at == before.attempted_at));
        BOOST_TEST((after.finished_at == before.finished_at));
        BOOST_TEST(after.payload == before.payload);
        BOOST_TEST(after.result == before.result);
        BOOST_TEST_REQUIRE(after.errors.size() == before.errors.size());
        for (std::size_t i = 0; i < after.errors.size(); ++i) {
            BOOST_TEST(after.errors[i].attempt == before.errors[i].attempt);
            BOOST_TEST((after.errors[i].at == before.errors[i].at));
            BOOST_TEST(after.errors[i].text == before.errors[i].text);
        }
    }
}

} // namespace

LIFEGUARD_TEST(CRASH_01_a_new_file_is_empty_and_can_be_used_twice) {
    const auto file = new_database();
    {
        queue_fixture q(ctx, in_file(file));
    }
    job_id id;
    {
        queue_fixture q(ctx, in_file(file));
        BOOST_TEST(q.counts().empty());
        id = q.push(new_job("k"));
    }
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.take().id == id);
}

LIFEGUARD_TEST(CRASH_04_paused_queues_are_paused_after_a_crash) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    for (const char* name : {"for ever", "for an hour", "for a minute", "resumed"}) {
        q.push(name);
        ctx.await(q.queue.pause(name));
    }
    ctx.await(q.queue.pause("for an hour", 1h));
    ctx.await(q.queue.pause("for a minute", 1min));
    ctx.await(q.queue.pause("never used"));
    ctx.await(q.queue.resume("resumed"));
    const auto remains = killed_now(file);
    ctx.advance(2min);
    queue_fixture again(ctx, in_file(remains));
    const auto taken_from = [&](const char* name) { return again.take(1, name).size(); };
    BOOST_TEST(taken_from("for ever") == 0u);
    BOOST_TEST(taken_from("for an hour") == 0u);
    BOOST_TEST(taken_from("for a minute") == 1u); // it ended by itself
    BOOST_TEST(taken_from("resumed") == 1u);
    BOOST_TEST(again.queue.status("never used").paused);
    BOOST_TEST(!again.queue.status("for ever").paused_until.has_value());
    ctx.advance(58min);
    BOOST_TEST(taken_from("for an hour") == 1u);
    BOOST_TEST(taken_from("for ever") == 0u);
}

LIFEGUARD_TEST(CRASH_04_every_state_is_what_it_was) {
    const auto file = new_database();
    std::vector<job_info> before;
    std::string counts;
    {
        queue_fixture q(ctx, in_file(file));
        const auto job_of = [&](const char* kind) {
            new_job job = new_job::from_text(kind, R"({"text": "h\u00e9", "n": 9007199254740993})");
            job.timeout = 7s;
            job.priority = 3;
            return job;
        };
        std::vector<job_id> ids;
        const auto push_and_take = [&](new_job job) {
            ids.push_back(q.push(std::move(job)));
            return q.take();
        };
        ctx.advance(1s);
        q.complete(push_and_take(job_of("completed")), {{"a", 1}, {"b", "\xc3\xa9"}});
        q.fail(push_and_take(job_of("retryable")), "first");
        ctx.advance(1s);
        q.fail(q.take(), "second");
        const taken_job dead = push_and_take(job_of("discarded"));
        ctx.await(q.queue.discard(dead.id, dead.token, "no good"));
        new_job later = job_of("scheduled");
        later.delay = 1h;
        ids.push_back(q.push(later));
        const taken_job snoozed = push_and_take(job_of("snoozed"));
        ctx.await(q.queue.snooze(snoozed.id, snoozed.token, 5min));
        q.release(push_and_take(job_of("released")));
        ctx.advance(1ms);
        ids.push_back(q.push(job_of("available")));
        for (const job_id& id : ids)
            before.push_back(q.info(id));
        counts = q.counts();
    }
    BOOST_TEST(counts == "scheduled 2, available 2, retryable 1, completed 1, discarded 1");
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == counts);
    for (const job_info& info : before)
        same(info, q.info(info.id));
    // And life goes on.
    BOOST_TEST(ctx.await(q.queue.result(before[0].id)).at("a") == 1);
    BOOST_TEST(q.take().kind == "released");
    BOOST_TEST(q.take().kind == "available");
    ctx.advance(1h);
    BOOST_TEST(q.counts() == "available 5, completed 1, discarded 1"); // two leases ran out
    BOOST_TEST((ctx.await(q.queue.take_by_id(before[2].id)).attempt == 2u));
}

LIFEGUARD_TEST(the_order_is_kept) {
    const auto file = new_database();
    std::vector<job_id> urgent;
    std::vector<job_id> idle;
    {
        queue_fixture q(ctx, in_file(file));
        for (int i = 0; i < 20; ++i)
            (i % 2 == 0 ? urgent : idle).push_back(q.push(i % 2 == 0 ? 1 : 9));
    }
    queue_fixture q(ctx, in_file(file));
    const job_id newest = q.push(1);
    urgent.push_back(newest);
    for (const auto& expected : {urgent, idle})
        for (const job_id& id : expected)
            BOOST_TEST(q.take().id == id);
}

LIFEGUARD_TEST(what_is_too_old_goes_from_the_file_though_nothing_else_is_stored) {
    auto file = new_database();
    file.keep_for.completed = 60s;
    file.keep_for.discarded = 90s;
    queue_fixture q(ctx, in_file(file));
    for (int i = 0; i < 1200; ++i) {
        q.push(new_job("k"));
        q.complete(q.take());
    }
    const job_id dead = q.push(new_job("k"));
    ctx.await(q.queue.discard(dead, q.take().token, "no good"));
    shell s(file.path);
    BOOST_TEST(s.ask("SELECT count(*) FROM finished") == "1200");
    ctx.advance(61s);
    BOOST_TEST(q.counts() == "discarded 1");
    BOOST_TEST(s.ask("SELECT count(*) FROM finished") == "0");
    BOOST_TEST(s.ask("SELECT count(*) FROM errors") == "1");
    const auto remains = killed_now(file);
    ctx.advance(30s);
    BOOST_TEST(s.ask("SELECT count(*) FROM all_jobs") == "0");
    BOOST_TEST(s.ask("SELECT count(*) FROM errors") == "0");
    queue_fixture again(ctx, in_file(remains)); // it grew too old while nobody had the file
    ctx.advance(1s);
    BOOST_TEST(again.counts().empty());
    BOOST_TEST(shell(remains.path).ask("SELECT count(*) FROM all_jobs") == "0");
}

LIFEGUARD_TEST(a_list_goes_on_where_it_was_after_a_restart) {
    const auto file = new_database();
    std::vector<job_id> ids;
    list_options options;
    options.limit = 10;
    {
        queue_fixture q(ctx, in_file(file));
        for (int i = 0; i < 30; ++i)
            ids.push_back(q.push(i % 10));
        for (int i = 0; i < 9; ++i)
            q.complete(q.take());
        const taken_job t = q.take();
        ctx.await(q.queue.discard(t.id, t.token, "no good"));
        options.after = ctx.await(q.queue.list(options)).next;
        BOOST_TEST(options.after == 10);
    }
    queue_fixture q(ctx, in_file(file));
    ids.push_back(q.push(0));
    options.limit = 100;
    const job_page page = ctx.await(q.queue.list(options));
    BOOST_TEST(page.next == 0);
    std::vector<job_id> listed;
    for (const job_info& job : page.jobs)
        listed.push_back(job.id);
    BOOST_TEST(listed == std::vector<job_id>(ids.begin() + 10, ids.end()),
               boost::test_tools::per_element());
}

LIFEGUARD_TEST(what_is_forgotten_is_forgotten_in_the_file_too) {
    auto file = new_database();
    file.finished_max = 3;
    file.discarded_max = 2;
    std::vector<job_id> ids;
    {
        queue_fixture q(ctx, in_file(file));
        for (int i = 0; i < 10; ++i) {
            ids.push_back(q.push(new_job("k")));
            q.complete(q.take(), i);
        }
        for (int i = 0; i < 10; ++i) {
            ids.push_back(q.push(new_job("k")));
            const taken_job t = q.take();
            ctx.await(q.queue.discard(t.id, t.token, "no good"));
        }
        BOOST_TEST(q.counts() == "completed 3, discarded 2");
    }
    shell s(file.path);
    BOOST_TEST(s.ask("SELECT count(*) FROM jobs") == "0");
    BOOST_TEST(s.ask("SELECT count(*) FROM finished") == "3");
    BOOST_TEST(s.ask("SELECT count(*) FROM discarded") == "2");
    BOOST_TEST(s.ask("SELECT count(*) FROM errors") == "2");
    file.finished_max = 1; // fewer than there are
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == "completed 1, discarded 2");
    BOOST_TEST(q.info(ids[9]).result == "9");
}

LIFEGUARD_TEST(a_removed_job_is_gone_and_a_revoked_one_too) {
    const auto file = new_database();
    {
        queue_fixture q(ctx, in_file(file));
        const job_id available = q.push(new_job("k"));
        ctx.await(q.queue.remove(available));
        const job_id done = q.push(new_job("k"));
        q.complete(q.take());
        ctx.await(q.queue.remove(done));
        q.handle("revoked", [](job_context&) -> asio::awaitable<json> {
            throw revoke_job("not wanted");
            co_return json();
        });
        pool_fixture pool(ctx, q, one_worker());
        pool.submit(new_job("revoked"));
        BOOST_TEST(q.counts().empty());
    }
    shell s(file.path);
    BOOST_TEST(s.ask("SELECT count(*) FROM all_jobs") == "0");
    BOOST_TEST(s.ask("SELECT count(*) FROM errors") == "0");
}

LIFEGUARD_TEST(a_dead_letter_that_was_revived_is_live_again) {
    const auto file = new_database();
    job_id id;
    {
        queue_fixture q(ctx, in_file(file));
        new_job job("k");
        job.max_attempts = 1;
        id = q.push(job);
        q.fail(q.take(), "first");
        const taken_job again = ctx.await(q.queue.take_by_id(id));
        q.release(again);
        BOOST_TEST(q.counts() == "available 1");
    }
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == "available 1");
    BOOST_TEST(q.info(id).errors.size() == 1u);
    q.complete(q.take(), "at last");
    BOOST_TEST(q.info(id).result == "\"at last\"");
    BOOST_TEST(q.info(id).errors.size() == 1u);
}

LIFEGUARD_TEST(the_newest_thousand_errors_are_kept) {
    const auto file = unsynced_database();
    job_id id;
    const auto check = [&](queue_fixture& q) {
        const auto errors = q.info(id).errors;
        BOOST_TEST_REQUIRE(errors.size() == 1000u);
        BOOST_TEST(errors.front().text == "4");
        BOOST_TEST(errors.back().text.size() == 4096u);
    };
    {
        queue_fixture q(ctx, in_file(file));
        new_job job("k");
        job.max_attempts = 2000;
        id = q.push(job);
        for (int i = 1; i <= 1002; ++i) {
            const taken_job t = ctx.await(q.queue.take_by_id(id));
            q.fail(t, std::to_string(i));
        }
        q.fail(ctx.await(q.queue.take_by_id(id)), std::string(5000, 'x'));
        check(q);
    }
    queue_fixture q(ctx, in_file(file));
    check(q);
}

BOOST_AUTO_TEST_SUITE_END()
