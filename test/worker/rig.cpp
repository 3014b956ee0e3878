#include "worker/rig.hpp"

namespace lifeguard::test {

using namespace std::chrono_literals;

worker_pool_options workers(unsigned size, unsigned overflow) {
    worker_pool_options pool;
    pool.name = "p";
    pool.size = size;
    pool.max_overflow = overflow;
    return pool;
}

namespace {

engine_options complete(engine_options o, const rig& r, worker_pool_options pool) {
    o.time = r.ctx.time;
    o.log = r.log;
    o.metrics = r.metrics;
    o.queue.retry.jitter = 0;
    o.pools.insert(o.pools.begin(), std::move(pool));
    return o;
}

} // namespace

class rig::counted {
  public:
    explicit counted(rig& r) : rig_(r) {
        ++rig_.started;
        const int now = ++rig_.running;
        for (int max = rig_.running_max; max < now;)
            if (rig_.running_max.compare_exchange_weak(max, now))
                break;
    }
    ~counted() { --rig_.running; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;

  private:
    rig& rig_;
};

rig::rig(test_context& context, worker_pool_options pool, engine_options more)
    : ctx(context),
      engine_(ctx.executor(), complete(std::move(more), *this, std::move(pool))),
      run_(ctx.spawn(engine_.run())) {
    add_handlers();
    ctx.settle();
}

void rig::add_handlers() {
    engine_.handle("double", [this](job_context& job) -> asio::awaitable<json> {
        const counted one(*this);
        co_return job.payload().get<int>() * 2;
    });
    engine_.handle("echo", [this](job_context& job) -> asio::awaitable<json> {
        const counted one(*this);
        co_return job.payload();
    });
    engine_.handle("fail", [this](job_context& job) -> asio::awaitable<json> {
        const counted one(*this);
        throw std::runtime_error(job.payload().is_string() ? job.payload().get<std::string>()
                                                           : "failed");
        co_return nullptr;
    });
    engine_.handle("wait", [this](job_context& job) -> asio::awaitable<json> {
        const counted one(*this);
        try {
            co_await doors.pass();
        } catch (...) {
            ++cancelled;
            throw;
        }
        co_return job.payload();
    });
    engine_.handle("deaf", [this](job_context& job) -> asio::awaitable<json> {
        const counted one(*this);
        co_await doors.pass_deaf();
        co_return job.payload();
    });
    engine_.handle("nap", [this](job_context& job) -> asio::awaitable<json> {
        const counted one(*this);
        co_await nap(ctx.time, std::chrono::milliseconds(job.payload().get<int>()));
        co_return job.payload();
    });
}

rig::~rig() noexcept(false) {
    if (!finished_ && std::uncaught_exceptions() == 0)
        finish();
}

void rig::finish() {
    finished_ = true;
    doors.open();
    ctx.settle();
    engine_.request_stop();
    ctx.settle();
    if (!run_.ready())
        ctx.advance(pool().status().workers == 0 ? 1s : 60s);
    BOOST_TEST(run_.ready());
    const pool_status s = pool().status();
    BOOST_TEST(s.workers == 0U);
    BOOST_TEST(s.lanes_abandoned == 0U);
    BOOST_TEST(s.executing == 0U);
    BOOST_TEST(s.callers_waiting == 0U);
    BOOST_TEST(running.load() == 0);
    BOOST_TEST(ctx.time->alarms() == 0U);
}

test_future<json> rig::execute(new_job job, execute_options how) {
    auto future = ctx.spawn(pool().execute(std::move(job), how));
    ctx.settle();
    return future;
}

test_future<json> rig::execute(std::string kind, json payload, execute_options how) {
    return execute(new_job(std::move(kind), payload), how);
}

json rig::done(std::string kind, json payload) {
    return execute(std::move(kind), std::move(payload)).get();
}

job_id rig::submit(new_job job) { return ctx.await(pool().submit(std::move(job))); }

job_id rig::submit(std::string kind, json payload) {
    return submit(new_job(std::move(kind), payload));
}

void rig::kill(std::string worker) { ctx.await(pool().kill(std::move(worker))); }

job_info rig::job(const job_id& id) const {
    const auto found = pool().queue().find(id);
    if (!found)
        throw std::runtime_error("no such job");
    return *found;
}

std::string rig::loads() const {
    std::string text;
    for (const worker_status& w : pool().workers()) {
        text += (text.empty() ? "" : ", ") + w.id;
        if (!w.alive)
            text += " down";
        else if (w.busy == 0)
            text += " idle";
        else
            text += " busy " + std::to_string(w.busy);
        if (w.assigned != 0)
            text += " +" + std::to_string(w.assigned);
        if (w.breaker != breaker_state::closed)
            text += " " + std::string(name_of(w.breaker));
    }
    return text;
}

worker_status rig::worker(unsigned number) const {
    return pool().worker("p/" + std::to_string(number));
}

double rig::metric(std::string_view name, metric_labels more) const {
    if (const auto v = metrics->value(name, more))
        return *v;
    more.emplace_back("pool", "p");
    return metrics->value(name, more).value_or(-1);
}

} // namespace lifeguard::test
