#pragma once

#include "supervision/reply.hpp"
#include "support/test_context.hpp"
#include <lifeguard/error.hpp>
#include <lifeguard/supervisor.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

// The words of the conformance cases in this library: a child is a `child_spec` named by id;
// "returns", "exit_shutdown" and "crashes" are puppet::returns, leaves and crashes; "counts" are
// supervisor::count_children; "ask it to stop" is supervisor::stop or request_stop; "the child
// list" is supervisor::which_children.
namespace lifeguard::test {

/// Waits on manual time. Cancellation: throws `operation_aborted`.
asio::awaitable<void> sleep(std::shared_ptr<time_source> time, duration by);

/// Waits until it is cancelled.
asio::awaitable<void> forever();

/// Goes on after each cancellation, until `until` arrives.
asio::awaitable<void> deaf(std::shared_ptr<detail::reply> until);

/// Lines from any thread.
class journal {
  public:
    void add(std::string line);
    /// The lines since the last time, separated by commas.
    std::string take();

  private:
    std::mutex mutex_;
    std::vector<std::string> lines_;
};

/// A child that waits and ends as it is told.
class puppet {
  public:
    explicit puppet(std::string id, std::shared_ptr<journal> notes = {});

    /// What the children run: each incarnation is counted and noted, "+id" when it starts and "-id"
    /// when it ends in any way.
    child_spec spec(restart_type restart = restart_type::permanent) const;

    void returns() const { tell(order::returns); }
    void crashes() const { tell(order::crashes); }
    void leaves(std::string detail = {}) const { tell(order::leaves, std::move(detail)); }
    /// Its start throws, `times` times, after the next `after` starts.
    void fails_to_start(int times, int after = 0) const;
    /// Its start says ignore, `times` times.
    void ignores(int times) const;

    const std::string& id() const noexcept;
    int starts() const; ///< calls of the start function
    int live() const;   ///< coroutines

  private:
    enum class order { none, returns, crashes, leaves };
    struct strings;

    void tell(order what, std::string detail = {}) const;
    static asio::awaitable<void> run(std::shared_ptr<strings> s);

    std::shared_ptr<strings> strings_;
};

/// The template of a simple_one_for_one supervisor, "p": its children are the puppets that
/// `start_child` is given, as "p/1", "p/2" ...
child_spec puppets(restart_type restart = restart_type::permanent);

/// Ends only when it is let go, and notes that it was. What it swallows it does not even see.
struct immovable {
    std::shared_ptr<detail::reply> let_go = std::make_shared<detail::reply>();
    std::shared_ptr<journal> notes = std::make_shared<journal>();
    bool throws_at_the_end = false;

    /// A child with id "rock".
    child_spec spec(shutdown_policy shutdown) const;
};

/// Cleans up for `by`, shielded, when it is asked to stop; notes "asked" and "clean".
asio::awaitable<void> cleans_up(std::shared_ptr<time_source> time, duration by,
                                std::shared_ptr<journal> notes);

/// What a subscriber heard, one line per event: "started a1", "exited a1 error(crash)".
class listener {
  public:
    explicit listener(supervisor& to);
    std::string take() { return heard_->take(); }

  private:
    std::shared_ptr<journal> heard_ = std::make_shared<journal>();
    std::shared_ptr<void> subscription_;
};

/// Options as the cases write them: 2/3600 is `flags(ctx, 2, 3600s)`.
supervisor_options flags(test_context& ctx, unsigned intensity = 2,
                         duration period = std::chrono::hours(1));

/// 2/3600 unless told otherwise, with a strategy.
supervisor_options flags(test_context& ctx, strategy s, unsigned intensity = 2);

/// The same, 2/3600, with a kill_grace of 50 ms.
supervisor_options impatient(test_context& ctx);

/// "specs,active,supervisors,workers", as the cases write it.
std::string counts(test_context& ctx, const supervisor& of);

/// "a running 1, b not_started 0": id, state and incarnation.
std::string list(test_context& ctx, const supervisor& of);

/// What `run` ended with: "returned", "shutdown(detail)", "error(text)".
std::string outcome(const test_future<void>& run);

/// The name of the error that an operation ends with; empty when it ends well.
template <typename T>
std::string error_of(test_context& ctx, asio::awaitable<T> op) {
    try {
        ctx.await(std::move(op));
    } catch (const error& e) {
        return std::string(name_of(static_cast<errc>(e.code().value())));
    }
    return {};
}

} // namespace lifeguard::test
