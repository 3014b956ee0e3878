// NATS-01 to NATS-09: the store in JetStream. The words of the cases: pull is take, ack is
// complete, nack is fail. Everything that the server does takes its own, real time.
#include "nats/nats_fixture.hpp"
#include "nats/server_view.hpp"
#include "nats/tcp_proxy.hpp"

#include <algorithm>
#include <set>
#include <vector>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
using clock_type = std::chrono::steady_clock; // lint: allow the server's time

namespace {

new_job job_of(const job_id& id) {
    new_job job("k");
    job.id = id;
    return job;
}

const job_id some_id(0x0190a6f28c5e7b3aU, 0x9f001234567890abU);

} // namespace

BOOST_AUTO_TEST_SUITE(nats)

LIFEGUARD_TEST(a_job_goes_from_one_engine_to_another) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture here(ctx, kept), there(ctx, kept);
    const job_id id = here.push(new_job::from_text("k", R"({"a" : 1e2})"));
    BOOST_TEST(here.state(id) == job_state::available);
    auto result = ctx.spawn(here.queue.result(id));
    const taken_job t = there.take();
    BOOST_TEST(t.id == id);
    BOOST_TEST(t.payload == R"({"a" : 1e2})");
    BOOST_TEST(here.take(1).empty());
    there.complete(t, json(42));
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return result.ready(); }));
    BOOST_TEST(result.get() == json(42));
    BOOST_TEST(here.state(id) == job_state::completed);
    BOOST_TEST(there.state(id) == job_state::completed);
    BOOST_TEST(there.complete_answers(id, t.token) == "already_done");
}

LIFEGUARD_TEST(an_attempt_that_failed_is_tried_by_whoever_takes_it) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture here(ctx, kept), there(ctx, kept);
    const job_id id = here.push(new_job("k"));
    here.fail(here.take(), "boom");
    BOOST_TEST(here.state(id) == job_state::retryable);
    ctx.advance(1s); // its time has come, and nobody here takes it
    const taken_job again = take_really(ctx, there);
    BOOST_TEST(again.id == id);
    BOOST_TEST(again.attempt == 2u);
    const job_info info = there.info(id);
    BOOST_TEST_REQUIRE(info.errors.size() == 1u);
    BOOST_TEST(info.errors[0].text == "boom");
}

LIFEGUARD_TEST(NATS_01_a_push_is_answered_after_the_servers_ack) {
    tcp_proxy proxy(shared_port());
    auto options = nats_options(fresh_prefix(), url_of(proxy));
    options.answer_wait = 300ms;
    queue_fixture q(ctx, kept_in(options));
    proxy.swallow_answers();
    auto unanswered = ctx.spawn(q.queue.push(job_of(some_id)));
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return unanswered.ready(); }));
    BOOST_TEST(thrown_by([&] { unanswered.get(); }).code == errc::outcome_unknown);
    proxy.mend();
    // It has been stored, or its state only: now it is there, once.
    submission again;
    push_options idempotent;
    idempotent.idempotent = true;
    BOOST_TEST_REQUIRE(eventually(ctx, [&] {
        try {
            again = await_really(ctx, q.queue.submit(job_of(some_id), idempotent));
            return true;
        } catch (const error& e) {
            BOOST_TEST((e.code() == errc::store_unavailable || e.code() == errc::outcome_unknown));
            return false;
        }
    }));
    BOOST_TEST(again.conflict);
    BOOST_TEST(take_really(ctx, q).id == some_id);
    BOOST_TEST(q.take(5).empty());
}

LIFEGUARD_TEST(NATS_01_no_push_is_answered_without_a_connection) {
    tcp_proxy proxy(shared_port());
    auto options = nats_options(fresh_prefix(), url_of(proxy));
    queue_fixture q(ctx, kept_in(options));
    proxy.cut();
    const auto code = [&] {
        return thrown_by([&] { await_really(ctx, q.queue.push(new_job("k"))); }).code;
    };
    BOOST_TEST(eventually(ctx, [&] { return code() == errc::store_unavailable; }));
    proxy.mend();
    BOOST_TEST(eventually(ctx, [&] { return code() == error_code(); }));
}

