#include "worker/pool_options.hpp"

#include <algorithm>

namespace lifeguard::detail {
namespace {

std::optional<broken_rule> broken_rule_of(const breaker_options& options) {
    try {
        const circuit_breaker checks(options);
        return std::nullopt;
    } catch (const error& e) {
        const std::string& said = e.detail(); // "breaker.window: must be positive"
        const std::size_t colon = said.find(": ");
        return broken_rule{said.substr(0, colon), said.substr(colon + 2)};
    }
}

} // namespace

std::optional<broken_rule> broken_rule_of(const worker_pool_options& o) {
    const auto differ = [&](const std::string& name) {
        return std::ranges::count(o.queues, name) == 1;
    };
    const auto positive = [](duration d) { return d > duration::zero(); };
    const auto not_negative = [](duration d) { return d >= duration::zero(); };
    const bool priority_is_one =
        !o.priority || (*o.priority >= priority_first && *o.priority <= priority_last);

    const struct {
        bool kept;
        const char* field;
        const char* rule;
    } rules[] = {
        {!o.name.empty(), "name", "must not be empty"},
        {std::ranges::all_of(o.queues, differ), "queues", "must differ"},
        {priority_is_one, "priority", "must be 0 to 9"},
        {o.size >= 1 && o.size <= 10'000, "size", "must be 1 to 10,000"},
        {o.max_overflow <= 10'000, "max_overflow", "must be 10,000 at most"},
        {o.pull_size >= 1 && o.pull_size <= 1000, "pull_size", "must be 1 to 1,000"},
        {o.concurrency >= 1 && o.concurrency <= 10'000, "concurrency", "must be 1 to 10,000"},
        {positive(o.process_timeout), "process_timeout", "must be positive"},
        {not_negative(o.checkout_wait), "checkout_wait", "must not be negative"},
        {not_negative(o.drain_wait), "drain_wait", "must not be negative"},
        {not_negative(o.cancel_grace), "cancel_grace", "must not be negative"},
        {not_negative(o.stuck_threshold), "stuck_threshold", "must not be negative"},
        {o.abandoned_max >= 1, "abandoned_max", "must be 1 at least"},
        {positive(o.period), "period", "must be positive"},
    };
    for (const auto& r : rules)
        if (!r.kept)
            return broken_rule{r.field, r.rule};
    return broken_rule_of(o.breaker);
}

} // namespace lifeguard::detail
