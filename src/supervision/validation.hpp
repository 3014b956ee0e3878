#pragma once

#include <lifeguard/supervisor.hpp>

namespace lifeguard::detail {

/// Throws `invalid_option` or `unsupported`, naming the field and its value, or `duplicate_id`.
void validate(const supervisor_options& options, const std::vector<child_spec>& children);

/// The same for one child of such a supervisor.
void validate(const child_spec& spec, const supervisor_options& options);

} // namespace lifeguard::detail