LIFEGUARD_TEST(NATS_02_the_same_id_twice_is_one_job) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture here(ctx, kept), there(ctx, kept);
    push_options idempotent;
    idempotent.idempotent = true;
    BOOST_TEST(!ctx.await(here.queue.submit(job_of(some_id), idempotent)).conflict);
    const submission second = ctx.await(there.queue.submit(job_of(some_id), idempotent));
    BOOST_TEST(second.conflict);
    BOOST_TEST(second.id == some_id);
    BOOST_TEST(there.refused(job_of(some_id)).code == errc::duplicate_id);
    BOOST_TEST(there.take(5).size() == 1u);
}

LIFEGUARD_TEST(NATS_03_a_take_asks_once_for_as_many_as_it_wants) {
    const std::string prefix = fresh_prefix();
    queue_fixture q(ctx, kept_in(nats_options(prefix)));
    for (int i = 0; i < 3; ++i)
        q.push(new_job("k"));
    BOOST_TEST(q.take(5).size() == 3u);
    BOOST_TEST(q.take(5).empty());
    take_options waits("default");
    waits.wait = 200ms;
    auto empty = ctx.spawn(q.queue.take(waits));
    ctx.settle();
    BOOST_TEST(!empty.ready());
    ctx.advance(200ms);
    BOOST_TEST_REQUIRE(empty.ready());
    BOOST_TEST(empty.get().empty());
    server_view server(shared_nats_url());
    BOOST_TEST(eventually(ctx, [&] { return server.waiting(prefix + "_WORK", "default_5") == 0; }));
}

LIFEGUARD_TEST(NATS_03_a_job_that_comes_ends_the_wait) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture here(ctx, kept), there(ctx, kept);
    take_options waits("default");
    waits.wait = 60s;
    auto taken = ctx.spawn(there.queue.take(waits));
    ctx.settle();
    BOOST_TEST(!taken.ready());
    const job_id id = here.push(new_job("k"));
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return taken.ready(); }));
    BOOST_TEST(taken.get().at(0).id == id);
}

LIFEGUARD_TEST(NATS_04_a_completion_counts_when_the_server_has_it) {
    const std::string prefix = fresh_prefix();
    tcp_proxy proxy(shared_port());
    auto options = nats_options(prefix, url_of(proxy));
    options.answer_wait = 300ms;
    options.ack_wait = 1s;
    queue_fixture q(ctx, kept_in(options));
    const job_id id = q.push(new_job("k"));
    const taken_job t = q.take();
    proxy.swallow_answers();
    auto done = ctx.spawn(q.queue.complete(t.id, t.token, json(1)));
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return done.ready(); }));
    BOOST_TEST(thrown_by([&] { done.get(); }).code == errc::outcome_unknown);
    BOOST_TEST(q.state(id) == job_state::executing);
    proxy.mend();
    // Asked again it finds its own write.
    BOOST_TEST(eventually(ctx, [&] {
        const auto code =
            thrown_by([&] { await_really(ctx, q.queue.complete(t.id, t.token, json(1))); }).code;
        return code == error_code() || code == errc::already_done;
    }));
    BOOST_TEST(q.state(id) == job_state::completed);
    server_view server(shared_nats_url());
    BOOST_TEST(eventually(ctx, [&] { return server.messages(prefix + "_WORK") == 0; }));
}

LIFEGUARD_TEST(NATS_05_a_delayed_job_comes_back_when_it_is_time) {
    auto options = nats_options(fresh_prefix());
    options.hold_delayed = 0s;
    queue_fixture q(ctx, kept_in(options));
    const job_id id = q.push(new_job("k"));
    const taken_job t = q.take();
    const auto begun = clock_type::now(); // the server may begin to wait before it answers
    ctx.await(q.queue.snooze(t.id, t.token, 2s));
    BOOST_TEST(q.state(id) == job_state::scheduled);
    ctx.advance(2s);
    const taken_job again = take_really(ctx, q);
    BOOST_TEST(again.id == id);
    BOOST_TEST((clock_type::now() - begun >= 2s));
    // A plain nak: at once.
    q.release(again);
    BOOST_TEST(take_really(ctx, q).id == id);
}

LIFEGUARD_TEST(NATS_05_a_lease_is_renewed_while_the_engine_lives) {
    auto options = nats_options(fresh_prefix());
    options.ack_wait = 1s;
    const auto kept = kept_in(options);
    queue_fixture here(ctx, kept), there(ctx, kept);
    here.push(new_job("k"));
    const taken_job t = here.take();
    const auto begun = clock_type::now();
    while (clock_type::now() - begun < 2500ms)
        BOOST_TEST(there.take(1).empty());
    here.complete(t);
}

