// How the words of the cases map to the API: enqueue is push, pull is take, ack is complete, nack
// is fail; type, domain, leased, retry, done, dead are kind, queue, executing, retryable,
// completed, discarded; P0 is priority 0.
#pragma once

#include "conformance/stores.hpp"
#include "queue/queue_core.hpp"
#include "support/log_capture.hpp"
#include <lifeguard/json.hpp>
#include <lifeguard/worker_pool.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp> // lint: allow a gate
#include <boost/asio/use_awaitable.hpp>

#include <list>
#include <mutex>
#include <string>
#include <vector>

namespace lifeguard {

using gate_timer = boost::asio::steady_timer; // lint: allow never expires

inline std::ostream& boost_test_print_type(std::ostream& out, job_state s) {
    return out << name_of(s);
}
inline std::ostream& boost_test_print_type(std::ostream& out, const job_id& id) {
    return out << id.to_string();
}

namespace test {

/// What the cases rely on: leases of 30 s, 20 attempts, 1 s x 2 up to 1 h without jitter.
inline queue_options conformance_options() {
    queue_options options;
    options.retry.offset = duration::zero();
    options.retry.base = std::chrono::seconds(1);
    options.retry.cap = std::chrono::hours(1);
    options.retry.jitter = 0;
    return options;
}

inline std::string error_name(const error_code& code) {
    return std::string(name_of(static_cast<errc>(code.value())));
}

/// A queue with its upkeep, and its operations without the coroutines around them.
class queue_fixture {
  public:
    queue_fixture(test_context& ctx, const store_under_test& kept,
                  queue_options options = conformance_options())
        : ctx_(ctx),
          queue(ctx.executor(), kept.make(), std::move(options), ctx.time),
          drain_(ctx.settle_with([core = queue.core()] { return core->store().drain(); })),
          upkeep_(ctx.spawn(queue.run())) {
        ctx_.settle();
    }
    ~queue_fixture() noexcept(false) { // what it settles may be cut
        if (ctx_.is_cut())
            return;
        upkeep_.cancel();
        ctx_.settle();
    }
    queue_fixture(const queue_fixture&) = delete;
    queue_fixture& operator=(const queue_fixture&) = delete;

    job_id push(new_job job) { return ctx_.await(queue.push(std::move(job))); }
    job_id push(int priority) {
        new_job job("k");
        job.priority = priority;
        return push(std::move(job));
    }
    job_id push(std::string queue_name, int priority = priority_default) {
        new_job job("k");
        job.queue = std::move(queue_name);
        job.priority = priority;
        return push(std::move(job));
    }
    job_id push_json(std::string text) { return ctx_.await(queue.push_json(std::move(text))); }

    /// The code and the text of the refusal.
    thrown refused(new_job job) {
        return thrown_by([&] { push(std::move(job)); });
    }
    thrown refused(std::string text) {
        return thrown_by([&] { push_json(std::move(text)); });
    }

    std::vector<taken_job> take(std::size_t jobs_max, std::string from = "default") {
        take_options options(std::move(from));
        options.jobs_max = jobs_max;
        return take(std::move(options));
    }
    std::vector<taken_job> take(take_options options) {
        return ctx_.await(queue.take(std::move(options)));
    }
    /// The one job there is.
    taken_job take() {
        auto taken = take(1);
        BOOST_TEST_REQUIRE(taken.size() == 1u);
        return std::move(taken.front());
    }
    std::vector<int> priorities(const std::vector<taken_job>& taken) {
        std::vector<int> all;
        for (const taken_job& t : taken)
            all.push_back(t.priority);
        return all;
    }

    void complete(const taken_job& t, json result = json()) {
        ctx_.await(queue.complete(t.id, t.token, std::move(result)));
    }
    void fail(const taken_job& t, std::string why = "boom") {
        ctx_.await(queue.fail(t.id, t.token, std::move(why)));
    }
    void release(const taken_job& t) { ctx_.await(queue.release(t.id, t.token)); }
    std::string complete_answers(const job_id& id, std::uint32_t token) {
        return error_name(thrown_by([&] { ctx_.await(queue.complete(id, token, json())); }).code);
    }

