#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lifeguard::detail {

/// Something wrong with options, as a person has to know it.
struct option_mistake {
    std::string path;     ///< "pools[0].size"; empty: the text as a whole
    std::string expected; ///< "must be a whole number"
    std::string found;    ///< the value as JSON, shortened; empty: nothing, or it says nothing
    std::size_t line = 0; ///< counted from 1; 0: nobody knows
};

/// Gets every mistake, where otherwise the first one is thrown.
struct option_report {
    std::vector<option_mistake> mistakes;
};

} // namespace lifeguard::detail
