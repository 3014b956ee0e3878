// Section 7.1: enqueue and pull.
#include "conformance/queue_fixture.hpp"
#include "queue/rfc3339.hpp"

#include <set>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
using boost::test_tools::per_element;

BOOST_AUTO_TEST_SUITE(enqueue)

LIFEGUARD_STORE_TEST(Q_01_a_push_answers_an_id_that_is_never_reused) {
    queue_fixture q(ctx, kept);
    const bool removes = !q.queue.core()->store().is_shared(); // others would answer `unsupported`
    std::set<job_id> ids;
    for (int i = 0; i < 100; ++i) {
        const job_id id = q.push(new_job("k"));
        BOOST_TEST(q.state(id) == job_state::available);
        BOOST_TEST(ids.insert(id).second);
        if (removes && i % 2 == 0)
            ctx.await(q.queue.remove(id));
    }
    BOOST_TEST(q.counts() == (removes ? "available 50" : "available 100"));
}

LIFEGUARD_STORE_TEST(Q_01_what_is_wrong_with_a_job_is_named) {
    queue_fixture q(ctx, kept);
    const auto refuses = [&](auto job, std::string_view named) {
        const thrown t = q.refused(job);
        BOOST_TEST(t.code == errc::invalid_job);
        BOOST_TEST_CONTEXT(t.text) { BOOST_TEST(t.text.find(named) != std::string::npos); }
    };
    refuses(std::string(R"({"payload":1})"), "member 'kind'");
    refuses(std::string(R"({"kind":""})"), "member 'kind'");
    refuses(std::string(R"({"kind":"k","queue":""})"), "member 'queue'");
    refuses(std::string(R"({"kind":"k","id":"0190a6f2"})"), "member 'id'");
    refuses(new_job(""), "kind");
    refuses(new_job("  "), "kind");
    new_job blank("k");
    blank.queue = " ";
    refuses(blank, "queue");
    BOOST_TEST(q.figures().pushed == 0u);
}

LIFEGUARD_STORE_TEST(Q_02_a_take_gives_what_is_there_up_to_what_was_asked_for) {
    queue_fixture q(ctx, kept);
    BOOST_TEST(q.take(5).empty());
    for (int i = 0; i < 3; ++i)
        q.push(new_job("k"));
    BOOST_TEST(q.take(5).size() == 3u);
    for (int i = 0; i < 8; ++i)
        q.push(new_job("k"));
    BOOST_TEST(q.take(5).size() == 5u);
    BOOST_TEST(q.counts() == "available 3, executing 8");
}

LIFEGUARD_STORE_TEST(Q_03_most_urgent_priority_first) {
    queue_fixture q(ctx, kept);
    for (const int priority : {3, 2, 1, 0})
        q.push(priority);
    std::vector<int> ran;
    q.handle("k", [&](job_context& job) -> asio::awaitable<json> {
        ran.push_back(job.priority());
        co_return json();
    });
    const pool_fixture pool(ctx, q, one_worker());
    const std::vector<int> expected{0, 1, 2, 3};
    BOOST_TEST(ran == expected, per_element());
}

LIFEGUARD_STORE_TEST(Q_04_first_come_first_served_within_a_priority) {
    queue_fixture q(ctx, kept);
    std::vector<job_id> pushed;
    for (int i = 0; i < 1000; ++i)
        pushed.push_back(q.push(new_job("k" + std::to_string(i % 3))));
    std::vector<job_id> taken;
    while (taken.size() < 1000)
        for (const taken_job& t : q.take(7))
            taken.push_back(t.id);
    BOOST_TEST((taken == pushed));
}

LIFEGUARD_STORE_TEST(Q_05_a_batch_is_the_most_urgent_jobs) {
    queue_fixture q(ctx, kept);
    for (const int priority : {3, 2, 1})
        q.push(priority);
    const std::vector<int> first{1, 2}, rest{3};
    BOOST_TEST(q.priorities(q.take(2)) == first, per_element());
    BOOST_TEST(q.priorities(q.take(1)) == rest, per_element());
}

LIFEGUARD_STORE_TEST(Q_06_a_taker_sees_its_own_queues_only) {
    queue_fixture q(ctx, kept);
    q.push("abc", 3);
    const job_id urgent = q.push("def", 1);
    take_options both("abc");
    both.queues.emplace_back("def");
    const auto taken = q.take(both);
    BOOST_TEST_REQUIRE(taken.size() == 1u);
    BOOST_TEST(taken[0].id == urgent);
    BOOST_TEST(taken[0].queue == "def");
    q.release(taken[0]);
    BOOST_TEST(q.take(1, "abc").size() == 1u);
    BOOST_TEST(q.take(1, "abc").empty());
}

