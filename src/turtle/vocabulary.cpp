#include "turtle/vocabulary.hpp"

#include <algorithm>

namespace lifeguard::detail::vocabulary {
namespace {

/// The first four and those of a worker are the tutorial's; the others are named after our options.
constexpr std::array<property, 20> properties{{
    {"jobs:poolSize", worker_pool, "size", range::integer},
    {"jobs:maxOverflow", worker_pool, "max_overflow", range::integer},
    {"jobs:pullSize", worker_pool, "pull_size", range::integer},
    {"jobs:processTimeout", worker_pool, "process_timeout_ms", range::integer},
    {"jobs:name", worker_pool, "name", range::string},
    {"jobs:queue", worker_pool, "queues", range::string},
    {"jobs:strictOrder", worker_pool, "strict_order", range::boolean},
    {"jobs:onlyPriority", worker_pool, "priority", range::integer},
    {"jobs:concurrency", worker_pool, "concurrency", range::integer},
    {"jobs:checkoutWait", worker_pool, "checkout_wait_ms", range::integer},
    {"jobs:letItCrash", worker_pool, "let_it_crash", range::boolean},
    {"jobs:drainWait", worker_pool, "drain_wait_ms", range::integer},
    {"jobs:cancelGrace", worker_pool, "cancel_grace_ms", range::integer},
    {"jobs:stuckThreshold", worker_pool, "stuck_threshold_ms", range::integer},
    {"jobs:intensity", worker_pool, "intensity", range::integer},
    {"jobs:period", worker_pool, "period_ms", range::integer},
    {"jobs:workerId", worker, "name", range::string},
    {"jobs:priority", worker, "priority", range::integer},
    {"jobs:domain", worker, "queues", range::string},
    {"jobs:circuitBreakerOpen", worker, "", range::boolean},
}};

} // namespace

std::string shortened(std::string_view iri) {
    const auto with = [iri](std::string_view prefix, std::string_view space) {
        return std::string(prefix) + ":" + std::string(iri.substr(space.size()));
    };
    if (iri.starts_with(jobs))
        return with("jobs", jobs);
    for (const auto& [prefix, space] : usual_prefixes)
        if (iri.starts_with(space))
            return with(prefix, space);
    return "<" + std::string(iri) + ">";
}

std::string iri_of(std::string_view short_name) {
    const std::size_t colon = short_name.find(':');
    const std::string_view local = short_name.substr(colon + 1);
    for (const auto& [prefix, space] : usual_prefixes)
        if (short_name.substr(0, colon) == prefix)
            return std::string(space) + std::string(local);
    return std::string(jobs) + std::string(local);
}

std::string_view name_of(range r) noexcept {
    switch (r) {
    case range::integer:
        return "xsd:integer";
    case range::boolean:
        return "xsd:boolean";
    case range::string:
        return "xsd:string";
    }
    return "";
}

const property* find(std::string_view name, std::string_view domain) noexcept {
    const auto found = std::ranges::find_if(
        properties, [&](const property& p) { return p.name == name && p.domain == domain; });
    return found == properties.end() ? nullptr : &*found;
}

const property* find(std::string_view name) noexcept {
    const auto found = std::ranges::find(properties, name, &property::name);
    return found == properties.end() ? nullptr : &*found;
}

} // namespace lifeguard::detail::vocabulary
