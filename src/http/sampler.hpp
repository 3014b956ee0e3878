#pragma once

#include "http/sample_history.hpp"
#include <lifeguard/engine.hpp>

namespace lifeguard::detail::web {

/// Looks at the engine once a second, tells the listeners of the hub what it saw (`sample`), and
/// keeps it for an hour. One lock of the engine's for all queues, and one for each pool, are all
/// that it costs others. Thread-safe; `run` once at a time.
class sampler {
  public:
    sampler(engine served, std::shared_ptr<event_hub> hub);
    ~sampler();

    /// A service: samples now and every second until it is cancelled.
    static asio::awaitable<void> run(std::shared_ptr<sampler> self);

    /// Takes one sample. `lag`: how late the loop is.
    void sample(duration lag);

    /// The samples of so many seconds as JSON: "[...]".
    std::string history(std::uint64_t seconds) const;

    /// A sample lists so many queues; of more, those with the most unfinished jobs.
    static constexpr std::size_t queues_max = 100;

  private:
    struct figures;
    class pool_watch;

    figures look(duration lag);
    std::string compose(const figures& f, bool coarse);

    engine served_;
    const std::shared_ptr<event_hub> hub_;
    metrics_scope scope_;
    histogram& lags_;
    std::vector<std::unique_ptr<pool_watch>> pools_;
    unsigned number_ = 0;

    mutable std::mutex mutex_; // guards the history
    sample_history history_;
};

} // namespace lifeguard::detail::web
