// What engines that share their jobs leave to each other, and what is left of those that die.
#include "nats/nats_fixture.hpp"
#include "nats/server_view.hpp"

#include <algorithm>
#include <optional>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
using clock_type = std::chrono::steady_clock; // lint: allow the server's time

namespace {

asio::awaitable<json> nothing(job_context&) { co_return json(); }

handler waits_at(gate& g) {
    return [&g](job_context&) -> asio::awaitable<json> {
        co_await g.pass();
        co_return json();
    };
}

void let_all_through(test_context& ctx, gate& g) {
    ctx.settle();
    while (g.waiting() != 0) {
        g.open();
        ctx.settle();
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(nats)

LIFEGUARD_TEST(answers_that_come_late_change_nothing) {
    tcp_proxy proxy(shared_port());
    auto options = nats_options(fresh_prefix(), url_of(proxy));
    options.answer_wait = 500ms;
    queue_fixture q(ctx, kept_in(options));
    proxy.delay_answers(100ms);
    std::vector<job_id> ids;
    for (int i = 0; i < 3; ++i)
        ids.push_back(await_really(ctx, q.queue.push(new_job("k"))));
    for (const job_id& id : ids) {
        const taken_job t = take_really(ctx, q);
        BOOST_TEST(t.id == id);
        BOOST_TEST(t.attempt == 1u);
        await_really(ctx, q.queue.complete(t.id, t.token, json()));
    }
    // Later than is waited for.
    proxy.delay_answers(1s);
    const job_id late(0x0190a6f28c5e7b3aU, 0x9f001234567890abU);
    new_job job("k");
    job.id = late;
    const auto code = thrown_by([&] { await_really(ctx, q.queue.push(job)); }).code;
    BOOST_TEST(code == errc::outcome_unknown);
    proxy.delay_answers(0ms);
    push_options idempotent;
    idempotent.idempotent = true;
    std::optional<submission> again;
    BOOST_TEST(eventually(ctx, [&] {
        try {
            again = await_really(ctx, q.queue.submit(job, idempotent));
            return true;
        } catch (const error&) {
            return false;
        }
    }));
    BOOST_TEST(again->conflict);
    BOOST_TEST(take_really(ctx, q).id == late);
    BOOST_TEST(q.take(5).empty());
}

LIFEGUARD_TEST(a_result_is_there_for_whoever_knows_the_id) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture submits(ctx, kept), works(ctx, kept), asks(ctx, kept);
    const job_id id = submits.push(new_job::from_text("k", R"({"a":1})"));
    auto result = ctx.spawn(asks.queue.result(id));
    ctx.settle();
    BOOST_TEST(!result.ready());
    BOOST_TEST(asks.state(id) == job_state::available);
    works.complete(works.take(), json("done"));
    const auto begun = clock_type::now();
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return result.ready(); }));
    BOOST_TEST(result.get() == json("done"));
    BOOST_TEST((clock_type::now() - begun < 5s)); // not at the next look at all that is elsewhere
    queue_fixture comes_later(ctx, kept);
    BOOST_TEST(await_really(ctx, comes_later.queue.result(id)) == json("done"));
    BOOST_TEST(comes_later.info(id).payload == R"({"a":1})");
    const job_id nobodys(0x0190a6f28c5e7b3aU, 0x9f001234567890abU);
    const thrown t = thrown_by([&] { await_really(ctx, asks.queue.result(nobodys)); });
    BOOST_TEST(t.code == errc::not_found);
}

LIFEGUARD_TEST(a_job_on_its_way_to_an_engine_that_stops_is_for_others_at_once) {
    tcp_proxy slow(shared_port());
    server_view server(shared_nats_url());
    const std::string prefix = fresh_prefix();
    const std::string consumer = "default_" + std::to_string(priority_default);
    queue_fixture stays(ctx, kept_in(nats_options(prefix)));
    BOOST_TEST(stays.take(1).empty()); // makes the consumers
    std::optional<job_queue> leaves;
    leaves.emplace(ctx.executor(), nats_store(nats_options(prefix, url_of(slow))), queue_options(),
                   ctx.time);
    take_options patient("default");
    patient.wait = 30s;
    auto waits = ctx.spawn(leaves->take(patient));
    const auto requests = [&] { return server.waiting(prefix + "_WORK", consumer); };
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return requests() == 1; }));
    slow.delay_answers(300ms);
    const job_id id = stays.push(new_job("k"));
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return requests() == 0; })); // it has been sent
    waits.cancel();
    ctx.settle();
    leaves.reset();
    BOOST_TEST(take_really(ctx, stays).id == id); // not after `ack_wait`
}

