#pragma once

#include "campaign.hpp"

#include <string>
#include <vector>

struct verification {
    std::size_t agreed = 0;  ///< the same hash, or neither could read the file
    std::size_t changed = 0; ///< the file has changed since: there is nothing to compare
    std::vector<std::string> wrong;
};

/// Compares every outcome with what the program sha256sum says of the same files.
verification verify(const std::vector<std::string>& files, const ledger& outcomes);
