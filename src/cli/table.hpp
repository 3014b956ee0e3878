#pragma once

#include <string>
#include <vector>

namespace lifeguard::cli {

/// Rows of cells as text in columns; the first column is text, the others numbers.
std::string table_of(const std::vector<std::string>& head,
                     const std::vector<std::vector<std::string>>& rows);

} // namespace lifeguard::cli
