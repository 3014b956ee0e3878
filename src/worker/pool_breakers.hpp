#pragma once

#include "queue/job_record.hpp"
#include <lifeguard/worker_pool.hpp>

#include <memory>
#include <span>
#include <vector>

namespace lifeguard::detail {

/// The breakers that a pool's workers share: one for all jobs, one for each kind, or none when each
/// worker has its own. Guarded by the engine's lock.
class pool_breakers {
  public:
    explicit pool_breakers(const worker_pool_options& options);

    /// The breaker that admits jobs of the kind; null when each worker has its own.
    circuit_breaker* shared(const kind_entry& kind);
    /// The breaker of all jobs; null when there is none.
    circuit_breaker* common() noexcept;

    /// One of these has changed its state.
    void changed(const circuit_breaker& breaker);
    /// When the first one that is open lets probes through.
    time_point next_probe(time_point now) const noexcept;
    /// Whether one of these is not closed: only then jobs may have to wait for it.
    bool in_trouble() const noexcept { return !troubled_.empty(); }

    /// The kinds of which nothing may be taken now. `taken(kind)`: how many jobs have been taken
    /// already and will ask to be admitted.
    template <typename Taken>
    std::span<const kind_entry* const> barred(time_point now, Taken taken) {
        barred_.clear();
        for (const entry* e : troubled_) {
            if (e->kind == nullptr)
                continue;
            const std::size_t before_it = taken(*e->kind);
            if (e->breaker.capacity(before_it + 1, now) <= before_it)
                barred_.push_back(e->kind);
        }
        return barred_;
    }

    circuit_breaker* find(std::string_view name) noexcept;

    template <typename F>
    void for_each(F f) const {
        for (const auto& e : entries_)
            if (e)
                f(e->breaker);
    }

  private:
    struct entry {
        const kind_entry* kind; ///< null: all
        circuit_breaker breaker;
    };

    const worker_pool_options& options_;
    std::vector<std::unique_ptr<entry>> entries_; // the one of all jobs, or by kind_entry::index
    std::vector<const entry*> troubled_;
    std::vector<const kind_entry*> barred_;
};

} // namespace lifeguard::detail
