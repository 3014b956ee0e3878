#pragma once

#include <cstdint>

namespace lifeguard::detail::web {

/// What the whole process uses.
struct process_figures {
    double cpu_seconds = 0; ///< user and system
    std::uint64_t rss_bytes = 0;
};

/// Zeros where the system does not say.
process_figures read_process_figures();

} // namespace lifeguard::detail::web
