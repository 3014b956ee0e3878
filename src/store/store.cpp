#include <lifeguard/store.hpp>

#include "store/job_store.hpp"

namespace lifeguard {

store::store(std::unique_ptr<detail::job_store> s) noexcept : store_(std::move(s)) {}
store::store(store&&) noexcept = default;
store& store::operator=(store&&) noexcept = default;
store::~store() = default;

std::unique_ptr<detail::job_store> store::release() noexcept { return std::move(store_); }

store memory_store(const memory_store_options& options) {
    return store(
        detail::make_memory_store({options.finished_max, options.discarded_max, options.keep_for,
                                   options.finished_bytes_max, options.discarded_bytes_max}));
}

} // namespace lifeguard
