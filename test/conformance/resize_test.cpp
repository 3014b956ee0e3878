// Q-50: how many workers a pool has, and how that is changed.
#include "conformance/queue_fixture.hpp"
#include <lifeguard/engine.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(resizing)

namespace {

/// A pool of one worker, and jobs that are held at a gate.
struct held_pool {
    held_pool(test_context& context, const store_under_test& kept, unsigned jobs)
        : ctx(context), q(context, kept), p((handle(), context), q, options()) {
        for (unsigned i = 0; i < jobs; ++i)
            p.submit(new_job("k"));
    }
    void handle() {
        q.handle("k", [this](job_context&) -> asio::awaitable<json> {
            co_await held.pass();
            co_return json();
        });
    }
    static worker_pool_options options() {
        worker_pool_options o = one_worker();
        o.process_timeout = 1h;
        return o;
    }
    void resize(unsigned size) {
        p.pool.resize(size);
        ctx.settle();
    }
    void open_one() {
        held.open_one();
        ctx.settle();
    }
    void finish_all() {
        while (held.waiting() != 0) {
            held.open();
            ctx.settle();
        }
    }

    test_context& ctx;
    gate held;
    queue_fixture q;
    pool_fixture p;
};

} // namespace

LIFEGUARD_STORE_TEST(Q_50_zero_and_negative_numbers_are_refused) {
    held_pool h(ctx, kept, 0);
    for (const unsigned size : {0U, static_cast<unsigned>(-1), 10'001U}) {
        worker_pool_options options;
        options.size = size;
        BOOST_TEST(
            (thrown_by([&] { worker_pool(h.q.queue, options); }).code == errc::invalid_option));
        const thrown t = thrown_by([&] { h.p.pool.resize(size); });
        BOOST_TEST((t.code == errc::invalid_option));
        BOOST_TEST(t.text.find("size") != std::string::npos);
    }
    for (const char* text : {R"({"pools": [{"size": 0}]})", R"({"pools": [{"size": -1}]})",
                             R"({"pools": [{"concurrency": 0}]})"})
        BOOST_TEST((thrown_by([&] { parse_options(text); }).code == errc::invalid_option), text);
    BOOST_TEST(h.p.pool.status().size == 1u);
    BOOST_TEST(h.p.pool.status().workers == 1u);
}

LIFEGUARD_STORE_TEST(Q_50_raising_it_from_1_to_4_lets_4_run) {
    held_pool h(ctx, kept, 10);
    BOOST_TEST(h.q.counts() == "available 9, executing 1");
    h.resize(4);
    BOOST_TEST(h.q.counts() == "available 6, executing 4");
    BOOST_TEST(h.held.waiting() == 4u);
    BOOST_TEST(h.p.pool.status().size == 4u);
    BOOST_TEST(h.p.pool.status().workers == 4u);
    BOOST_TEST(h.p.pool.worker("p/4").alive);
    h.open_one();
    BOOST_TEST(h.q.counts() == "available 5, executing 4, completed 1");
    h.finish_all();
    BOOST_TEST(h.q.counts() == "completed 10");
}

LIFEGUARD_STORE_TEST(Q_50_lowering_it_lets_running_jobs_finish_and_never_starts_more) {
    held_pool h(ctx, kept, 10);
    h.resize(4);
    h.resize(1);
    ctx.advance(10min); // longer than any patience of a stop
    BOOST_TEST(h.q.counts() == "available 6, executing 4");
    BOOST_TEST(h.held.waiting() == 4u);
    for (const char* counts :
         {"available 6, executing 3, completed 1", "available 6, executing 2, completed 2",
          "available 6, executing 1, completed 3"}) {
        h.held.open_last();
        ctx.settle();
        BOOST_TEST(h.q.counts() == counts);
    }
    BOOST_TEST(h.p.pool.workers().size() == 1u);
    BOOST_TEST(h.p.pool.status().workers == 1u);
    h.open_one();
    BOOST_TEST(h.q.counts() == "available 5, executing 1, completed 4");
    h.finish_all();
    BOOST_TEST(h.q.counts() == "completed 10");
    BOOST_TEST(h.p.pool.status().restarts_total == 0u);
}

LIFEGUARD_STORE_TEST(Q_50_never_do_more_run_while_it_goes_up_and_down) {
    held_pool h(ctx, kept, 12);
    h.resize(4);
    h.resize(1);
    h.resize(4);
    BOOST_TEST(h.q.counts() == "available 8, executing 4");
    h.resize(2);
    h.resize(3);
    BOOST_TEST(h.q.counts() == "available 8, executing 4");
    for (int i = 0; i < 20 && h.held.waiting() != 0; ++i) {
        h.open_one();
        BOOST_TEST(h.held.waiting() <= 4u);
    }
    h.finish_all();
    BOOST_TEST(h.q.counts() == "completed 12");
    BOOST_TEST(h.p.pool.workers().size() == 3u);
    BOOST_TEST(h.p.pool.status().workers == 3u);
}

LIFEGUARD_STORE_TEST(Q_50_an_idle_pool_and_one_that_does_not_run_are_resized_too) {
    queue_fixture q(ctx, kept);

    gate held;
    q.handle("k", [&](job_context&) -> asio::awaitable<json> {
        co_await held.pass();
        co_return json();
    });
    worker_pool pool(q.queue, one_worker());
    pool.resize(3);
    auto run = ctx.spawn(pool.run());
    ctx.settle();
    BOOST_TEST(pool.status().workers == 3u);
    pool.resize(2);
    ctx.settle();
    BOOST_TEST(pool.status().workers == 2u);
    run.cancel(asio::cancellation_type::total);
    ctx.settle();
    BOOST_TEST(run.ready());
    pool.resize(4);
    auto again = ctx.spawn(pool.run());
    ctx.settle();
    for (int i = 0; i < 6; ++i)
        ctx.await(pool.submit(new_job("k")));
    ctx.settle();

    BOOST_TEST(held.waiting() == 4u);
    while (held.waiting() != 0) {
        held.open();
        ctx.settle();
    }
    again.cancel(asio::cancellation_type::total);
    ctx.settle();
    BOOST_TEST(again.ready());
}

BOOST_AUTO_TEST_SUITE_END()
