// Two threads push, take, fail and complete while groups are written; then the file is opened
// again, and every job is accounted for.
#include "queue/random.hpp"
#include "store/database_file.hpp"
#include <lifeguard/job_queue.hpp>
#include <lifeguard/json.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <mutex>
#include <set>
#include <thread>

using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(sqlite_hammer)

namespace {

class trial {
  public:
    explicit trial(const sqlite_store_options& file)
        : queue_(io_.get_executor(), sqlite_store(file), options()) {}

    /// Each worker pushes a job and handles one, `rounds` times.
    void run(std::uint64_t seed, int workers, int rounds) {
        for (int w = 0; w < workers; ++w)
            asio::co_spawn(asio::make_strand(io_), work(seed + static_cast<unsigned>(w), rounds),
                           [](const std::exception_ptr& e) {
                               if (e)
                                   std::rethrow_exception(e);
                           });
        std::jthread second([this] { io_.run(); });
        io_.run();
        second.join();
    }

    std::set<job_id> pushed;
    std::set<job_id> completed;
    std::size_t completed_twice = 0;

  private:
    static queue_options options() {
        queue_options o;
        o.retry.offset = o.retry.base = duration::zero();
        o.max_attempts = 1'000'000;
        return o;
    }

    asio::awaitable<void> work(std::uint64_t seed, int rounds) {
        random_numbers random(seed);
        for (int i = 0; i < rounds; ++i) {
            const job_id id = co_await queue_.push(new_job("k"));
            {
                const std::lock_guard lock(mutex_);
                pushed.insert(id);
            }
            const take_options one;
            const auto taken = co_await queue_.take(one);
            for (const taken_job& t : taken) {
                if (random.one_in(4)) {
                    co_await queue_.fail(t.id, t.token, "again");
                } else if (random.one_in(4)) {
                    co_await queue_.release(t.id, t.token);
                } else {
                    co_await queue_.complete(t.id, t.token, json(1));
                    const std::lock_guard lock(mutex_);
                    completed_twice += completed.insert(t.id).second ? 0 : 1;
                }
            }
        }
    }

    asio::io_context io_;
    job_queue queue_;
    std::mutex mutex_;
};

} // namespace

BOOST_AUTO_TEST_CASE(every_job_is_accounted_for) {
    const std::uint64_t seed = test_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    const auto file = unsynced_database();
    std::set<job_id> left;
    std::size_t jobs = 0;
    {
        trial t(file);
        t.run(seed, 16, 100);
        BOOST_TEST(t.pushed.size() == 1600u);
        BOOST_TEST(t.completed_twice == 0u);
        jobs = t.pushed.size() - t.completed.size();
        left = t.pushed;
        for (const job_id& id : t.completed)
            left.erase(id);
    }
    boost::asio::io_context io;
    const job_queue queue(io.get_executor(), sqlite_store(file));
    BOOST_TEST(queue.counts("default").available == jobs);
    for (const job_id& id : left)
        BOOST_TEST(queue.find(id).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
