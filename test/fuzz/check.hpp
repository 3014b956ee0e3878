#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace lifeguard::fuzz {

/// A thing that must be so for every input; otherwise the input is a finding.
inline void must(bool so, std::string_view what) {
    if (so)
        return;
    std::fprintf(stderr, "NOT TRUE: %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

} // namespace lifeguard::fuzz
