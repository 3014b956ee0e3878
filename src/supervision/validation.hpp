#pragma once

#include <lifeguard/supervisor.hpp>

namespace lifeguard::detail {

/// Throws `invalid_option` or `unsupported`, naming the field and its value.
void validate(const supervisor_options& options);

/// The same for a child of such a supervisor.
void validate(const child_spec& spec, const supervisor_options& options);

} // namespace lifeguard::detail
