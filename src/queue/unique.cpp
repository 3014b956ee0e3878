// Jobs that are not stored because they are there already.

#include "base/utf8.hpp"
#include "queue/queue_core.hpp"

namespace lifeguard::detail {

void check_unique(const unique_options& unique) {
    constexpr std::size_t key_max = 1000; // bytes
    if (unique.key.size() > key_max)
        throw error(errc::invalid_job, "unique_key: longer than 1,000 bytes");
    for (std::string_view rest = unique.key; !rest.empty();) {
        const std::size_t length = utf8_length(rest);
        if (length == 0)
            throw error(errc::invalid_job, "unique_key: is not UTF-8");
        rest.remove_prefix(length);
    }
    if (unique.period < duration::zero())
        throw error(errc::invalid_job, "unique_period: must not be negative");
    if (unique.states.empty())
        throw error(errc::invalid_job, "unique_states: must name one at least");
}

queue_core::identity queue_core::identify(const new_job& job, bool idempotent) const {
    return identity(
        job.unique ? store_->index().uniques().hash(job.kind, job.unique->key, job.payload_text())
                   : 0,
        idempotent && !job.id.is_nil());
}

job_record* queue_core::look_for_twin(const new_job& job, const identity& by) {
    if (by.idempotent)
        if (job_record* const same = index().find_announced(job.id))
            return same;
    if (!job.unique)
        return nullptr;
    const unique_options& unique = *job.unique;
    const auto kind = kinds_.find(job.kind);
    job_record* const other = kind == kinds_.end()
                                  ? nullptr
                                  : index().uniques().holder(*kind->second, unique.key,
                                                             job.payload_text(), by.unique_hash);
    if (other == nullptr || !unique.states.contains(other->state))
        return nullptr;
    const bool old =
        unique.period != duration::zero() && at_.wall - other->created_at >= unique.period;
    return old ? nullptr : other;
}

} // namespace lifeguard::detail
