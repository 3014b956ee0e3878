// Producers and consumers on two threads; at the end every job is accounted for.
#include "queue/queue_core.hpp"
#include "queue/random.hpp"
#include <lifeguard/job_queue.hpp>
#include <lifeguard/json.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(hammer)

namespace {

class trial {
  public:
    trial(std::uint64_t seed, int producers, int each)
        : seed_(seed),
          wanted_(static_cast<std::size_t>(producers * each)),
          queue_(io_.get_executor(), memory_store(), options()) {
        spawn(run_upkeep());
        for (int p = 0; p < producers; ++p)
            spawn(produce(p, each));
        for (int c = 0; c < 4; ++c)
            spawn(consume(c));
    }

    void run() {
        std::thread second([&] { io_.run(); });
        io_.run();
        second.join();
    }

    void check() const {
        BOOST_TEST(pushed_.size() == wanted_);
        BOOST_TEST(completed_twice_ == 0u);
        BOOST_TEST(unexpected_ == 0u);
        std::size_t lost = 0;
        for (const job_id& id : pushed_)
            lost += completed_.contains(id) ? 0 : 1;
        BOOST_TEST(lost == 0u);
        BOOST_TEST(results_ == wanted_);
        const queue_counts c = queue_.counts("default");
        BOOST_TEST(c.executing + c.available + c.retryable + c.scheduled == 0u);
        BOOST_TEST(queue_.core()->counts.completed == wanted_);
    }

  private:
    static queue_options options() {
        queue_options o;
        o.jobs_max = 64; // so that producers wait for space
        o.retry.offset = o.retry.base = duration::zero();
        o.max_attempts = 1'000'000;
        return o;
    }

    template <typename Awaitable>
    void spawn(Awaitable what) {
        asio::co_spawn(asio::make_strand(io_), std::move(what), [this](std::exception_ptr e) {
            if (e) {
                io_.stop();
                std::rethrow_exception(e);
            }
        });
    }

    asio::awaitable<void> run_upkeep() { co_await queue_.run(); }

    asio::awaitable<void> produce(int number, int each) {
        random_numbers random(seed_ + static_cast<std::uint64_t>(number));
        for (int i = 0; i < each; ++i) {
            new_job job("k");
            job.priority = static_cast<int>(random.below(10));
            const push_options patient{1h};
            const job_id id = co_await queue_.push(std::move(job), patient);
            {
                const std::lock_guard lock(mutex_);
                pushed_.insert(id);
            }
            if (random.one_in(4))
                spawn(await_result(id));
            else
                ++results_;
        }
    }

    asio::awaitable<void> await_result(job_id id) {
        try {
            co_await queue_.result(id);
        } catch (const error& e) {
            if (e.code() != errc::not_found) // forgotten already
                throw;
        }
        ++results_;
        stop_when_done();
    }

    asio::awaitable<void> consume(int number) {
        random_numbers random(seed_ + 100 + static_cast<std::uint64_t>(number));
        while (!done_) {
            take_options options;
            options.jobs_max = 1 + random.below(5);
            options.wait = 20ms;
            const auto taken = co_await queue_.take(options);
            for (const taken_job& t : taken) {
                const std::size_t fate = random.below(10);
                if (fate == 0) {
                    co_await queue_.release(t.id, t.token);
                } else if (fate == 1) {
                    co_await queue_.fail(t.id, t.token, "no luck");
                } else if (fate == 2) {
                    co_await queue_.snooze(t.id, t.token, 0ns);
                } else {
                    co_await queue_.complete(t.id, t.token, json());
                    const std::lock_guard lock(mutex_);
                    completed_twice_ += completed_.insert(t.id).second ? 0 : 1;
                }
                if (fate > 2 || !random.one_in(2))
                    continue;
                // The token is spent: using it again must change nothing.
                bool refused = false;
                try {
                    co_await queue_.complete(t.id, t.token, json());
                } catch (const error&) {
                    refused = true;
                }
                unexpected_ += refused ? 0 : 1;
            }
            stop_when_done();
        }
    }

    void stop_when_done() {
        const std::lock_guard lock(mutex_);
        if (completed_.size() == wanted_ && results_ == wanted_) {
            done_ = true;
            io_.stop();
        }
    }

    const std::uint64_t seed_;
    const std::size_t wanted_;
    asio::io_context io_;
    job_queue queue_;
    std::mutex mutex_;
    std::set<job_id> pushed_;
    std::set<job_id> completed_;
    std::size_t completed_twice_ = 0;
    std::atomic<std::size_t> unexpected_ = 0;
    std::atomic<std::size_t> results_ = 0;
    std::atomic<bool> done_ = false;
};

} // namespace

BOOST_AUTO_TEST_CASE(two_threads_lose_and_repeat_nothing) {
    const std::uint64_t seed = test_seed();
    BOOST_TEST_CONTEXT("LIFEGUARD_SEED=" << seed) {
        trial t(seed, 4, 1000);
        t.run();
        t.check();
    }
}

BOOST_AUTO_TEST_SUITE_END()
