#pragma once

#include <nlohmann/json_fwd.hpp>

namespace lifeguard {

using json = nlohmann::json;

} // namespace lifeguard
