#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lifeguard::detail {

/// Text of unknown origin, fit for one line of a report: no control characters, valid UTF-8, at
/// most `size_max` bytes. What is cut off shows as "...".
std::string one_line(std::string_view text, std::size_t size_max = 1024);

} // namespace lifeguard::detail