    job_info info(const job_id& id) {
        auto found = queue.find(id);
        BOOST_TEST_REQUIRE(found.has_value());
        return std::move(*found);
    }
    job_state state(const job_id& id) { return info(id).state; }

    /// "available 1, executing 2", without what is zero.
    std::string counts(const std::string& name = "default") {
        const queue_counts c = queue.counts(name);
        std::string text;
        const auto add = [&](const char* what, std::size_t n) {
            if (n != 0)
                text += (text.empty() ? "" : ", ") + std::string(what) + " " + std::to_string(n);
        };
        add("scheduled", c.scheduled);
        add("available", c.available);
        add("executing", c.executing);
        add("retryable", c.retryable);
        add("completed", c.completed);
        add("cancelled", c.cancelled);
        add("discarded", c.discarded);
        return text;
    }
    const detail::queue_core::figures& figures() { return queue.core()->counts; }

    void handle(const std::string& kind, handler run) {
        queue.core()->set_handler(kind, std::move(run));
    }

  private:
    test_context& ctx_;

  public:
    job_queue queue;

  private:
    std::shared_ptr<void> drain_;
    test_future<void> upkeep_;
};

/// A pool that runs until the end of the test.
class pool_fixture {
  public:
    pool_fixture(test_context& ctx, queue_fixture& jobs, worker_pool_options options)
        : log(std::make_shared<log_capture>()),
          pool(jobs.queue, std::move(options), log),
          ctx_(ctx),
          run_(ctx.spawn(pool.run())) {
        ctx_.settle();
    }
    ~pool_fixture() noexcept(false) { // what it settles may be cut
        if (ctx_.is_cut())
            return;
        run_.cancel();
        ctx_.settle();
    }
    pool_fixture(const pool_fixture&) = delete;
    pool_fixture& operator=(const pool_fixture&) = delete;

    job_id submit(new_job job) {
        const job_id id = ctx_.await(pool.submit(std::move(job)));
        ctx_.settle();
        return id;
    }

    const std::shared_ptr<log_capture> log;
    worker_pool pool;

  private:
    test_context& ctx_;
    test_future<void> run_;
};

/// One worker that takes one job at a time.
inline worker_pool_options one_worker() {
    worker_pool_options options;
    options.name = "p";
    options.size = 1;
    options.max_overflow = 0;
    options.pull_size = 1;
    options.drain_wait = duration::zero();
    options.breaker.threshold = 1000; // cases with many failures are not about breakers
    return options;
}

/// Handlers wait here until the test lets them through, or somebody cancels them. To be opened
/// while nothing runs.
class gate {
  public:
    asio::awaitable<void> pass() {
        auto timer = std::make_shared<gate_timer>(co_await asio::this_coro::executor,
                                                  gate_timer::time_point::max());
        {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(timer);
        }
        boost::system::error_code ec;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
        const std::lock_guard lock(mutex_);
        if (std::erase(waiting_, timer) != 0)
            throw boost::system::system_error(ec); // nobody let it through
    }

    std::size_t waiting() const {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }

    /// Lets through who waits longest.
    void open_one() {
        std::shared_ptr<gate_timer> first;
        {
            const std::lock_guard lock(mutex_);
            first = waiting_.front();
            waiting_.pop_front();
        }
        first->cancel();
    }
    /// And who came last.
    void open_last() {
        std::shared_ptr<gate_timer> last;
        {
            const std::lock_guard lock(mutex_);
            last = waiting_.back();
            waiting_.pop_back();
        }
        last->cancel();
    }
    void open() {
        while (waiting() != 0)
            open_one();
    }

  private:
    mutable std::mutex mutex_;
    std::list<std::shared_ptr<gate_timer>> waiting_;
};

} // namespace test
} // namespace lifeguard
