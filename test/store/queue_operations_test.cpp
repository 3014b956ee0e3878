// Batches, unique keys and what is done by hand, in a file: stored whole, or not at all.
#include "store/faulty_vfs.hpp"
#include "store/file_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(queue_operations)

namespace {

new_job keyed(std::string key) {
    new_job job("k");
    job.unique = unique_options(std::move(key));
    return job;
}

new_job by_payload(std::string payload) {
    new_job job = new_job::from_text("k", std::move(payload));
    job.unique.emplace();
    return job;
}

job_id dead(test_context& ctx, queue_fixture& q, new_job job) {
    const job_id id = q.push(std::move(job));
    const taken_job t = ctx.await(q.queue.take_by_id(id));
    q.fail(t);
    return id;
}

new_job once() {
    new_job job("k");
    job.max_attempts = 1;
    return job;
}

} // namespace

LIFEGUARD_TEST(unique_keys_survive_whatever_becomes_of_their_jobs) {
    const auto file = new_database();
    job_id live, paid, done, old;
    {
        queue_fixture q(ctx, in_file(file));
        old = q.push(keyed("a"));
        ctx.advance(10s);
        new_job again = keyed("a");
        again.unique->period = 5s;
        live = q.push(again); // has the key from now on
        BOOST_TEST((live != old));
        paid = q.push(by_payload("[1]"));
        done = q.push(keyed("b"));
        q.complete(ctx.await(q.queue.take_by_id(done)));
        q.complete(ctx.await(q.queue.take_by_id(old)));
    }
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.push(keyed("a")) == live);
    BOOST_TEST(q.push(by_payload("[1]")) == paid);
    new_job any = keyed("b");
    any.unique->states.add(job_state::completed);
    BOOST_TEST(q.push(any) == done);
    BOOST_TEST((q.push(keyed("b")) != done));
    BOOST_TEST((q.push(by_payload("[2]")) != paid));
    shell s(file.path);
    BOOST_TEST(s.ask("SELECT count(*) FROM jobs WHERE unique_key = ''") == "2");
    BOOST_TEST(s.ask("SELECT group_concat(unique_key) FROM finished") == "a,b");
}

LIFEGUARD_TEST(a_batch_that_cannot_be_stored_is_refused_as_a_whole) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    std::vector<new_job> jobs(100, new_job("k"));
    jobs[0] = keyed("a");
    jobs[1].id = job_id(1, 2);
    {
        const disk_failure now(disk_failure::of::write, SQLITE_FULL);
        const thrown t = thrown_by([&] { ctx.await(q.queue.push(jobs)); });
        BOOST_TEST((t.code == errc::store_full), t.text);
        // Who was told of a job that was on its way is told the same.
        auto first = ctx.spawn(q.queue.submit(keyed("a")));
        auto second = ctx.spawn(q.queue.submit(keyed("a")));
        ctx.settle();
        BOOST_TEST((thrown_by([&] { first.get(); }).code == errc::store_full));
        BOOST_TEST((thrown_by([&] { second.get(); }).code == errc::store_full));
    }
    BOOST_TEST(q.counts() == "");
    BOOST_TEST(!q.queue.find(job_id(1, 2)));
    BOOST_TEST(ctx.await(q.queue.push(jobs)).size() == 100u); // id, key and places are free again
    BOOST_TEST(q.counts() == "available 100");
    queue_fixture again(ctx, in_file(killed_now(file)));
    BOOST_TEST(again.counts() == "available 100");
}

LIFEGUARD_TEST(a_batch_is_one_transaction) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    const int before = syncs_so_far();
    ctx.await(q.queue.push(std::vector<new_job>(1000, new_job("k"))));
    BOOST_TEST(syncs_so_far() == before + 1);
    BOOST_TEST(shell(file.path).ask("SELECT count(*) FROM jobs") == "1000");
}

LIFEGUARD_TEST(what_is_done_by_hand_survives) {
    const auto file = new_database();
    job_id kicked, retried, cancelled;
    {
        queue_fixture q(ctx, in_file(file));
        kicked = dead(ctx, q, once());
        BOOST_TEST(ctx.await(q.queue.kick("default")) == 1u);
        retried = q.push(new_job("k"));
        q.complete(ctx.await(q.queue.take_by_id(retried)), 1);
        BOOST_TEST(ctx.await(q.queue.retry(retried)) == job_state::available);
        cancelled = q.push(new_job("k"));
        BOOST_TEST(ctx.await(q.queue.cancel(cancelled)) == job_state::cancelled);
    }
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == "available 2, cancelled 1");
    const job_info info = q.info(kicked);
    BOOST_TEST(info.attempt == 1u);
    BOOST_TEST(info.max_attempts == 2u);
    BOOST_TEST(info.errors.size() == 1u);
    BOOST_TEST(q.state(cancelled) == job_state::cancelled);
    BOOST_TEST(q.info(retried).result.empty());
    q.complete(ctx.await(q.queue.take_by_id(kicked)), 2);
    BOOST_TEST(q.info(kicked).result == "2");
}

LIFEGUARD_TEST(what_could_not_be_done_by_hand_leaves_jobs_where_they_were) {
    auto file = new_database();
    file.discarded_max = 3;
    queue_fixture q(ctx, in_file(file));
    std::vector<job_id> ids;
    for (int i = 0; i < 3; ++i) {
        ids.push_back(dead(ctx, q, once()));
        ctx.advance(1s);
    }
    const job_id idle = q.push(new_job("k"));
    {
        const disk_failure now(disk_failure::of::write, SQLITE_FULL);
        const auto fails = [&](auto what) {
            BOOST_TEST((thrown_by([&] { ctx.await(what()); }).code == errc::store_full));
        };
        fails([&] { return q.queue.kick(ids[1]); });
        fails([&] { return q.queue.kick("default", 2); });
        fails([&] { return q.queue.retry(ids[0]); });
        fails([&] { return q.queue.cancel(idle); });
        fails([&] { return q.queue.remove(ids[1]); });
        remove_options all;
        all.queue = "default";
        fails([&] { return q.queue.remove(all); });
    }
    BOOST_TEST(q.counts() == "available 1, discarded 3");
    // Their order is what it was: the oldest is forgotten first.
    const job_id fourth = dead(ctx, q, once());
    BOOST_TEST(!q.queue.find(ids[0]));
    for (const job_id& id : {ids[1], ids[2], fourth}) {
        BOOST_TEST(ctx.await(q.queue.kick("default")) == 1u);
        BOOST_TEST(q.state(id) == job_state::available);
    }
    BOOST_TEST(q.counts() == "available 4");
}

LIFEGUARD_TEST(what_is_asked_while_a_change_is_on_its_way_waits_for_it) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    const job_id id = q.push(new_job("k"));
    const taken_job t = q.take();
    auto completes = ctx.spawn(q.queue.complete(t.id, t.token, json(1)));
    auto cancels = ctx.spawn(q.queue.cancel(id));
    auto retries = ctx.spawn(q.queue.retry(id));
    ctx.settle();
    completes.get();
    // Whichever of the two comes first on two threads, neither is lost and neither undoes the
    // result.
    BOOST_TEST((cancels.get() != job_state::discarded));
    BOOST_TEST((retries.get() != job_state::discarded));
    const job_state now = q.state(id);
    BOOST_TEST((now == job_state::available || now == job_state::cancelled ||
                now == job_state::completed));
    queue_fixture again(ctx, in_file(killed_now(file)));
    BOOST_TEST(again.state(id) == now);
}

BOOST_AUTO_TEST_SUITE_END()
