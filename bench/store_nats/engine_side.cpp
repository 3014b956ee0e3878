#include "store_nats/engine_side.hpp"

#include "store_nats/raw_side.hpp"
#include <lifeguard/engine.hpp>
#include <lifeguard/job_queue.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/nats_store.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <deque>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace bench {
namespace {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

lifeguard::engine_options stored_in(const std::string& url, const std::string& prefix) {
    lifeguard::engine_options o;
    lifeguard::nats_store_options s;
    s.servers.push_back(url);
    s.prefix = prefix;
    o.make_store = [s] { return lifeguard::nats_store(s); };
    return o;
}

lifeguard::new_job a_job() { return lifeguard::new_job::from_text("job", std::string(payload)); }

/// Removes what engines of that prefix have made, when these are gone.
class installation {
  public:
    installation(std::string url, std::string prefix)
        : url_(std::move(url)), prefix_(std::move(prefix)) {}
    ~installation() {
        for (const std::string& stream :
             {"KV_" + prefix_ + "_jobs", prefix_ + "_WORK", prefix_ + "_DEAD"})
            remove_stream(url_, stream);
    }
    installation(const installation&) = delete;
    installation& operator=(const installation&) = delete;

  private:
    std::string url_;
    std::string prefix_;
};

/// An engine that only keeps jobs: its pools are not run.
struct stored {
    stored(const std::string& url, const std::string& prefix)
        : io(1), engine(io.get_executor(), stored_in(url, prefix)) {}

    asio::io_context io;
    lifeguard::engine engine;
    lifeguard::job_queue queue = engine.queue();

    /// Runs `jobs` steps of coroutines that follow each other, `in_flight` at a time. Per second.
    template <typename Step>
    double run(int jobs, Step step) {
        const auto loop = [&](int n) -> asio::awaitable<void> {
            for (int i = 0; i < n; ++i)
                co_await step();
        };
        for (int i = 0; i < in_flight; ++i)
            asio::co_spawn(io, loop(jobs / in_flight), lifeguard::rethrow);
        const auto start = clock_type::now();
        io.run();
        return jobs / std::chrono::duration<double>(clock_type::now() - start).count();
    }

    double push(int jobs) {
        return run(jobs, [this]() -> asio::awaitable<void> { co_await queue.push(a_job()); });
    }
};

/// What ran, and when.
class ledger {
  public:
    explicit ledger(std::size_t jobs) : jobs_(jobs) {}

    void add(const lifeguard::job_id& id) {
        const auto now = clock_type::now();
        const std::lock_guard lock(mutex_);
        if (runs_++ == 0)
            first_ = now;
        last_ = now;
        if (different_.insert(id).second && different_.size() == jobs_)
            all_.set_value();
    }

    /// Until every job has run, or nobody would believe it any more.
    void wait() { all_.get_future().wait_for(std::chrono::minutes(2)); }

    shared_figures figures() const {
        const std::chrono::duration<double> took = last_ - first_;
        return {runs_ / took.count(), runs_, static_cast<int>(different_.size())};
    }

  private:
    const std::size_t jobs_;
    std::mutex mutex_;
    std::set<lifeguard::job_id> different_;
    std::promise<void> all_;
    int runs_ = 0;
    clock_type::time_point first_;
    clock_type::time_point last_;
};

/// An engine with its thread, until it is told to stop.
class member {
  public:
    member(const lifeguard::engine_options& o, ledger& ran) : engine_(io_.get_executor(), o) {
        engine_.handle("job", [&ran](lifeguard::job_context& job) { return work(ran, job); });
        asio::co_spawn(io_, engine_.run(), lifeguard::rethrow);
    }

    void start() {
        thread_ = std::jthread([this] { io_.run(); });
    }
    void request_stop() { engine_.request_stop(); }

  private:
    static asio::awaitable<lifeguard::json> work(ledger& ran, lifeguard::job_context& job) {
        const lifeguard::job_id id = job.id();
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(5));
        co_await timer.async_wait(asio::use_awaitable);
        ran.add(id);
        co_return nullptr;
    }

    asio::io_context io_{1};
    lifeguard::engine engine_;
    std::jthread thread_; // ends first
};

} // namespace

double pushes(const std::string& url, const std::string& prefix, int jobs) {
    const installation made(url, prefix);
    stored s(url, prefix);
    return s.push(jobs);
}

double lives(const std::string& url, const std::string& prefix, int jobs) {
    const installation made(url, prefix);
    stored s(url, prefix);
    return s.run(jobs, [&]() -> asio::awaitable<void> {
        co_await s.queue.push(a_job());
        lifeguard::take_options one;
        one.wait = std::chrono::seconds(30);
        const auto taken = co_await s.queue.take(one);
        co_await s.queue.complete(taken.at(0).id, taken.at(0).token, lifeguard::json(1));
    });
}

shared_figures share(const std::string& url, const std::string& prefix, int engines, int lanes,
                     int jobs) {
    const installation made(url, prefix);
    {
        stored s(url, prefix);
        s.push(jobs);
    }
    lifeguard::engine_options o = stored_in(url, prefix);
    lifeguard::worker_pool_options& pool = o.pools.emplace_back();
    pool.size = static_cast<unsigned>(lanes);
    pool.max_overflow = 0;
    ledger ran(static_cast<std::size_t>(jobs));
    std::deque<member> members;
    for (int i = 0; i < engines; ++i)
        members.emplace_back(o, ran);
    for (member& m : members)
        m.start();
    ran.wait();
    for (member& m : members)
        m.request_stop();
    members.clear(); // waits for them
    return ran.figures();
}

} // namespace bench
