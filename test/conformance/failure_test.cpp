// Section 7.3: failure, retry, dead letters.
#include "conformance/queue_fixture.hpp"

#include <limits>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
using boost::test_tools::per_element;

BOOST_AUTO_TEST_SUITE(failure)

namespace {

class custom : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Runs one job of a handler that calls `behave`, on one worker.
job_id run_one(test_context& ctx, queue_fixture& q, std::function<void(job_context&)> behave,
               new_job job = new_job("k"), std::shared_ptr<log_capture>* log = nullptr) {
    q.handle("k", [behave](job_context& context) -> asio::awaitable<json> {
        behave(context);
        co_return json();
    });
    pool_fixture pool(ctx, q, one_worker());
    if (log != nullptr)
        *log = pool.log;
    return pool.submit(std::move(job));
}

} // namespace

LIFEGUARD_STORE_TEST(Q_26_a_handler_that_throws_is_retried_with_backoff) {
    queue_fixture q(ctx, kept);
    const job_id id = run_one(ctx, q, [](job_context&) { throw std::runtime_error("boom"); });
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::retryable);
    BOOST_TEST((info.run_at == ctx.time->wall_now() + 1s));
    BOOST_TEST(info.attempt == 1u);
    BOOST_TEST_REQUIRE(info.errors.size() == 1u);
    BOOST_TEST(info.errors[0].attempt == 1u);
    BOOST_TEST(info.errors[0].text == "boom");
    BOOST_TEST((info.errors[0].at == ctx.time->wall_now()));
}

LIFEGUARD_STORE_TEST(Q_26_so_is_one_that_throws_something_else) {
    queue_fixture q(ctx, kept);
    const job_id id = run_one(ctx, q, [](job_context&) { throw 42; });
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::retryable);
    BOOST_TEST_REQUIRE(info.errors.size() == 1u);
    BOOST_TEST(!info.errors[0].text.empty());
}

LIFEGUARD_STORE_TEST(Q_27_out_of_attempts_a_job_is_dead_and_keeps_its_errors) {
    queue_fixture q(ctx, kept);
    new_job job("k");
    job.max_attempts = 1;
    q.push(job);
    const taken_job once = q.take();
    q.fail(once, "first");
    BOOST_TEST(q.state(once.id) == job_state::discarded);

    job.max_attempts = 2;
    const job_id id = q.push(job);
    q.fail(q.take(), "first");
    BOOST_TEST(q.state(id) == job_state::retryable);
    BOOST_TEST(!q.info(id).finished_at.has_value());
    ctx.advance(1s);
    q.fail(q.take(), "second");
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::discarded);
    BOOST_TEST_REQUIRE(info.finished_at.has_value());
    BOOST_TEST((*info.finished_at == ctx.time->wall_now()));
    BOOST_TEST_REQUIRE(info.errors.size() == 2u);
    BOOST_TEST(info.errors[0].text == "first");
    BOOST_TEST(info.errors[1].text == "second");
    BOOST_TEST(info.errors[1].attempt == 2u);
}

LIFEGUARD_STORE_TEST(Q_28_a_permanent_error_discards_at_once) {
    queue_fixture q(ctx, kept);
    std::shared_ptr<log_capture> log;
    const job_id id =
        run_one(ctx, q, [](job_context&) { throw discard_job("permanent"); }, new_job("k"), &log);
    BOOST_TEST(q.state(id) == job_state::discarded);
    BOOST_TEST(q.info(id).errors.at(0).text == "permanent");
    BOOST_TEST(log->count("event=job_failed") == 1u);
}

LIFEGUARD_STORE_TEST(Q_28_also_when_it_is_wrapped_in_another) {
    queue_fixture q(ctx, kept);
    const job_id id = run_one(ctx, q, [](job_context&) {
        try {
            try {
                throw discard_job("permanent");
            } catch (...) {
                std::throw_with_nested(custom("inner"));
            }
        } catch (...) {
            std::throw_with_nested(custom("outer"));
        }
    });
    BOOST_TEST(q.state(id) == job_state::discarded);
    BOOST_TEST(q.info(id).errors.at(0).text == "permanent");
}

LIFEGUARD_STORE_TEST(Q_28_a_revoked_job_leaves_nothing) {
    queue_fixture q(ctx, kept);
    std::shared_ptr<log_capture> log;
    const job_id id =
        run_one(ctx, q, [](job_context&) { throw revoke_job("not wanted"); }, new_job("k"), &log);
    BOOST_TEST(!q.queue.find(id));
    BOOST_TEST(q.counts() == "");
    BOOST_TEST(log->count("event=job_revoked") == 1u);
}

