#pragma once

#include <lifeguard/time_source.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace lifeguard::detail {

/// Reads "2026-01-31T12:00:00.250+01:00", as RFC 3339 has it; empty when it is anything else. A
/// leap second is taken for the second after it.
std::optional<wall_time> parse_rfc3339(std::string_view text);

/// "2026-01-31T11:00:00.250Z": milliseconds, UTC.
std::string format_rfc3339(wall_time t);

} // namespace lifeguard::detail
