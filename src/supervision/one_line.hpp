#pragma once

#include <string>
#include <string_view>

namespace lifeguard::detail {

/// Text of unknown origin, fit for one line of a log: no control characters, at most `size_max` bytes. What
/// is cut off ends at a whole UTF-8 character and shows as "...".
std::string one_line(std::string_view text, std::size_t size_max = 1024);

} // namespace lifeguard::detail