LIFEGUARD_STORE_TEST(Q_06_names_of_queues) {
    queue_fixture q(ctx, kept);
    const std::string longest(200, 'q');
    q.push(longest);
    BOOST_TEST(q.counts(longest) == "available 1");
    new_job over("k");
    over.queue = longest + "q";
    BOOST_TEST(q.refused(over).code == errc::invalid_job);
    q.push("x_y");
    q.push("X_y");
    BOOST_TEST(q.counts("x_y") == "available 1");
    BOOST_TEST(q.take(1, "X_Y").empty());
    new_job latin("k");
    latin.queue = "caf\xe9";
    BOOST_TEST(q.refused(latin).code == errc::invalid_job);
}

LIFEGUARD_STORE_TEST(Q_07_priorities_out_of_range_are_refused_and_the_queue_goes_on) {
    queue_fixture q(ctx, kept);
    const auto refuses = [&](auto job) {
        const thrown t = q.refused(job);
        BOOST_TEST(t.code == errc::invalid_job);
        BOOST_TEST(t.text.find("priority") != std::string::npos);
    };
    for (const int wrong : {10, -1}) {
        new_job job("k");
        job.priority = wrong;
        refuses(job);
    }
    for (const char* wrong : {"10", "-1", "\"high\"", "1.5", "null", "99999999999999999999"})
        refuses(R"({"kind":"k","priority":)" + std::string(wrong) + "}");
    q.push(9);
    q.push_json(R"({"kind":"k","priority":9})");
    BOOST_TEST(q.counts() == "available 2");
}

LIFEGUARD_STORE_TEST(Q_08_run_at) {
    queue_fixture q(ctx, kept);
    const wall_time now = ctx.time->wall_now();
    for (const auto past : {2s, 1s}) {
        new_job job("k");
        job.run_at = now - past;
        q.push(std::move(job));
    }
    BOOST_TEST(q.take(5).size() == 2u);
    q.push_json(R"({"kind":"k","run_at":")" + detail::format_rfc3339(now + 1s) + "\"}");
    ctx.advance(20ms);
    BOOST_TEST(q.take(5).empty());
    ctx.advance(979ms);
    BOOST_TEST(q.take(5).empty());
    ctx.advance(1ms);
    BOOST_TEST(q.take(5).size() == 1u);
    for (const char* wrong : {"\"soon\"", "\"2026-13-01T00:00:00Z\"", "1", "\"\""})
        BOOST_TEST(q.refused(R"({"kind":"k","run_at":)" + std::string(wrong) + "}").code ==
                   errc::invalid_job);
}

LIFEGUARD_STORE_TEST(Q_09_a_delayed_job_becomes_available) {
    queue_fixture q(ctx, kept);
    new_job job("k");
    job.delay = 1s;
    q.push(job);
    BOOST_TEST(q.counts() == "scheduled 1");
    ctx.advance(999ms);
    BOOST_TEST(q.counts() == "scheduled 1");
    ctx.advance(11ms);
    BOOST_TEST(q.counts() == "available 1");
    job.delay = 0s;
    q.push(job);
    BOOST_TEST(q.counts() == "available 2");
    job.delay = -1ns;
    BOOST_TEST(q.refused(job).code == errc::invalid_job);
    BOOST_TEST(q.refused(std::string(R"({"kind":"k","delay_ms":-1})")).code == errc::invalid_job);
}

LIFEGUARD_STORE_TEST(Q_10_upkeep_moves_only_what_is_due) {
    queue_fixture q(ctx, kept);
    const job_id done = q.push(new_job("k"));
    q.complete(q.take());
    const job_id dead = q.push(new_job("k"));
    const taken_job dying = q.take();
    ctx.await(q.queue.discard(dying.id, dying.token, "no"));
    const job_id leased = q.push(new_job("k"));
    q.take();
    const job_id retry = q.push(new_job("k"));
    q.fail(q.take()); // again in 1 s
    new_job job("k");
    job.delay = 1s;
    const job_id scheduled = q.push(job);
    job.delay = 2s;
    const job_id later = q.push(job);

    ctx.advance(1s);
    BOOST_TEST(q.state(retry) == job_state::available);
    BOOST_TEST(q.state(scheduled) == job_state::available);
    BOOST_TEST(q.state(later) == job_state::scheduled);
    BOOST_TEST(q.state(leased) == job_state::executing);
    BOOST_TEST(q.state(done) == job_state::completed);
    BOOST_TEST(q.state(dead) == job_state::discarded);
}

