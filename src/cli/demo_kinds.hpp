#pragma once

#include <lifeguard/engine.hpp>

namespace lifeguard::cli {

/// Registers kinds to try things with: noop, echo, sleep {ms}, fail, tutorial {action}, spin {ms}
/// (blocks its thread), deaf {ms} (ignores cancellation), abort (kills the process); and, when
/// LIFEGUARD_DEMO_JOURNAL names a file, journal {ms} (leaves a line there for each run).
void register_demo_kinds(engine& e);

} // namespace lifeguard::cli
