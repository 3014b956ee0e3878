#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace lifeguard::detail {

/// Something wrong with options, as a person has to know it.
struct option_mistake {
    std::string path;     ///< "pools[0].size"; empty: the text as a whole
    std::string expected; ///< "must be a whole number"
    std::string found;    ///< the value as JSON, shortened; empty: nothing, or it says nothing
    std::size_t line = 0; ///< counted from 1; 0: nobody knows
};

/// Adds a mistake behind those of its line, to mistakes in the order of their lines.
inline void add_by_line(std::vector<option_mistake>& to, option_mistake m) {
    const auto at = std::ranges::upper_bound(to, m.line, {}, &option_mistake::line);
    to.insert(at, std::move(m));
}

/// Gets every mistake, where otherwise the first one is thrown.
struct option_report {
    std::vector<option_mistake> mistakes;
};

} // namespace lifeguard::detail
