#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace lifeguard::detail::web {

/// The value below which the share `p` of what a histogram counted lies, taken as spread evenly
/// within each range, as Prometheus does. Of the last range, which has no end, its beginning. Empty
/// when nothing was counted.
inline std::optional<double> percentile(const std::vector<double>& bounds,
                                        const std::vector<std::uint64_t>& counts, double p) {
    std::uint64_t total = 0;
    for (const std::uint64_t n : counts)
        total += n;
    if (total == 0)
        return std::nullopt;
    const double wanted = p * static_cast<double>(total);
    double below = 0;
    for (std::size_t i = 0; i < bounds.size(); ++i) {
        const auto here = static_cast<double>(counts[i]);
        if (here > 0 && below + here >= wanted) {
            const double low = i == 0 ? 0 : bounds[i - 1];
            return low + (bounds[i] - low) * (wanted - below) / here;
        }
        below += here;
    }
    return bounds.back();
}

} // namespace lifeguard::detail::web
