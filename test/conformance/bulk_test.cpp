// Many jobs at once: pushed (section 7.1) and removed (section 7.4).
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(bulk)

namespace {

std::vector<new_job> many(std::size_t n) { return std::vector<new_job>(n, new_job("k")); }

thrown refused(test_context& ctx, queue_fixture& q, std::vector<new_job> jobs,
               push_options options = push_options()) {
    return thrown_by([&] { ctx.await(q.queue.push(std::move(jobs), options)); });
}

void check_names(const thrown& t, errc code, std::string_view named) {
    BOOST_TEST(t.code == code);
    BOOST_TEST_CONTEXT(t.text) { BOOST_TEST(t.text.find(named) != std::string::npos); }
}

} // namespace

LIFEGUARD_STORE_TEST(Q_13_a_thousand_jobs_are_stored_in_one_go) {
    queue_fixture q(ctx, kept);
    std::vector<new_job> jobs = many(1000);
    jobs[999].priority = 0;
    jobs[500].delay = 1h;
    jobs[501].queue = "other";
    take_options waits;
    waits.wait = 1h;
    auto waiting = ctx.spawn(q.queue.take(waits));
    ctx.settle();
    const auto ids = ctx.await(q.queue.push(std::move(jobs)));
    ctx.settle();
    BOOST_TEST_REQUIRE(ids.size() == 1000u);
    BOOST_TEST(q.figures().pushed == 1000u);
    // Who waits is not given the first one, but the most urgent.
    BOOST_TEST_REQUIRE(waiting.ready());
    BOOST_TEST((waiting.get().at(0).id == ids[999]));
    BOOST_TEST(q.counts() == "scheduled 1, available 997, executing 1");
    BOOST_TEST(q.counts("other") == "available 1");
    BOOST_TEST(q.state(ids[500]) == job_state::scheduled);
    const auto taken = q.take(10000);
    std::vector<job_id> order;
    for (const taken_job& t : taken)
        order.push_back(t.id);
    std::vector<job_id> expected(ids.begin(), ids.end() - 1);
    expected.erase(expected.begin() + 500, expected.begin() + 502);
    BOOST_TEST((order == expected));
}

