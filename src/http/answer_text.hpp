#pragma once

#include "http/message.hpp"

#include <string>

namespace lifeguard::detail::web {

/// The head of an answer as it is sent, with its empty line. `version`: 10 or 11, that of the
/// request. Beast's serializer makes the same of a map of fields, at four times the cost.
std::string head_text(const answer& a, unsigned version, bool keep_alive);

} // namespace lifeguard::detail::web
