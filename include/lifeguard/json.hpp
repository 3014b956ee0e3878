#pragma once

#include <nlohmann/json.hpp>

namespace lifeguard {

/// The JSON value of payloads, results and configuration.
using json = nlohmann::json;

} // namespace lifeguard