LIFEGUARD_STORE_TEST(Q_29_backoff_grows_to_its_cap) {
    const backoff plain = conformance_options().retry;
    duration before = duration::zero();
    for (unsigned n = 1; n <= 20; ++n) {
        const duration delay = plain.delay(n, 0.5);
        const duration exact = n <= 12 ? duration(1s * (1 << (n - 1))) : duration(1h);
        BOOST_TEST((delay == std::min<duration>(exact, 1h)));
        BOOST_TEST((delay > before || delay == plain.cap));
        before = delay;
    }
    for (const unsigned n : {100u, 1'000u, 1'000'000u, std::numeric_limits<unsigned>::max()})
        BOOST_TEST((plain.delay(n, 0.5) == plain.cap));
    BOOST_TEST((plain.delay(0, 0.5) >= duration::zero()));

    backoff spread = plain;
    spread.jitter = 0.1;
    for (unsigned n = 0; n <= 30; ++n) {
        const double middle = static_cast<double>(plain.delay(n, 0.5).count());
        for (const double random : {0.0, 0.25, 0.5, 0.75, 1.0}) {
            const double delay = static_cast<double>(spread.delay(n, random).count());
            BOOST_TEST(delay >= middle * 0.9 - 1);
            BOOST_TEST(delay <= middle * 1.1 + 1);
            BOOST_TEST(delay <= static_cast<double>(spread.cap.count()));
        }
    }
}

LIFEGUARD_STORE_TEST(Q_29_the_queue_waits_as_its_backoff_says) {
    queue_fixture q(ctx, kept);
    const job_id id = q.push(new_job("k"));
    for (const auto wait : {1s, 2s, 4s, 8s}) {
        q.fail(q.take());
        BOOST_TEST((q.info(id).run_at == ctx.time->wall_now() + wait));
        ctx.advance(wait - 1ns);
        BOOST_TEST(q.take(1).empty());
        ctx.advance(1ns);
    }
    q.complete(q.take());
}

LIFEGUARD_STORE_TEST(Q_30_a_handlers_own_time_of_retry_wins) {
    queue_fixture q(ctx, kept);
    const wall_time own = ctx.time->wall_now() + 17s;
    const job_id id = run_one(ctx, q, [=](job_context&) { throw retry_job(own, "later"); });
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::retryable);
    BOOST_TEST((info.run_at == own));
    BOOST_TEST(info.attempt == 1u);
    BOOST_TEST(info.errors.at(0).text == "later");
}

LIFEGUARD_STORE_TEST(Q_30_one_in_the_past_means_the_usual_backoff) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    const taken_job t = q.take();
    ctx.await(q.queue.retry_at(t.id, t.token, ctx.time->wall_now(), "now"));
    BOOST_TEST(q.state(t.id) == job_state::retryable);
    BOOST_TEST((q.info(t.id).run_at == ctx.time->wall_now() + 1s));
}

LIFEGUARD_STORE_TEST(Q_31_a_snoozed_run_is_no_attempt) {
    queue_fixture q(ctx, kept);
    const job_id id = run_one(ctx, q, [](job_context&) { throw snooze_job(60s); });
    const job_info info = q.info(id);
    BOOST_TEST(info.state == job_state::scheduled);
    BOOST_TEST((info.run_at == ctx.time->wall_now() + 60s));
    BOOST_TEST(info.attempt == 0u);
    BOOST_TEST(info.errors.empty());
    ctx.advance(60s);
    const taken_job t = q.take();
    BOOST_TEST(t.attempt == 1u);
    ctx.await(q.queue.snooze(t.id, t.token, 0s));
    BOOST_TEST(q.state(id) == job_state::available);
    BOOST_TEST(q.info(id).attempt == 0u);
    const taken_job for_ever = q.take();
    ctx.await(q.queue.snooze(for_ever.id, for_ever.token, duration::max()));
    ctx.advance(24h);
    BOOST_TEST(q.state(id) == job_state::scheduled);
}

LIFEGUARD_STORE_TEST(Q_37_completing_a_job_that_is_not_leased_changes_nothing) {
    queue_fixture q(ctx, kept);
    q.push(new_job("k"));
    const taken_job t = q.take();
    q.fail(t);
    BOOST_TEST(q.complete_answers(t.id, t.token) == "lease_lost");
    BOOST_TEST(q.state(t.id) == job_state::retryable);
    BOOST_TEST(q.figures().completed == 0u);
}

LIFEGUARD_STORE_TEST(Q_47_counts_match_the_jobs_at_every_step) {
    queue_fixture q(ctx, kept);
    const std::vector<std::string> names{"a", "b"};
    std::vector<job_id> ids;
    const auto check = [&] {
        queue_counts sum;
        std::array<std::size_t, 7> seen{};
        for (const job_id& id : ids)
            if (const auto found = q.queue.find(id))
                ++seen[static_cast<std::size_t>(found->state)];
        for (const std::string& name : names) {
            const queue_counts c = q.queue.counts(name);
            sum.scheduled += c.scheduled;
            sum.available += c.available;
            sum.executing += c.executing;
            sum.retryable += c.retryable;
            sum.completed += c.completed;
            sum.cancelled += c.cancelled;
            sum.discarded += c.discarded;
        }
        const std::array<std::size_t, 7> told{sum.scheduled, sum.available, sum.executing,
                                              sum.retryable, sum.completed, sum.cancelled,
                                              sum.discarded};
        BOOST_TEST(told == seen, per_element());
    };
    std::uint32_t random = 1;
    for (int step = 0; step < 300; ++step) {
        random = random * 1664525 + 1013904223;
        const std::string& name = names[(random >> 8) % 2];
        const auto next = [&] { return q.take(1, name); };
        switch ((random >> 16) % 8) {
        case 0:
        case 1: {
            new_job job("k");
            job.queue = name;
            job.max_attempts = 2;
            job.delay = (random >> 20) % 3 * 1s;
            ids.push_back(q.push(job));
            break;
        }
        case 2:
            for (const taken_job& t : next())
                q.complete(t);
            break;
        case 3:
            for (const taken_job& t : next())
                q.fail(t);
            break;
        case 4:
            for (const taken_job& t : next())
                q.release(t);
            break;
        case 5:
            next(); // to expire
            break;
        case 6:
            for (const taken_job& t : next())
                ctx.await(q.queue.snooze(t.id, t.token, 2s));
            break;
        default:
            ctx.advance(5s);
        }
        check();
    }
    BOOST_TEST(q.counts("nobody named it") == "");
}

BOOST_AUTO_TEST_SUITE_END()
