// What executing jobs say of themselves.

#include "queue/queue_core.hpp"
#include <lifeguard/job_context.hpp>
#include <lifeguard/json.hpp>

namespace lifeguard {

namespace {

std::string checked(const json& how_far) {
    std::string text = how_far.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() > progress_max)
        throw error(errc::invalid_option,
                    "progress: must be at most " + std::to_string(progress_max) + " bytes");
    return text;
}

} // namespace

namespace detail {

void queue_core::note_progress(const job_record& job, std::string text, wake_list& wakes) {
    if (log_)
        log(log_level::debug, "job_progress", job.kind->name + " " + job.id.to_string(),
            {{"job", job.id.to_string()},
             {"kind", job.kind->name},
             {"queue", job.queue->name},
             {"progress", text}},
            wakes);
    progress_[job.id] = std::move(text);
}

bool queue_core::set_progress(const job_id& id, std::uint32_t delivery, std::string text) {
    wake_list wakes;
    {
        const std::lock_guard lock(runtime_->mutex);
        const job_record* const job = index().find(id);
        if (job == nullptr || job->state != job_state::executing || job->settling ||
            job->delivery != delivery)
            return false; // a handler that was given up goes on
        note_progress(*job, std::move(text), wakes);
    }
    wakes.run();
    return true;
}

void queue_core::set_progress(const job_id& id, std::optional<std::uint32_t> token,
                              std::string text) {
    wake_list wakes;
    {
        const std::lock_guard lock(runtime_->mutex);
        const job_record* job = nullptr;
        if (token) {
            job = &held(id, *token);
        } else {
            job = index().find(id);
            if (job == nullptr)
                throw error(errc::not_found, "job " + id.to_string());
            if (job->state != job_state::executing || job->settling)
                throw error(errc::illegal_transition,
                            "job " + id.to_string() + " does not execute");
        }
        note_progress(*job, std::move(text), wakes);
    }
    wakes.run();
}

} // namespace detail

void job_context::progress(const json& how_far) {
    std::string text = checked(how_far);
    if (jobs_ != nullptr)
        jobs_->set_progress(id(), stamp_.delivery, std::move(text));
}

void job_queue::progress(job_id id, std::optional<std::uint32_t> token, const json& how_far) {
    core_->set_progress(id, token, checked(how_far));
}

} // namespace lifeguard
