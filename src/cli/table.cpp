#include "cli/table.hpp"

#include <algorithm>

namespace lifeguard::cli {

std::string table_of(const std::vector<std::string>& head,
                     const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < head.size(); ++i) {
        std::size_t width = head[i].size();
        for (const auto& row : rows)
            width = std::max(width, row[i].size());
        widths.push_back(width);
    }
    std::string out;
    const auto add = [&](const std::vector<std::string>& row) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string blank(widths[i] - row[i].size(), ' ');
            out += i == 0 ? row[i] + blank : blank + row[i];
            out += i + 1 == row.size() ? "\n" : "  ";
        }
    };
    add(head);
    for (const auto& row : rows)
        add(row);
    return out;
}

} // namespace lifeguard::cli
