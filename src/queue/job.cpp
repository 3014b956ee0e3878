#include <lifeguard/job.hpp>

#include "queue/job_record.hpp"
#include <lifeguard/job_context.hpp>
#include <lifeguard/json.hpp>

namespace lifeguard {
namespace {

/// Whether `value` nests deeper than `levels`; looks no deeper than that itself.
bool deeper_than(const json& value, unsigned levels) {
    if (!value.is_structured())
        return false;
    if (levels == 0)
        return true;
    for (const json& element : value)
        if (deeper_than(element, levels - 1))
            return true;
    return false;
}

std::string text_of(const json& payload) {
    if (payload.is_discarded())
        throw error(errc::malformed_json, "payload: is what is left of a text that did not parse");
    if (deeper_than(payload, job_limits().depth_max))
        throw error(errc::too_deep, "payload: nested deeper than " +
                                        std::to_string(job_limits().depth_max) + " levels");
    try {
        return payload.dump();
    } catch (const json::exception& e) {
        throw error(errc::malformed_json, std::string("payload: ") + e.what());
    }
}

} // namespace

std::string_view name_of(job_state state) noexcept {
    switch (state) {
    case job_state::scheduled:
        return "scheduled";
    case job_state::available:
        return "available";
    case job_state::executing:
        return "executing";
    case job_state::retryable:
        return "retryable";
    case job_state::completed:
        return "completed";
    case job_state::cancelled:
        return "cancelled";
    case job_state::discarded:
        return "discarded";
    }
    return "unknown";
}

new_job::new_job(std::string job_kind, const json& payload)
    : kind(std::move(job_kind)),
      payload_(text_of(payload)),
      depth_max_(payload.is_structured() ? job_limits().depth_max : 0),
      checked_(true) {}

new_job::new_job(std::string job_kind)
    : kind(std::move(job_kind)), payload_("null"), checked_(true) {}

new_job new_job::from_text(std::string job_kind, std::string payload) {
    new_job job(std::move(job_kind));
    job.payload_ = std::move(payload);
    job.checked_ = false;
    return job;
}

job_context::job_context(const detail::job_record& record, const detail::attempt_stamp& stamp,
                         std::string_view worker, detail::queue_core* jobs) noexcept
    : record_(record), stamp_(stamp), worker_(worker), jobs_(jobs) {}

job_context::~job_context() = default;

const job_id& job_context::id() const noexcept { return record_.id; }

std::string_view job_context::kind() const noexcept { return record_.kind->name; }

std::string_view job_context::queue() const noexcept { return record_.queue->name; }

int job_context::priority() const noexcept { return record_.priority; }

std::string_view job_context::payload_text() const noexcept { return record_.payload; }

const json& job_context::payload() {
    if (!payload_)
        payload_ = std::make_unique<json>(json::parse(record_.payload));
    return *payload_;
}

} // namespace lifeguard
