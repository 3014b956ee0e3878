// Everything at once on two threads: whatever happens, every job ends exactly once.
#include "worker/rig.hpp"

#include <boost/asio/post.hpp>

#include <cstdlib>
#include <map>
#include <mutex>
#include <random>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

std::uint32_t seed_of_this_run() {
    if (const char* given = std::getenv("LIFEGUARD_SEED"))
        return static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
    return std::random_device()();
}

/// How often each job ran.
class ledger {
  public:
    void ran(const job_id& id) {
        const std::lock_guard lock(mutex_);
        ++runs_[id];
    }
    int runs(const job_id& id) const {
        const std::lock_guard lock(mutex_);
        const auto found = runs_.find(id);
        return found == runs_.end() ? 0 : found->second;
    }

  private:
    mutable std::mutex mutex_;
    std::map<job_id, int> runs_;
};

/// A handler whose behaviour its payload decides.
asio::awaitable<json> misbehave(rig& r, ledger& book, job_context& job) {
    book.ran(job.id());
    const int how = (job.payload().get<int>() + static_cast<int>(job.attempt())) % 10;
    if (how == 0)
        throw std::runtime_error("failed");
    if (how == 1 && job.delivery() < 3)
        throw snooze_job(5ms);
    if (how == 2)
        co_await nap(r.ctx.time, 30ms); // longer than it may take
    else if (how < 6)
        co_await nap(r.ctx.time, std::chrono::milliseconds(how));
    else if (how == 6)
        for (int n = 0; n < 5; ++n)
            co_await asio::post(asio::use_awaitable);
    else if (how == 7 && job.attempt() == 1)
        throw 7;
    co_return job.payload();
}

worker_pool_options hectic(std::mt19937& random) {
    worker_pool_options pool =
        workers(static_cast<unsigned>(1 + random() % 4), static_cast<unsigned>(random() % 3));
    pool.concurrency = static_cast<unsigned>(1 + random() % 3);
    pool.pull_size = static_cast<unsigned>(1 + random() % 6);
    pool.process_timeout = 20ms;
    pool.let_it_crash = random() % 2 == 0;
    pool.intensity = 1'000'000;
    pool.breaker.threshold = static_cast<unsigned>(5 + random() % 50);
    pool.breaker_scope = static_cast<breaker_scope>(random() % 3);
    pool.breaker.open_for = 3ms;
    return pool;
}

/// How many executes were turned away before they became jobs.
std::size_t refused(const std::vector<test_future<json>>& executed) {
    std::size_t count = 0;
    for (const auto& f : executed) {
        try {
            if (f.exception())
                std::rethrow_exception(f.exception());
        } catch (const error& e) {
            count += e.code() == errc::breaker_open || e.code() == errc::no_available_workers;
        } catch (...) { // NOLINT: any other end was a job's
        }
    }
    return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(stress)

BOOST_AUTO_TEST_CASE(every_job_ends_exactly_once_under_kills_timeouts_throws_and_snoozes) {
    const std::uint32_t seed = seed_of_this_run();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 6; ++round) {
        BOOST_TEST_CONTEXT("LIFEGUARD_SEED=" << seed << " round " << round) {
            test_context ctx(2);
            engine_options more;
            more.memory.finished_max = more.memory.discarded_max = 100'000;
            more.queue.retry =
                backoff{.offset = 2ms, .base = 0s, .factor = 1, .cap = 1s, .jitter = 0};
            rig r(ctx, hectic(random), more);
            ledger book;
            r.the_engine().handle("misbehave",
                                  [&](job_context& job) { return misbehave(r, book, job); });
            std::vector<job_id> submitted;
            std::vector<test_future<json>> executed;
            const int jobs = 400;
            for (int n = 0; n < jobs; ++n) {
                new_job job("misbehave", static_cast<int>(random() % 1000));
                job.max_attempts = static_cast<unsigned>(1 + random() % 5);
                job.priority = static_cast<int>(random() % 10);
                if (random() % 3 != 0) {
                    submitted.push_back(r.submit(job));
                } else {
                    execute_options how;
                    how.checkout_wait = std::chrono::milliseconds(random() % 50);
                    how.execute_wait = std::chrono::milliseconds(random() % 2 * 20);
                    how.dispatch = static_cast<dispatch>(random() % 5);
                    how.key = std::uint64_t{random() % 7};
                    executed.push_back(ctx.spawn(r.pool().execute(job, how)));
                }
                if (random() % 10 == 0) {
                    const auto all = r.pool().workers();
                    const auto kill = ctx.spawn(r.pool().kill(all[random() % all.size()].id));
                }
                if (random() % 20 == 0 && !executed.empty())
                    executed[random() % executed.size()].cancel();
                if (random() % 4 == 0)
                    ctx.advance(std::chrono::milliseconds(random() % 5));
            }
            ctx.advance(5s);
            for (const auto& f : executed)
                BOOST_TEST(f.ready());
            const queue_counts left = r.pool().queue().counts("default");
            BOOST_TEST(left.available == 0U);
            BOOST_TEST(left.executing == 0U);
            BOOST_TEST(left.retryable == 0U);
            BOOST_TEST(left.scheduled == 0U);
            BOOST_TEST(left.completed + left.discarded + left.cancelled ==
                       static_cast<std::size_t>(jobs) - refused(executed));
            std::size_t wrong = 0;
            for (const job_id& id : submitted) {
                const job_info job = r.job(id);
                const bool attempts_agree =
                    job.errors.size() <= job.max_attempts && job.attempt <= job.max_attempts;
                wrong += !is_final(job.state) || book.runs(id) == 0 || !attempts_agree ? 1 : 0;
                // Each error is an attempt; a completed job has one attempt more than errors.
                const std::size_t charged = job.errors.size() + (job.state == job_state::completed);
                wrong += charged != job.attempt ? 1 : 0;
            }
            BOOST_TEST(wrong == 0U);
            r.finish();
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
