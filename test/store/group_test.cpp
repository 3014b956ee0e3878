// Many changes in one transaction, and what happens to them when somebody goes away.
#include "store/faulty_vfs.hpp"
#include "store/file_fixture.hpp"

#include <set>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(groups)

namespace {

double metric(queue_fixture& q, const char* name) {
    return q.queue.core()->shared().metrics->value(name, {}).value_or(-1);
}

} // namespace

LIFEGUARD_TEST(what_waits_is_stored_in_one_transaction) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    const double before = metric(q, "lifeguard_store_groups_total");
    shell s(file.path);
    s.run("BEGIN IMMEDIATE");
    std::vector<test_future<job_id>> pushes;
    pushes.push_back(ctx.spawn(q.queue.push(new_job("k"))));
    ctx.io.restart();
    ctx.io.poll();
    for (int i = 1; i < 256; ++i)
        pushes.push_back(ctx.spawn(q.queue.push(new_job("k"))));
    ctx.io.restart();
    ctx.io.poll();
    BOOST_TEST(q.counts().empty()); // none is there before it is stored
    s.run("ROLLBACK");
    ctx.settle();
    std::set<job_id> ids;
    for (auto& p : pushes)
        ids.insert(p.get());
    BOOST_TEST(ids.size() == 256u);
    BOOST_TEST(q.counts() == "available 256");
    BOOST_TEST(metric(q, "lifeguard_store_groups_total") <= before + 2);
    BOOST_TEST(metric(q, "lifeguard_store_changes_total") == 256);
    // Of a histogram it is how often it observed.
    const double groups = metric(q, "lifeguard_store_groups_total");
    BOOST_TEST(metric(q, "lifeguard_store_commit_changes") == groups);
    BOOST_TEST(metric(q, "lifeguard_store_commit_seconds") == groups);
    const std::string all = q.queue.core()->shared().metrics->to_prometheus();
    BOOST_TEST(all.find("lifeguard_store_commit_changes_sum 256\n") != std::string::npos);
    BOOST_TEST(s.ask("SELECT count(*) FROM jobs") == "256");
}

LIFEGUARD_TEST(CRASH_07_what_is_answered_has_been_synced_unless_a_power_cut_may_take_it) {
    for (const durability durable : {durability::power_loss, durability::process_crash}) {
        auto file = new_database();
        file.durable = durable;
        queue_fixture q(ctx, in_file(file));
        for (int i = 0; i < 3; ++i) {
            const int before = syncs_so_far();
            q.push(new_job("k"));
            const int pushed = syncs_so_far();
            const taken_job t = q.take();
            BOOST_TEST(syncs_so_far() == pushed); // a take touches no file
            q.complete(t);
            const int expected = durable == durability::power_loss ? 1 : 0;
            BOOST_TEST(pushed - before == expected);
            BOOST_TEST(syncs_so_far() - pushed == expected);
        }
    }
}

LIFEGUARD_TEST(Q_42_an_id_in_flight_is_taken) {
    queue_fixture q(ctx, in_file(new_database()));
    new_job job("k");
    job.id = job_id(3, 4);
    auto first = ctx.spawn(q.queue.push(job));
    auto second = ctx.spawn(q.queue.push(job));
    ctx.settle();
    const bool one_refused = first.error().failed() != second.error().failed();
    BOOST_TEST(one_refused);
    BOOST_TEST((first.error().failed() ? first : second).error() == errc::duplicate_id);
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_TEST(a_full_queue_counts_what_is_in_flight) {
    queue_options options = conformance_options();
    options.jobs_max = 3;
    queue_fixture q(ctx, in_file(new_database()), options);
    std::vector<test_future<job_id>> pushes;
    for (int i = 0; i < 10; ++i)
        pushes.push_back(ctx.spawn(q.queue.push(new_job("k"))));
    ctx.settle();
    const auto stored = std::ranges::count_if(pushes, [](auto& p) { return !p.error().failed(); });
    BOOST_TEST(stored == 3);
    BOOST_TEST(q.counts() == "available 3");
}

LIFEGUARD_TEST(the_same_answer_given_twice_at_once_is_recorded_once) {
    queue_fixture q(ctx, in_file(new_database()));
    q.push(new_job("k"));
    const taken_job t = q.take();
    auto first = ctx.spawn(q.queue.complete(t.id, t.token, json(1)));
    auto second = ctx.spawn(q.queue.complete(t.id, t.token, json(2)));
    ctx.settle();
    const bool first_won = !first.error().failed();
    BOOST_TEST((first_won ? second : first).error() == errc::already_done);
    BOOST_TEST(!(first_won ? first : second).error().failed());
    BOOST_TEST(q.info(t.id).result == (first_won ? "1" : "2"));
    BOOST_TEST(q.figures().completed == 1u);
}

LIFEGUARD_TEST(a_push_goes_on_without_its_caller) {
    queue_fixture q(ctx, in_file(new_database()));
    auto push = ctx.spawn(q.queue.push(new_job("k")));
    push.cancel();
    ctx.settle();
    BOOST_TEST_REQUIRE(push.ready());
    BOOST_TEST(q.counts() == "available 1");
}

LIFEGUARD_TEST(what_was_under_way_when_the_queue_went_is_stored) {
    const auto file = new_database();
    {
        job_queue queue(ctx.executor(), sqlite_store(file), conformance_options(), ctx.time);
        for (int i = 0; i < 10; ++i)
            asio::co_spawn(ctx.io, queue.push(new_job("k")),
                           [](const std::exception_ptr&, job_id) {});
        ctx.io.restart();
        ctx.io.poll();
    }
    ctx.io.restart();
    ctx.io.run(); // as long as something is under way
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == "available 10");
}

BOOST_AUTO_TEST_CASE(run_does_not_end_before_the_answers_have_come) {
    boost::asio::io_context io;
    job_queue queue(io.get_executor(), sqlite_store(new_database()));
    bool answered = false;
    asio::co_spawn(io, queue.push(new_job("k")),
                   [&](const std::exception_ptr& e, job_id) { answered = e == nullptr; });
    io.run();
    BOOST_TEST(answered);
}

BOOST_AUTO_TEST_CASE(context_and_queue_may_go_in_either_order_at_any_moment) {
    for (int cut = 0; cut < 40; ++cut) {
        const auto file = unsynced_database();
        for (const bool context_first : {true, false}) {
            auto io = std::make_unique<boost::asio::io_context>();
            std::optional<job_queue> queue(std::in_place, io->get_executor(), sqlite_store(file));
            for (int i = 0; i < 5; ++i)
                asio::co_spawn(*io, queue->push(new_job("k")),
                               [](const std::exception_ptr&, job_id) {});
            for (int i = 0; i < cut; ++i)
                io->poll_one();
            if (context_first)
                io.reset();
            queue.reset();
            io.reset();
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