LIFEGUARD_TEST(NATS_06_a_job_of_an_engine_that_died_comes_after_the_ack_wait) {
    tcp_proxy proxy(shared_port());
    const std::string prefix = fresh_prefix();
    auto options = nats_options(prefix, url_of(proxy));
    options.ack_wait = 1s;
    queue_fixture dies(ctx, kept_in(options));
    options.servers = {shared_nats_url()};
    queue_fixture lives(ctx, kept_in(options));
    const job_id id = dies.push(new_job("k"));
    const taken_job t = dies.take();
    proxy.cut();
    const taken_job again = take_really(ctx, lives);
    BOOST_TEST(again.id == id);
    BOOST_TEST(again.attempt == 2u); // what had begun is charged
    BOOST_TEST(lives.info(id).errors.at(0).text.starts_with("lease expired"));
    lives.complete(again, json("second"));
    // The result of the superseded delivery changes nothing.
    proxy.mend();
    BOOST_TEST(eventually(ctx, [&] {
        const auto code = thrown_by([&] {
                              await_really(ctx, dies.queue.complete(t.id, t.token, json("first")));
                          }).code;
        return code == errc::lease_lost;
    }));
    BOOST_TEST(eventually(ctx, [&] { return dies.state(id) == job_state::completed; }));
    BOOST_TEST(ctx.await(dies.queue.result(id)) == json("second"));
}

LIFEGUARD_TEST(NATS_06_what_a_living_engine_gives_back_comes_at_once) {
    auto options = nats_options(fresh_prefix());
    options.ack_wait = 600s;
    const auto kept = kept_in(options);
    queue_fixture here(ctx, kept), there(ctx, kept);
    here.push(new_job("k"));
    const taken_job t = here.take();
    const auto begun = clock_type::now();
    here.release(t);
    take_really(ctx, there);
    BOOST_TEST((clock_type::now() - begun < 1s));
}

LIFEGUARD_TEST(NATS_07_what_is_given_up_is_a_dead_letter_once) {
    const std::string prefix = fresh_prefix();
    queue_fixture q(ctx, kept_in(nats_options(prefix)));
    new_job job = new_job::from_text("k", R"({"a":1})");
    job.max_attempts = 2;
    const job_id id = q.push(std::move(job));
    q.fail(q.take(), "first");
    ctx.advance(1s);
    q.fail(take_really(ctx, q), "second");
    BOOST_TEST(q.state(id) == job_state::discarded);
    server_view server(shared_nats_url());
    BOOST_TEST(eventually(ctx, [&] { return server.messages(prefix + "_WORK") == 0; }));
    const auto dead = server.data(prefix + "_DEAD");
    BOOST_TEST_REQUIRE(dead.size() == 1u);
    for (const char* part : {R"({"a":1})", "first", "second", "discarded"})
        BOOST_TEST(dead[0].find(part) != std::string::npos);
}

LIFEGUARD_TEST(NATS_08_a_restart_of_the_server_loses_nothing_that_was_answered) {
    nats_server server;
    auto options = nats_options("restart", server.url());
    options.answer_wait = 500ms;
    options.retry_wait = 50ms;
    options.ack_wait = 2s;
    queue_fixture q(ctx, kept_in(options));
    std::set<job_id> acknowledged, completed;
    std::vector<taken_job> open;
    std::size_t unanswered = 0, twice = 0;
    const auto work = [&] {
        take_options some("default");
        some.jobs_max = 5;
        for (taken_job& t : await_really(ctx, q.queue.take(some)))
            open.push_back(std::move(t));
        std::erase_if(open, [&](const taken_job& t) {
            const auto code =
                thrown_by([&] { await_really(ctx, q.queue.complete(t.id, t.token, json())); }).code;
            if (code == errc::outcome_unknown || code == errc::store_unavailable)
                return false; // to be asked again
            if (!code)
                twice += completed.insert(t.id).second ? 0 : 1;
            else if (code == errc::already_done)
                completed.insert(t.id);
            return true;
        });
    };
    const auto answers = [&] {
        try {
            acknowledged.insert(await_really(ctx, q.queue.push(new_job("k"))));
            return true;
        } catch (const error&) {
            ++unanswered;
            return false;
        }
    };
    for (int i = 0; i < 120; ++i) {
        if (i == 50)
            server.kill();
        if (i == 60) {
            server.start();
            BOOST_TEST(eventually(ctx, [&] { return answers(); }));
        }
        answers();
        if (i % 3 == 0)
            work();
    }
    BOOST_TEST(unanswered != 0u);
    BOOST_TEST(acknowledged.size() > 100u);
    BOOST_TEST(eventually(ctx, [&] {
        work();
        return std::ranges::includes(completed, acknowledged);
    }));
    BOOST_TEST(twice == 0u);
    BOOST_TEST(open.empty());
}

