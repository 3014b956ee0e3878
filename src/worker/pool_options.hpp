#pragma once

#include <lifeguard/worker_pool.hpp>

#include <optional>
#include <string>

namespace lifeguard::detail {

/// A rule that an option breaks.
struct broken_rule {
    std::string field; ///< "size", "breaker.window"
    std::string rule;  ///< "must be positive"
};

/// The first rule that the options break, if any.
std::optional<broken_rule> broken_rule_of(const worker_pool_options& options);

} // namespace lifeguard::detail