LIFEGUARD_TEST(a_discarded_job_is_that_for_whoever_knows_the_id) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture works(ctx, kept), asks(ctx, kept);
    const job_id id = works.push(new_job("k"));
    auto result = ctx.spawn(asks.queue.result(id));
    const taken_job t = works.take();
    ctx.await(works.queue.discard(t.id, t.token, "no use"));
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return result.ready(); }));
    const thrown why = thrown_by([&] { result.get(); });
    BOOST_TEST(why.code == errc::job_discarded);
    BOOST_TEST(why.text.find("no use") != std::string::npos);
}

LIFEGUARD_TEST(a_result_cannot_be_looked_for_without_a_server) {
    tcp_proxy proxy(shared_port());
    queue_fixture q(ctx, kept_in(nats_options(fresh_prefix(), url_of(proxy))));
    proxy.cut();
    const job_id id(0x0190a6f28c5e7b3aU, 0x9f001234567890abU);
    BOOST_TEST(eventually(ctx, [&] {
        return thrown_by([&] { await_really(ctx, q.queue.result(id)); }).code ==
               errc::store_unavailable;
    }));
}

/// Takes the only job and gives it back, time and again. Returns how often it was there.
static asio::awaitable<int> take_and_release(job_queue queue, int times) {
    int taken = 0;
    for (int i = 0; i < times; ++i) {
        const take_options one("default");
        for (const taken_job& t : co_await queue.take(one)) {
            ++taken;
            co_await queue.release(t.id, t.token);
        }
    }
    co_return taken;
}

LIFEGUARD_TEST(what_was_given_back_is_there_for_the_next_take) {
    queue_fixture q(ctx, kept_in(nats_options(fresh_prefix())));
    q.push(new_job("k"));
    BOOST_TEST(await_really(ctx, take_and_release(q.queue, 50)) == 50);
}

LIFEGUARD_TEST(a_pool_that_stops_gives_back_what_was_fetched_for_it) {
    auto options = nats_options(fresh_prefix());
    options.ack_wait = 600s;
    const auto kept = kept_in(options);
    queue_fixture here(ctx, kept), there(ctx, kept);
    gate held;
    here.handle("k", waits_at(held));
    for (int i = 0; i < 6; ++i)
        there.push(new_job("k"));
    {
        worker_pool_options several = one_worker();
        several.pull_size = 6;
        const pool_fixture p(ctx, here, several);
        BOOST_TEST(eventually(ctx, [&] { return held.waiting() == 1; }));
        BOOST_TEST(there.take(6).empty());
    }
    std::size_t taken = 0;
    BOOST_TEST(eventually(ctx, [&] {
        taken += there.take(6).size();
        return taken == 6;
    }));
}

LIFEGUARD_TEST(a_pool_that_grows_fetches_for_its_new_size) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture here(ctx, kept), there(ctx, kept);
    gate held;
    here.handle("k", waits_at(held));
    pool_fixture p(ctx, here, one_worker());
    for (int i = 0; i < 8; ++i)
        there.push(new_job("k"));
    BOOST_TEST(eventually(ctx, [&] { return held.waiting() == 1; }));
    p.pool.resize(4);
    BOOST_TEST(eventually(ctx, [&] { return held.waiting() == 4; }));
    BOOST_TEST(eventually(ctx, [&] { return here.queue.counts("default").available == 4; }));
    BOOST_TEST(there.take(8).empty());
    BOOST_TEST(eventually(ctx, [&] {
        let_all_through(ctx, held);
        return here.queue.counts("default").completed == 8;
    }));
}

LIFEGUARD_TEST(a_job_gets_to_the_engine_that_has_a_handler_for_it) {
    const auto kept = kept_in(nats_options(fresh_prefix()));
    queue_fixture here(ctx, kept), there(ctx, kept);
    here.handle("ours", nothing);
    there.handle("theirs", nothing);
    const pool_fixture a(ctx, here, one_worker()), b(ctx, there, one_worker());
    const job_id id = here.push(new_job("theirs"));
    BOOST_TEST(await_really(ctx, here.queue.result(id)) == json());
}