LIFEGUARD_TEST(a_worker_of_one_engine_executes_what_another_submits) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture here(ctx, kept), there(ctx, kept);
    there.handle("double", [](job_context& job) -> asio::awaitable<json> {
        co_return job.payload().get<int>() * 2;
    });
    const pool_fixture pool(ctx, there, one_worker());
    for (int i = 0; i < 20; ++i) {
        const job_id id = here.push(new_job("double", i));
        BOOST_TEST(await_really(ctx, here.queue.result(id)) == json(2 * i));
    }
}

LIFEGUARD_TEST(an_execute_and_its_worker_share_an_engine) {
    queue_fixture q(ctx, kept_in(nats_options(fresh_prefix())));
    q.handle("double", [](job_context& job) -> asio::awaitable<json> {
        co_return job.payload().get<int>() * 2;
    });
    pool_fixture pool(ctx, q, one_worker());
    for (int i = 0; i < 20; ++i)
        BOOST_TEST(await_really(ctx, pool.pool.execute(new_job("double", i))) == json(2 * i));
}

LIFEGUARD_TEST(a_pause_holds_on_every_engine_and_outlives_them) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture here(ctx, kept), there(ctx, kept);
    here.push(new_job("k"));
    ctx.await(here.queue.pause("default"));
    BOOST_TEST(eventually(ctx, [&] { return there.queue.status("default").paused; }));
    BOOST_TEST(there.take(1).empty());
    {
        queue_fixture later(ctx, kept);
        BOOST_TEST(later.queue.status("default").paused);
    }
    ctx.await(there.queue.resume("default"));
    BOOST_TEST(eventually(ctx, [&] { return !here.queue.status("default").paused; }));
    BOOST_TEST(here.take(1).size() == 1u);
}

LIFEGUARD_TEST(what_it_cannot_do_is_unsupported) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture q(ctx, kept);
    const job_id id = q.push(new_job("k"));
    const auto refuses = [&](auto what) {
        BOOST_TEST(thrown_by([&] { ctx.await(std::move(what)); }).code == errc::unsupported);
    };
    refuses(q.queue.take_by_id(id));
    refuses(q.queue.remove(id));
    refuses(q.queue.retry(id));
    refuses(q.queue.kick(id));
    refuses(q.queue.kick("default", 1));
    refuses(q.queue.cancel(id));
    refuses(q.queue.list(list_options()));
    remove_options all;
    all.queue = "default";
    refuses(q.queue.remove(all));
    std::vector<new_job> two(2, new_job("k"));
    refuses(q.queue.push(std::move(two), push_options()));
    new_job only("k");
    only.unique.emplace();
    refuses(q.queue.push(std::move(only)));
}

LIFEGUARD_TEST(NATS_09_what_is_not_as_it_must_be_is_named) {
    const auto refusal = [&](const nats_store_options& o) {
        return thrown_by([&] { const queue_fixture q(ctx, kept_in(o)); });
    };
    server_view server(shared_nats_url());
    auto missing = nats_options(fresh_prefix());
    missing.create_missing = false;
    thrown t = refusal(missing);
    BOOST_TEST(t.code == errc::store_failed);
    BOOST_TEST(t.text.find("is missing") != std::string::npos);

    const auto memory = nats_options(fresh_prefix());
    server.add_stream(memory.prefix + "_WORK", memory.prefix + ".work.>", js_WorkQueuePolicy,
                      js_MemoryStorage);
    t = refusal(memory);
    BOOST_TEST(t.text.find(memory.prefix + "_WORK': is in memory") != std::string::npos);

    const auto limits = nats_options(fresh_prefix());
    server.add_stream(limits.prefix + "_WORK", limits.prefix + ".work.>", js_LimitsPolicy,
                      js_FileStorage);
    t = refusal(limits);
    BOOST_TEST(t.text.find("retention") != std::string::npos);

    const auto subjects = nats_options(fresh_prefix());
    server.add_stream(subjects.prefix + "_DEAD", subjects.prefix + ".other", js_LimitsPolicy,
                      js_FileStorage);
    t = refusal(subjects);
    BOOST_TEST(t.text.find("subjects") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