LIFEGUARD_STORE_TEST(Q_13_one_wrong_job_refuses_all_and_is_named) {
    queue_options options = conformance_options();
    options.kinds_max = 2;
    queue_fixture q(ctx, kept, options);
    std::vector<new_job> jobs = many(1000);
    jobs[3].priority = 10;
    check_names(refused(ctx, q, jobs), errc::invalid_job, "jobs[3].priority: ");
    jobs = many(1000);
    jobs[999].kind = "";
    check_names(refused(ctx, q, jobs), errc::invalid_job, "jobs[999].kind: ");
    jobs[999].kind = "k";
    jobs[7] = new_job::from_text("k", "{");
    check_names(refused(ctx, q, jobs), errc::malformed_json, "jobs[7]: payload at byte 1");
    jobs = many(3);
    jobs[1].kind = "l";
    jobs[2].kind = "m";
    check_names(refused(ctx, q, jobs), errc::limit_reached, "jobs[2]: queue_options::kinds_max");
    jobs = many(3);
    jobs[0].id = jobs[2].id = job_id(1, 2);
    check_names(refused(ctx, q, jobs), errc::duplicate_id, "jobs[2]: job ");
    BOOST_TEST(q.counts() == "");
    BOOST_TEST(q.figures().pushed == 0u);
    check_names(refused(ctx, q, {}), errc::invalid_job, "jobs: must not be empty");
    check_names(refused(ctx, q, many(batch_max + 1)), errc::limit_reached, "10001");
    push_options waits;
    waits.wait = 1s;
    check_names(refused(ctx, q, many(1), waits), errc::invalid_option, "wait");
    q.push(new_job("k"));
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_STORE_TEST(Q_13_a_queue_has_room_for_all_or_takes_none) {
    queue_options options = conformance_options();
    options.jobs_max = 10;
    queue_fixture q(ctx, kept, options);
    check_names(refused(ctx, q, many(11)), errc::queue_full, "jobs[10]: queue 'default'");
    BOOST_TEST(q.counts() == "");
    std::vector<new_job> jobs = many(20);
    for (std::size_t i = 0; i < 10; ++i)
        jobs[2 * i].queue = "other";
    BOOST_TEST(ctx.await(q.queue.push(jobs)).size() == 20u);
    BOOST_TEST(q.counts() == "available 10");
    BOOST_TEST(q.counts("other") == "available 10");
    check_names(refused(ctx, q, many(1)), errc::queue_full, "jobs[0]");
}

LIFEGUARD_STORE_TEST(Q_13_a_batch_may_hold_what_is_there_already) {
    queue_fixture q(ctx, kept);
    new_job keyed("k");
    keyed.unique = unique_options("a");
    new_job mine("k");
    mine.id = job_id(1, 2);
    const job_id there = q.push(keyed);
    push_options again;
    again.idempotent = true;
    std::vector<new_job> jobs{keyed, mine, mine, new_job("k")};
    keyed.unique->key = "b";
    jobs.push_back(keyed);
    jobs.push_back(keyed);
    const auto answers = ctx.await(q.queue.submit(jobs, again));
    BOOST_TEST_REQUIRE(answers.size() == 6u);
    BOOST_TEST((answers[0] == submission{there, true}));
    BOOST_TEST((answers[1] == submission{mine.id, false}));
    BOOST_TEST((answers[2] == submission{mine.id, true}));
    BOOST_TEST(!answers[3].conflict);
    BOOST_TEST(!answers[4].conflict);
    BOOST_TEST((answers[5] == submission{answers[4].id, true}));
    BOOST_TEST(q.counts() == "available 4");
    // Nothing is new.
    jobs.erase(jobs.begin() + 2, jobs.end());
    BOOST_TEST(ctx.await(q.queue.submit(jobs, again))[1].conflict);
    BOOST_TEST(q.counts() == "available 4");
}

LIFEGUARD_STORE_TEST(Q_13_jobs_read_from_one_text) {
    queue_fixture q(ctx, kept);
    const auto push = [&](std::string text) {
        return ctx.await(q.queue.push_many_json(std::move(text)));
    };
    const auto ids = push(R"( [ {"kind":"k","payload":["]",{"a":"\",["}]} ,)"
                          R"({"kind":"k","queue":"other"}] )");
    BOOST_TEST_REQUIRE(ids.size() == 2u);
    BOOST_TEST(q.info(ids[0]).payload == R"(["]",{"a":"\",["}])");
    BOOST_TEST(q.info(ids[1]).queue == "other");
    check_names(thrown_by([&] { push(R"([{"kind":"k"},{"kind":"k","priority":10}])"); }),
                errc::invalid_job, "jobs[1].priority at byte 37: ");
    check_names(thrown_by([&] { push("[]"); }), errc::invalid_job, "jobs at byte 1: must not");
    check_names(thrown_by([&] { push("{}"); }), errc::invalid_job, "must be an array");
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_STORE_TEST(Q_39_an_executing_job_is_not_removed) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    const taken_job t = q.take();
    BOOST_TEST(thrown_by([&] { ctx.await(q.queue.remove(t.id)); }).code == errc::executing);
    BOOST_TEST(q.counts() == "executing 1");
    remove_options those;
    those.ids = {t.id, job_id(1, 2), t.id};
    const removed_jobs r = ctx.await(q.queue.remove(those));
    BOOST_TEST(r.removed == 0u);
    BOOST_TEST(r.skipped == 1u);
    q.complete(t);
    BOOST_TEST(ctx.await(q.queue.remove(those)).removed == 1u);
    BOOST_TEST(q.counts() == "");
}

LIFEGUARD_STORE_TEST(Q_39_many_jobs_are_removed_but_those_that_execute) {
    queue_fixture q(ctx, kept);
    for (const char* name : {"a", "b"}) {
        std::vector<new_job> jobs = many(1200);
        for (new_job& job : jobs)
            job.queue = name;
        for (std::size_t i = 0; i < 100; ++i)
            jobs[i].delay = 1h;
        ctx.await(q.queue.push(jobs));
        const auto taken = q.take(7, name);
        q.complete(taken[0]);
        q.fail(taken[1]);
        ctx.await(q.queue.discard(taken[2].id, taken[2].token, "no"));
    }
    BOOST_TEST(q.counts("a") == "scheduled 100, available 1093, executing 4, retryable 1, "
                                "completed 1, discarded 1");
    remove_options which;
    which.queue = "a";
    which.states = {job_state::scheduled, job_state::completed};
    removed_jobs r = ctx.await(q.queue.remove(which));
    BOOST_TEST(r.removed == 101u);
    BOOST_TEST(r.skipped == 0u);
    BOOST_TEST(q.counts("a") == "available 1093, executing 4, retryable 1, discarded 1");
    which.states = job_states();
    r = ctx.await(q.queue.remove(which));
    BOOST_TEST(r.removed == 1095u);
    BOOST_TEST(r.skipped == 4u);
    BOOST_TEST(q.counts("a") == "executing 4");
    BOOST_TEST(q.counts("b") == "scheduled 100, available 1093, executing 4, retryable 1, "
                                "completed 1, discarded 1");
    which.queue = "nobody's";
    BOOST_TEST(ctx.await(q.queue.remove(which)).removed == 0u);
    const thrown all = thrown_by([&] { ctx.await(q.queue.remove(remove_options())); });
    BOOST_TEST(all.code == errc::invalid_option);
}

BOOST_AUTO_TEST_SUITE_END()
