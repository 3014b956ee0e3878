#pragma once

#include <lifeguard/engine.hpp>

namespace lifeguard::cli {

/// Registers kinds to try things with: noop, echo, sleep {ms}, fail, tutorial {action}, spin {ms}
/// (blocks its thread), deaf {ms} (ignores cancellation), abort (kills the process).
void register_demo_kinds(engine& e);

} // namespace lifeguard::cli