LIFEGUARD_STORE_TEST(Q_10_more_due_jobs_than_a_batch_holds) {
    queue_fixture q(ctx, kept);
    new_job job("k");
    job.delay = 1s;
    for (int i = 0; i < 501; ++i)
        q.push(job);
    ctx.advance(1s);
    BOOST_TEST(q.counts() == "available 501");
}

LIFEGUARD_STORE_TEST(Q_11_a_take_waits_for_a_job) {
    queue_fixture q(ctx, kept);
    take_options options;
    options.wait = 1s;
    const auto empty = ctx.spawn(q.queue.take(options));
    ctx.advance(999ms);
    BOOST_TEST(!empty.ready());
    ctx.advance(1ms);
    BOOST_TEST_REQUIRE(empty.ready());
    BOOST_TEST(test_future(empty).get().empty());

    auto served = ctx.spawn(q.queue.take(options));
    ctx.advance(300ms);
    BOOST_TEST(!served.ready());
    const job_id id = q.push(new_job("k"));
    ctx.settle();
    BOOST_TEST_REQUIRE(served.ready());
    const auto taken = served.get();
    BOOST_TEST_REQUIRE(taken.size() == 1u);
    BOOST_TEST(taken[0].id == id);
    q.complete(taken[0]);
}

LIFEGUARD_STORE_TEST(Q_12_strict_order_of_queues) {
    queue_fixture q(ctx, kept);
    for (int i = 0; i < 2; ++i)
        q.push("low", 0);
    for (int i = 0; i < 2; ++i)
        q.push("default", 5);
    for (int i = 0; i < 3; ++i)
        q.push("critical", 9);
    std::string ran;
    q.handle("k", [&](job_context& job) -> asio::awaitable<json> {
        ran += job.queue()[0];
        co_return json();
    });
    worker_pool_options options = one_worker();
    options.queues = {"critical", "default", "low"};
    options.strict_order = true;
    const pool_fixture pool(ctx, q, options);
    BOOST_TEST(ran == "cccddll");
    for (const char* name : {"critical", "default", "low"})
        BOOST_TEST(q.queue.counts(name).executing == 0u);
}

LIFEGUARD_STORE_TEST(Q_14_payload_text_comes_back_byte_for_byte) {
    queue_options options = conformance_options();
    options.limits.payload_max = 4096;
    queue_fixture q(ctx, kept, options);
    std::vector<std::string> texts{R"({"a" : [1, 2.50, -0, 1E5] , "b":"\u00e9\n\"\\\/" })",
                                   "9007199254740993",
                                   "9223372036854775808",
                                   "-9223372036854775809",
                                   "1e-999",
                                   "1.000000000000000005",
                                   R"({"twice":1,"twice":2})",
                                   " \t[ ]\n",
                                   "\"\"",
                                   "\xf0\x9f\x9b\x9f"};
    texts.back() = "\"" + texts.back() + "\"";
    texts.push_back(std::string(512, '[') + std::string(512, ']'));
    texts.push_back("\"" + std::string(4094, 'x') + "\"");
    for (const std::string& text : texts) {
        q.push(new_job::from_text("k", text));
        const taken_job t = q.take();
        BOOST_TEST(t.payload == text);
        BOOST_TEST(q.info(t.id).payload == text);
        q.complete(t);
    }
    for (const std::string wrong :
         {"", "{", "nul", "1 2", "\"\xff\"", "\"\\ud800\"", "1e999", "\xef\xbb\xbf{}"})
        BOOST_TEST(q.refused(new_job::from_text("k", wrong)).code == errc::malformed_json);
    BOOST_TEST(
        q.refused(new_job::from_text("k", std::string(513, '[') + std::string(513, ']'))).code ==
        errc::too_deep);
    BOOST_TEST(q.refused(new_job::from_text("k", "\"" + std::string(4095, 'x') + "\"")).code ==
               errc::payload_too_large);
    q.push(new_job("k"));
    BOOST_TEST(q.counts() == "available 1, completed " + std::to_string(texts.size()));
}

BOOST_AUTO_TEST_SUITE_END()
