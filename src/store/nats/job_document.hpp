#pragma once

#include "queue/job_record.hpp"
#include "store/settlement.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::detail {

/// A job as it is on the server: a line of JSON, then its payload byte for byte.
struct job_document {
    job_id id;
    std::string kind;
    std::string queue;
    int priority = priority_default;
    job_state state = job_state::available;
    std::uint32_t attempt = 0;
    std::uint32_t max_attempts = 0;
    std::uint32_t crashes = 0;   ///< how often its engine went silent while it executed
    std::uint32_t delivery = 0;  ///< the token of the newest attempt that has begun
    std::int64_t created_at = 0; // wall time in nanoseconds, as all of these
    std::int64_t attempted_at = 0;
    std::int64_t finished_at = 0;
    std::int64_t due = 0;
    std::int64_t timeout = 0; ///< nanoseconds
    std::string origin;       ///< the engine that hears of its end
    std::string writer;       ///< the engine that has written this
    std::vector<attempt_error> errors;
    json result;
    std::string payload;
    std::string text; ///< all of it, of a discarded one
};

/// The job as `s` makes it; as it is with none.
std::string write_document(const job_record& job, const settlement* s, const std::string& origin,
                           const std::string& writer);

/// Empty when the text is none.
std::optional<job_document> read_document(const job_id& id, std::string_view text);

/// Moves what a job of this engine's must know into its record; not its queue, kind and state.
void copy_document(job_document&& from, job_record& to);

} // namespace lifeguard::detail
