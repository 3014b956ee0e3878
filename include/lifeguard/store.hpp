#pragma once

#include <cstddef>
#include <memory>

namespace lifeguard {

namespace detail {
class job_store;
}

struct memory_store_options {
    /// How many completed and cancelled jobs are kept, so that their results can still be asked
    /// for; the oldest are forgotten. Defaults to 1,000.
    std::size_t finished_max = 1000;
    /// How many discarded jobs are kept, with all their errors. Defaults to 10,000.
    std::size_t discarded_max = 10000;
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
