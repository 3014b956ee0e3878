#pragma once

#include <lifeguard/time_source.hpp>

#include <string>
#include <vector>

namespace lifeguard::detail {

/// One line of a drawn tree, and those below it.
struct tree_node {
    std::string name;
    std::string about; ///< in brackets behind the name
    std::vector<tree_node> children;
};

/// "top (about)\n├── child (about)\n ..." with a newline after each line.
std::string draw(const tree_node& root);

/// "5 in 10 s", "1 in 250 ms".
std::string describe_intensity(unsigned intensity, duration period);

} // namespace lifeguard::detail
