#pragma once

#include <lifeguard/time_source.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::detail {

/// One line of a drawn tree, and those below it.
struct tree_node {
    std::string name;
    std::string about; ///< in brackets behind the name
    std::vector<tree_node> children;

    // The same for programs.

    /// What a supervisor goes by.
    struct rules {
        std::string_view strategy;
        unsigned intensity;
        duration period;
        unsigned restarts_left;
    };
    bool is_supervisor = false;
    std::optional<rules> by; ///< empty also of a supervisor that is none of ours, or has ended
    std::string_view state = "running";
    unsigned incarnation = 1;
    std::uint64_t restarts = 0;
};

/// "top (about)\n├── child (about)\n ..." with a newline after each line.
std::string draw(const tree_node& root);

/// "5 in 10 s", "1 in 250 ms".
std::string describe_intensity(unsigned intensity, duration period);

} // namespace lifeguard::detail