LIFEGUARD_TEST(a_job_that_nobody_can_run_is_fetched_less_and_less) {
    const std::string prefix = fresh_prefix();
    queue_fixture q(ctx, kept_in(nats_options(prefix)));
    q.handle("known", nothing);
    const pool_fixture p(ctx, q, one_worker());
    q.push(new_job("unknown"));
    const auto begun = clock_type::now();
    while (clock_type::now() - begun < 4500ms)
        ctx.settle();
    server_view server(shared_nats_url());
    const std::uint64_t n = server.deliveries(prefix + "_WORK", "default_5");
    BOOST_TEST(n >= 2u); // at 0, 1 and 3 s
    BOOST_TEST(n <= 3u);
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_TEST(finished_jobs_of_engines_that_died_go_from_the_bucket) {
    auto options = nats_options(fresh_prefix());
    options.keep_states_for = 1s;
    const auto kept = kept_in(options);
    server_view server(shared_nats_url());
    const std::string bucket = "KV_" + options.prefix + "_jobs";
    queue_fixture lives(ctx, kept);
    lives.push("other"); // older than all, and not finished
    {
        auto for_ever = options;
        for_ever.keep_states_for = duration(-1);
        queue_fixture dies(ctx, kept_in(for_ever));
        for (int i = 0; i < 5; ++i)
            dies.push(new_job("k"));
        for (int i = 0; i < 4; ++i)
            dies.complete(dies.take());
        BOOST_TEST(server.messages(bucket) == 6u);
    }
    BOOST_TEST(eventually(ctx, [&] { return server.messages(bucket) == 2; }));
    BOOST_TEST(take_really(ctx, lives).attempt == 1u);
    BOOST_TEST(lives.take(1, "other").size() == 1u);
}

LIFEGUARD_TEST(finished_jobs_go_from_the_bucket_when_their_engine_forgets_them) {
    for (const bool made_by_the_client : {false, true}) { // which denies deletes
        BOOST_TEST_CONTEXT("made by the client: " << made_by_the_client) {
            auto options = nats_options(fresh_prefix());
            options.finished_max = 2;
            server_view server(shared_nats_url());
            if (made_by_the_client)
                server.add_bucket(options.prefix + "_jobs");
            queue_fixture q(ctx, kept_in(options));
            std::vector<job_id> finished;
            for (int i = 0; i < 6; ++i) {
                q.push(new_job("k"));
                const taken_job t = q.take();
                q.complete(t);
                finished.push_back(t.id);
            }
            const job_id waits = q.push(new_job("k"));
            const std::string bucket = "KV_" + options.prefix + "_jobs";
            BOOST_TEST(eventually(ctx, [&] { return server.messages(bucket) == 3; }));
            BOOST_TEST(q.state(finished.at(4)) == job_state::completed);
            BOOST_TEST(q.state(finished.at(5)) == job_state::completed);
            BOOST_TEST(q.take().id == waits);
        }
    }
}

LIFEGUARD_TEST(a_job_that_silences_its_engines_is_put_aside) {
    const std::string prefix = fresh_prefix();
    tcp_proxy to_first(shared_port()), to_second(shared_port());
    auto options = nats_options(prefix, url_of(to_first));
    options.ack_wait = 1s;
    options.max_process_crashes = 2;
    queue_fixture first(ctx, kept_in(options));
    options.servers = {url_of(to_second)};
    queue_fixture second(ctx, kept_in(options));
    options.servers = {shared_nats_url()};
    queue_fixture third(ctx, kept_in(options));
    const job_id id = third.push(new_job::from_text("k", R"({"a":1})"));
    BOOST_TEST(first.take().attempt == 1u);
    to_first.cut();
    const taken_job again = take_really(ctx, second);
    BOOST_TEST(again.attempt == 2u);
    to_second.cut();
    BOOST_TEST(eventually(ctx, [&] {
        BOOST_TEST(third.take(1).empty());
        return third.state(id) == job_state::discarded;
    }));
    const job_info info = third.info(id);
    BOOST_TEST_REQUIRE(info.errors.size() == 2u);
    BOOST_TEST(info.errors[1].text.starts_with("quarantined: "));
    server_view server(shared_nats_url());
    BOOST_TEST(eventually(ctx, [&] { return server.messages(prefix + "_DEAD") == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()
