#pragma once

#include <lifeguard/time_source.hpp>

#include <cstddef>
#include <memory>

namespace lifeguard {

namespace detail {
class job_store;
}

/// For how long finished jobs are kept while there is room for them. A negative age is for ever; in
/// JSON it is -1. The queue's upkeep forgets them, up to 0.1 s late. Default to for ever.
struct job_ages {
    duration completed = duration(-1);
    duration cancelled = duration(-1);
    duration discarded = duration(-1);
};

struct memory_store_options {
    /// How many completed and cancelled jobs are kept, so that their results can still be asked
    /// for; the oldest are forgotten. Defaults to 1,000.
    std::size_t finished_max = 1000;
    /// How many discarded jobs are kept, with all their errors. Defaults to 10,000.
    std::size_t discarded_max = 10000;
    /// For how long.
    job_ages keep_for = job_ages();
    /// About how many bytes of memory completed and cancelled jobs may take, and discarded ones;
    /// the oldest are forgotten by the queue's upkeep. Default to 256 MiB.
    std::size_t finished_bytes_max = std::size_t{256} << 20U;
    std::size_t discarded_bytes_max = std::size_t{256} << 20U;
};

/// Where an engine keeps its jobs. Made by a factory, given to an engine or a queue, which owns it
/// from then.
class store {
  public:
    explicit store(std::unique_ptr<detail::job_store> s) noexcept;
    store(store&&) noexcept;
    store& operator=(store&&) noexcept;
    ~store();

    std::unique_ptr<detail::job_store> release() noexcept;

  private:
    std::unique_ptr<detail::job_store> store_;
};

/// Jobs in memory: gone with the process.
store memory_store(const memory_store_options& options = memory_store_options());

} // namespace lifeguard
