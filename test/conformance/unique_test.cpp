// Section 7.4: unique jobs, and submissions that are repeated.
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(unique)

namespace {

new_job keyed(std::string key, duration period = duration::zero()) {
    new_job job("k");
    job.unique = unique_options(std::move(key));
    job.unique->period = period;
    return job;
}

new_job by_payload(std::string payload) {
    new_job job = new_job::from_text("k", std::move(payload));
    job.unique.emplace();
    return job;
}

submission submit(test_context& ctx, queue_fixture& q, new_job job,
                  push_options options = push_options()) {
    return ctx.await(q.queue.submit(std::move(job), options));
}

} // namespace

LIFEGUARD_STORE_TEST(Q_41_a_second_job_with_the_key_answers_the_first_id) {
    queue_fixture q(ctx, kept);
    const submission first = submit(ctx, q, keyed("order 17"));
    BOOST_TEST(!first.conflict);
    const submission second = submit(ctx, q, keyed("order 17"));
    BOOST_TEST(second.conflict);
    BOOST_TEST(second.id == first.id);
    BOOST_TEST(q.push(keyed("order 17")) == first.id);
    BOOST_TEST(q.counts() == "available 1");
    BOOST_TEST(q.figures().pushed == 1u);
    // Another key, another kind, no key.
    BOOST_TEST(!submit(ctx, q, keyed("order 18")).conflict);
    new_job other("other");
    other.unique = unique_options("order 17");
    BOOST_TEST(!submit(ctx, q, other).conflict);
    BOOST_TEST(!submit(ctx, q, new_job("k")).conflict);
    BOOST_TEST(!submit(ctx, q, new_job("k")).conflict);
    BOOST_TEST(q.counts() == "available 5");
}

LIFEGUARD_STORE_TEST(Q_41_a_job_older_than_the_period_does_not_count) {
    queue_fixture q(ctx, kept);
    const submission first = submit(ctx, q, keyed("a"));
    ctx.advance(240s);
    const submission again = submit(ctx, q, keyed("a", 241s));
    BOOST_TEST(again.conflict);
    BOOST_TEST(again.id == first.id);
    const submission second = submit(ctx, q, keyed("a", 239s));
    BOOST_TEST(!second.conflict);
    // From now on the key is the second job's.
    BOOST_TEST(submit(ctx, q, keyed("a")).id == second.id);
    BOOST_TEST(submit(ctx, q, keyed("a", 1ns)).id == second.id);
    BOOST_TEST(q.counts() == "available 2");
}

LIFEGUARD_STORE_TEST(Q_41_a_job_in_another_state_does_not_count) {
    queue_fixture q(ctx, kept);
    const submission first = submit(ctx, q, keyed("a"));
    const taken_job t = q.take();
    BOOST_TEST(submit(ctx, q, keyed("a")).id == first.id); // it executes
    q.complete(t);
    new_job any = keyed("a");
    any.unique->states.add(job_state::completed);
    BOOST_TEST(submit(ctx, q, any).id == first.id);
    const submission second = submit(ctx, q, keyed("a"));
    BOOST_TEST(!second.conflict);
    new_job waiting = keyed("a");
    waiting.unique->states = {job_state::scheduled, job_state::retryable};
    const submission third = submit(ctx, q, waiting);
    BOOST_TEST(!third.conflict);
    ctx.await(q.queue.remove(third.id));
    BOOST_TEST(!submit(ctx, q, waiting).conflict); // it is forgotten, and the key free
}

LIFEGUARD_STORE_TEST(Q_41_jobs_may_be_compared_by_their_payload) {
    queue_fixture q(ctx, kept);
    const submission first = submit(ctx, q, by_payload(R"({"a":1})"));
    BOOST_TEST(submit(ctx, q, by_payload(R"({"a":1})")).id == first.id);
    const submission empty = submit(ctx, q, by_payload("{}"));
    BOOST_TEST(!empty.conflict);
    BOOST_TEST(submit(ctx, q, by_payload("{}")).id == empty.id);
    BOOST_TEST(!submit(ctx, q, by_payload("null")).conflict);
    BOOST_TEST(!submit(ctx, q, keyed(R"({"a":1})")).conflict); // a key is not a payload
    const job_id read = q.push_json(R"({"kind":"k","payload":{"a":1},"unique":true})");
    BOOST_TEST(read == first.id);
    BOOST_TEST(q.counts() == "available 4");
}

