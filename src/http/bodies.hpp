#pragma once

#include "http/answers.hpp"
#include <lifeguard/job.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/time_source.hpp>

namespace lifeguard::detail::web {

/// Throws `refusal` (415) unless the body says that it is JSON.
void require_json(const request& r);

/// The body as a value; that of a request without one is an empty object. Throws `refusal`: 415,
/// and 400 with the byte at fault.
json parse_body(const request& r);

/// Why the body is not JSON at all; empty when it is.
std::optional<refusal> syntax_fault(std::string_view body);

/// The id in a path. Throws `refusal` (404) for what is none.
job_id parse_id(const std::string& text);

/// The name of a state. Throws `refusal` (422).
job_state parse_state(const std::string& name);

/// "5s", "250ms", "1m": how long a request may wait. Throws `refusal` (422).
duration parse_wait(const std::string& text);

} // namespace lifeguard::detail::web
