#pragma once

#include <lifeguard/log.hpp>
#include <lifeguard/supervisor.hpp>

#include <optional>

namespace lifeguard::detail {

/// What the log says of an event; empty when it is not worth a line: a crash, a failed start, a
/// restart, an abandoned child, a surrender are.
std::optional<log_record> log_record_of(const supervisor_event& event);

} // namespace lifeguard::detail
