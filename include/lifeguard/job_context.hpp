#pragma once

#include <lifeguard/job_id.hpp>
#include <lifeguard/json_fwd.hpp>
#include <lifeguard/time_source.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace lifeguard {

namespace detail {
struct job_record;
class queue_core;

/// What tells one attempt of a job from another.
struct attempt_stamp {
    unsigned attempt = 0;
    unsigned max_attempts = 0;
    std::uint32_t delivery = 0;
};
} // namespace detail

/// The job that a handler runs. Valid until the handler's coroutine ends; used on its strand only.
class job_context {
  public:
    job_context(const detail::job_record& record, const detail::attempt_stamp& stamp,
                std::string_view worker, detail::queue_core* jobs) noexcept;
    ~job_context();
    job_context(const job_context&) = delete;
    job_context& operator=(const job_context&) = delete;

    const job_id& id() const noexcept;
    std::string_view kind() const noexcept;
    std::string_view queue() const noexcept;
    int priority() const noexcept;
    /// 1 for the first attempt.
    unsigned attempt() const noexcept { return stamp_.attempt; }
    unsigned max_attempts() const noexcept { return stamp_.max_attempts; }

    /// Counts the deliveries of this job: with the id, a fencing token for what the handler writes
    /// elsewhere.
    std::uint32_t delivery() const noexcept { return stamp_.delivery; }

    /// The id of the worker that runs it, "images/3".
    std::string_view worker() const noexcept { return worker_; }

    /// The payload as it was submitted.
    std::string_view payload_text() const noexcept;
    /// The payload, parsed at the first call.
    const json& payload();

    /// Says how far the job is, in whatever words: a number from 0 to 1, an object. It is shown
    /// with the job until this attempt ends, and logged as `job_progress`; no store keeps it.
    /// Errors: `invalid_option` when its text is longer than `progress_max`.
    void progress(const json& how_far);

  private:
    const detail::job_record& record_;
    // A copy: the record counts on when the job is taken away from a handler that does not stop.
    detail::attempt_stamp stamp_;
    std::string_view worker_;
    detail::queue_core* jobs_;
    std::unique_ptr<json> payload_;
};

} // namespace lifeguard
