#pragma once

#include <lifeguard/child_spec.hpp>
#include <lifeguard/command.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/metrics.hpp>
#include <lifeguard/worker_pool.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeguard {

/// What an engine is made of. Validated by the engine's constructor; the error names the field.
struct engine_options {
    /// Names the engine in its tree and logs.
    std::string name = "lifeguard";

    /// Makes the store where its jobs live, once, when the engine is made. Empty: a memory store
    /// with the options below.
    std::function<store()> make_store;
    memory_store_options memory;
    queue_options queue;

    /// Its pools. None: one called "default" with the defaults of a pool.
    std::vector<worker_pool_options> pools;

    /// Kinds whose jobs are handled by programs.
    std::map<std::string, command_options> commands;

    /// More restarts of pools than `intensity` within `period` and the engine ends. Default to 5 in
    /// 10 s.
    unsigned intensity = 5;
    duration period = std::chrono::seconds(10);

    /// Also offer the metrics under the names of the tutorial that this project grew from:
    /// `worker_pool_exhausted_total` and so on, see docs/metrics.md. Defaults to false.
    bool seed_names = false;

    /// Empty: the machine's clocks.
    std::shared_ptr<time_source> time;
    /// Gets what the engine has to report. Empty: warnings and errors go to stderr.
    std::shared_ptr<log_sink> log;
    /// Where its metrics go. Empty: a registry of its own.
    std::shared_ptr<metrics_registry> metrics;
};

/// What `engine::stop_within` answers.
enum class stop_answer {
    stopped,  ///< the engine has ended
    deadline, ///< it is still stopping, and goes on with that
};

/// Reads options from JSON; docs/configuration.md lists the members. Errors: `malformed_json`,
/// `invalid_option` naming the member, as "pools[0].size".
engine_options parse_options(std::string_view text);

/// As `parse_options` of a file's content. Errors: `not_found` when the file cannot be read.
engine_options load_options(const std::string& path);

/// The composition root: a store, queues, pools and the supervision tree that runs them.
///
/// A handle over a shared core. Thread safety: any thread may call any member. Lifetime: handles
/// and the executor's context may be destroyed in either order.
class engine {
  public:
    /// Starts nothing. Errors: `invalid_option`, `duplicate_id` for two pools of one name.
    explicit engine(asio::any_io_executor executor, engine_options options = engine_options());

    /// Registers the handler of a kind: any coroutine function of a `job_context&`. Errors:
    /// `duplicate_id` when the kind has one.
    template <typename F>
    void handle(const std::string& kind, F f) {
        register_handler(kind, make_handler(std::move(f)));
    }

    /// The same with the payload converted to `Args`, by nlohmann's conversions: `f(Args&)` or
    /// `f(Args&, job_context&)`.
    template <typename Args, typename F>
    void handle(const std::string& kind, F f) {
        register_handler(kind, make_typed_handler<Args>(std::move(f)));
    }

    /// Binds a kind to a program: `command_handler` with the engine's time source. Errors:
    /// `invalid_option`, `duplicate_id`.
    void handle_command(const std::string& kind, command_options options);

    /// `check` is called with the payload of every job of the kind when it is submitted, on the
    /// submitter's stack; what it throws refuses the job as `invalid_job`.
    void validate(const std::string& kind, validator check);

    /// Adds a service to the tree in front of the queue and the pools: it starts before them and is
    /// stopped when they have ended, so that it can show how they do. Before `run`; the last one
    /// that is added starts first. Errors: `invalid_option`, `already_present`, `already_started`.
    void serve(child_spec spec);

    /// The supervision tree as a service: runs until the engine is stopped. Once.
    /// Errors and cancellation: as `supervisor::run`.
    asio::awaitable<void> run();

    /// Stops the pools, then the queue, and returns when `run` is about to. From now on no pool
    /// starts a job; what runs may finish for the `drain_wait` of its pool, which begins for all
    /// pools at once, is cancelled then, and goes back unattempted.
    asio::awaitable<void> stop();
    /// The same, waiting for `wait` at most. That this has passed cancels no job: whoever has had
    /// enough may call again, wait longer, or leave.
    asio::awaitable<stop_answer> stop_within(duration wait);
    void request_stop();

    /// Whether it has begun to stop, for whatever reason, or has ended.
    bool stopping() const noexcept;

    /// Calls `f` with every record that the engine logs from now on, whatever its level; the first
    /// one to ask also gets what was logged before, up to 100 records. `f` runs where `log_sink`
    /// would; what it throws is swallowed. The subscription ends with the returned object.
    [[nodiscard]] std::shared_ptr<void> on_log(std::function<void(const log_record&)> f);

    /// Errors: `no_such_pool`.
    worker_pool pool(std::string_view name) const;
    std::vector<std::string> pools() const;

    job_queue queue() const;
    supervisor root() const;

    /// The tree as text.
    asio::awaitable<std::string> tree() const;

    /// The metrics in Prometheus' text format.
    std::string metrics() const;
    /// The value of one of them; empty when there is none of that name and labels.
    std::optional<double> metrics_value(std::string_view metric,
                                        const metric_labels& labels = {}) const;

  private:
    void register_handler(const std::string& kind, handler h);

    class core;
    static asio::awaitable<void> run(std::shared_ptr<core> self);
    static asio::awaitable<void> stop(std::shared_ptr<core> self);
    static asio::awaitable<stop_answer> stop_within(std::shared_ptr<core> self, duration wait);

    std::shared_ptr<core> core_;
};

/// A completion handler for co_spawn that lets an exception leave `io_context::run`.
inline constexpr auto rethrow = [](const std::exception_ptr& e) {
    if (e)
        std::rethrow_exception(e);
};

} // namespace lifeguard
