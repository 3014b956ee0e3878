#pragma once

#include <string>
#include <string_view>

namespace lifeguard::detail {

/// The bytes that a text in base64 stands for, up to the first character that is none of it.
std::string decode64(std::string_view text);

} // namespace lifeguard::detail
