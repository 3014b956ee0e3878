#pragma once

#include <lifeguard/worker_behaviour.hpp>

#include <string>

namespace lifeguard::detail {

/// Throws `invalid_option` naming the field.
void validate(const worker_rhythm& rhythm, const std::string& whose);

} // namespace lifeguard::detail
