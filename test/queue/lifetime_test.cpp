// Context, handles and coroutines end in any order; the sanitizers judge.
#include "queue/memory_queue.hpp"

#include <boost/asio/detached.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(lifetime)

namespace {

struct everything_parked {
    explicit everything_parked(asio::io_context& io, std::shared_ptr<manual_time_source> clock)
        : queue(io.get_executor(), memory_store(), options(), std::move(clock)) {
        const auto start = [&](auto what) { asio::co_spawn(io, std::move(what), asio::detached); };
        start(queue.run());
        take_options patient("nothing here");
        patient.wait = 1h;
        start(queue.take(patient));
        new_job job("k");
        job.id = job_id(1, 1);
        start(queue.push(job));
        start(queue.take(take_options())); // leased
        job.id = job_id(1, 2);
        job.delay = 1h;
        start(queue.push(job));
        io.poll();
        start(queue.result(job_id(1, 1)));
        start(queue.result(job_id(1, 2)));
        job.id = job_id(1, 3);
        start(queue.push(job, push_options{1h})); // waits for space
        io.poll();
    }

    static queue_options options() {
        queue_options o;
        o.jobs_max = 2;
        return o;
    }

    job_queue queue;
};

} // namespace

BOOST_AUTO_TEST_CASE(the_context_ends_first) {
    const auto clock = std::make_shared<manual_time_source>();
    auto io = std::make_unique<asio::io_context>(1);
    const everything_parked q(*io, clock);
    BOOST_TEST(q.queue.counts("default").executing == 1u);
    BOOST_TEST(q.queue.counts("default").scheduled == 1u);
    io.reset();
    BOOST_TEST(clock->alarms() == 0u);
    BOOST_TEST(q.queue.counts("default").executing == 1u);
    BOOST_TEST(q.queue.find(job_id(1, 1)).has_value());
}

BOOST_AUTO_TEST_CASE(the_handle_ends_first) {
    const auto clock = std::make_shared<manual_time_source>();
    asio::io_context io(1);
    {
        const everything_parked q(io, clock);
    }
    io.poll();
    clock->advance(30s); // the lease runs out: what is parked still works
    io.poll();
}

BOOST_AUTO_TEST_CASE(operations_that_never_start) {
    asio::io_context io(1);
    job_queue queue(io.get_executor(), memory_store());
    auto push = queue.push(new_job("k"));
    auto take = queue.take(take_options());
    auto run = queue.run();
}

BOOST_AUTO_TEST_CASE(operations_outlive_a_temporary_handle) {
    asio::io_context io(1);
    std::weak_ptr<detail::queue_core> core;
    {
        const job_queue queue(io.get_executor(), memory_store());
        core = queue.core();
        asio::co_spawn(io, job_queue(queue.core()).push(new_job("k")), asio::detached);
        asio::co_spawn(io, job_queue(queue.core()).run(), asio::detached);
    }
    io.poll();
    BOOST_TEST_REQUIRE(!core.expired());
    BOOST_TEST(job_queue(core.lock()).counts("default").available == 1u);
}

BOOST_AUTO_TEST_CASE(a_queue_ends_with_jobs_in_every_state) {
    asio::io_context io(1);
    job_queue queue(io.get_executor(), memory_store());
    for (int i = 0; i < 4; ++i) {
        new_job job("k");
        job.delay = i == 0 ? 1h : 0s;
        asio::co_spawn(io, queue.push(job), asio::detached);
    }
    take_options all;
    all.jobs_max = 2;
    asio::co_spawn(io, queue.take(all), asio::detached);
    io.poll();
    BOOST_TEST(queue.counts("default").executing == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
