#pragma once

#include "support/gate.hpp"
#include "support/log_capture.hpp"
#include "support/test_context.hpp"
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/metrics.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lifeguard::test {

/// How a pool of `size` workers and `overflow` is written in the tests.
worker_pool_options workers(unsigned size, unsigned overflow = 0);

/// An engine with one pool, "p", and handlers for a few kinds. Started by its constructor; its
/// destructor stops it and fails the test when anything is left over.
///
///     double  returns twice its payload
///     echo    returns its payload
///     fail    throws std::runtime_error with its payload as text
///     wait    waits at `doors`, then returns its payload; a cancellation ends it
///     deaf    waits at `doors` and hears nothing
///     nap     works for as many milliseconds as its payload says
struct rig {
    explicit rig(test_context& context, worker_pool_options pool = workers(1),
                 engine_options more = engine_options());
    rig(const rig&) = delete;
    rig& operator=(const rig&) = delete;
    ~rig() noexcept(false); // what it settles may be cut

    /// Lets handlers that the test leaves waiting go, stops, and checks that nothing is left.
    void finish();
    /// The engine is asked to stop; nothing is run yet.
    void ask_to_stop() { engine_.request_stop(); }
    bool ended() const { return run_.ready(); }
    std::exception_ptr failure() const { return run_.exception(); }

    worker_pool pool() const { return engine_.pool("p"); }
    engine& the_engine() { return engine_; }

    /// Executes and settles; the future may be ready.
    test_future<json> execute(new_job job, execute_options how = execute_options());
    test_future<json> execute(std::string kind, json payload = nullptr,
                              execute_options how = execute_options());
    /// The same, for a job that gets done at once.
    json done(std::string kind, json payload = nullptr);
    job_id submit(new_job job);
    job_id submit(std::string kind, json payload = nullptr);
    void kill(std::string worker);

    job_info job(const job_id& id) const;
    std::string state(const job_id& id) const { return std::string(name_of(job(id).state)); }
    /// "p/1 busy 1 +2, p/2 idle": who is alive, what each runs and has taken.
    std::string loads() const;
    pool_status status() const { return pool().status(); }
    worker_status worker(unsigned number) const;
    double metric(std::string_view name, metric_labels more = {}) const;

    test_context& ctx;
    const std::shared_ptr<log_capture> log = std::make_shared<log_capture>();
    const std::shared_ptr<metrics_registry> metrics = std::make_shared<metrics_registry>();
    gate doors;
    std::atomic<int> started = 0; ///< of all handlers above
    std::atomic<int> running = 0;
    std::atomic<int> running_max = 0;
    std::atomic<int> cancelled = 0; ///< handlers of `wait` that saw a cancellation

  private:
    class counted;
    void add_handlers();

    lifeguard::engine engine_;
    test_future<void> run_;
    bool finished_ = false;
};

/// The message of what the future threw; "" when it threw nothing.
template <typename T>
std::string message_of(const test_future<T>& f) {
    if (!f.ready())
        return "not ready";
    return f.exception() ? describe(f.exception()) : std::string();
}

} // namespace lifeguard::test
