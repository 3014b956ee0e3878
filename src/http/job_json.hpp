#pragma once

#include "http/json_writer.hpp"
#include <lifeguard/job.hpp>
#include <lifeguard/job_queue.hpp>

namespace lifeguard::detail::web {

/// A job as an object. Payload and result are the text that they are.
void write_job(json_writer& w, const job_info& job);

/// The same without payload, result and errors, for lists.
void write_job_line(json_writer& w, const job_info& job);

/// A job for who has taken it. `now` and `wall` are the same moment.
void write_taken(json_writer& w, const taken_job& job, time_point now, wall_time wall);

void write_queue(json_writer& w, const std::string& name, const queue_counts& counts,
                 const queue_status& status);

} // namespace lifeguard::detail::web
