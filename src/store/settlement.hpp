#pragma once

#include "queue/job_record.hpp"

#include <exception>
#include <string>

namespace lifeguard::detail {

/// How many of a job's errors are kept: the newest, each as long as somebody reads it.
inline constexpr std::size_t errors_max = 1000;
inline constexpr std::size_t error_text_max = 4096; // bytes

/// What is to become of a job. The queue decides it, its store makes it so once it is durable;
/// until then the job is as it was.
struct settlement {
    job_state state = job_state::available;
    std::uint32_t attempt = 0;      ///< attempts charged
    std::uint32_t max_attempts = 0; ///< of a job that is available again; 0: as before
    std::int64_t due = 0;           ///< of scheduled and retryable: wall time in nanoseconds
    wall_time at;                   ///< when it was decided
    json result;
    std::string error_text;    ///< with `has_error`
    std::exception_ptr thrown; ///< what failed, for those who wait for the job
    bool has_error = false;    ///< a record of an error is kept with the job
    bool failed = false;       ///< counts as a failed attempt
    bool forget = false;       ///< final, and not kept

    /// Somebody waits to hear whether it is stored: when that fails they are told, and the job
    /// stays as it was. Otherwise the store tries again until it has succeeded.
    bool asked_for = false;
};

/// Cuts an error's text that is too long, not within a character.
void cut_error(std::string& text);

/// Adds the settlement's error to the job's; the oldest goes when there are too many.
void record_error(job_record& job, settlement&& s);

} // namespace lifeguard::detail