LIFEGUARD_STORE_TEST(Q_41_a_conflict_needs_no_space) {
    queue_options options = conformance_options();
    options.jobs_max = 2;
    queue_fixture q(ctx, kept, options);
    const submission first = submit(ctx, q, keyed("a"));
    q.push(new_job("k"));
    push_options waits;
    waits.wait = 1h;
    BOOST_TEST(submit(ctx, q, keyed("a"), waits).id == first.id);
    BOOST_TEST(q.refused(keyed("b")).code == errc::queue_full);
    // One that waits for space is compared again when it has some.
    auto waiting = ctx.spawn(q.queue.submit(keyed("b"), waits));
    auto twin = ctx.spawn(q.queue.submit(keyed("b"), waits));
    ctx.settle();
    BOOST_TEST(!waiting.ready());
    q.complete(q.take());
    q.complete(q.take());
    ctx.settle();
    BOOST_TEST_REQUIRE(waiting.ready());
    BOOST_TEST_REQUIRE(twin.ready());
    const submission one = waiting.get();
    const submission other = twin.get();
    BOOST_TEST(one.conflict != other.conflict);
    BOOST_TEST(one.id == other.id);
    BOOST_TEST(q.counts() == "available 1, completed 2");
    q.push(new_job("k")); // the place that was not used is free again
}

LIFEGUARD_STORE_TEST(Q_41_rules_of_unique_jobs) {
    queue_fixture q(ctx, kept);
    const auto refuses = [&](const new_job& job, std::string_view named) {
        const thrown t = q.refused(job);
        BOOST_TEST(t.code == errc::invalid_job);
        BOOST_TEST_CONTEXT(t.text) { BOOST_TEST(t.text.find(named) != std::string::npos); }
    };
    refuses(keyed(std::string(1001, 'x')), "unique_key");
    refuses(keyed("caf\xe9"), "unique_key");
    refuses(keyed("a", -1ns), "unique_period");
    new_job nowhere = keyed("a");
    nowhere.unique->states = job_states();
    refuses(nowhere, "unique_states");
    BOOST_TEST(!submit(ctx, q, keyed(std::string(1000, 'x'))).conflict);
}

LIFEGUARD_STORE_TEST(Q_41_an_execute_does_not_take_another_job_for_its_own) {
    queue_fixture q(ctx, kept);
    q.handle("k", [](job_context&) -> asio::awaitable<json> { co_return 1; });
    pool_fixture p(ctx, q, one_worker());
    new_job later = keyed("a");
    later.delay = 1h;
    const job_id first = q.push(later);
    const thrown t = thrown_by([&] { ctx.await(p.pool.execute(keyed("a"))); });
    BOOST_TEST(t.code == errc::duplicate_id);
    BOOST_TEST(t.text.find(first.to_string()) != std::string::npos);
    BOOST_TEST(ctx.await(p.pool.execute(keyed("b"))) == 1);
}

LIFEGUARD_STORE_TEST(Q_42_of_three_concurrent_pushes_one_is_stored) {
    queue_fixture q(ctx, kept);
    std::vector<test_future<submission>> pushes;
    for (int i = 0; i < 3; ++i)
        pushes.push_back(ctx.spawn(q.queue.submit(keyed("a"))));
    ctx.settle();
    std::vector<submission> answers;
    for (auto& push : pushes)
        answers.push_back(push.get());
    BOOST_TEST(std::ranges::count(answers, false, &submission::conflict) == 1);
    for (const submission& s : answers)
        BOOST_TEST(s.id == answers[0].id);
    BOOST_TEST(q.state(answers[0].id) == job_state::available);
    BOOST_TEST(q.counts() == "available 1");
    BOOST_TEST(q.figures().pushed == 1u);
}

LIFEGUARD_STORE_TEST(Q_42_a_repeated_submission_answers_the_first_one) {
    queue_fixture q(ctx, kept);
    new_job job("k");
    job.id = job_id(7, 8);
    push_options again;
    again.idempotent = true;
    BOOST_TEST((submit(ctx, q, job, again) == submission{job.id, false}));
    BOOST_TEST((submit(ctx, q, job, again) == submission{job.id, true}));
    BOOST_TEST(q.refused(job).code == errc::duplicate_id);
    q.complete(q.take(), 1);
    BOOST_TEST((submit(ctx, q, job, again) == submission{job.id, true}));
    BOOST_TEST(q.counts() == "completed 1");
    // Nobody repeats what has no id.
    BOOST_TEST(!submit(ctx, q, new_job("k"), again).conflict);
    // Two at once: the second one waits for the first.
    job.id = job_id(7, 9);
    auto one = ctx.spawn(q.queue.submit(job, again));
    auto two = ctx.spawn(q.queue.submit(job, again));
    ctx.settle();
    BOOST_TEST((one.get().conflict != two.get().conflict));
    BOOST_TEST(q.counts() == "available 2, completed 1");
}

BOOST_AUTO_TEST_SUITE_END()
