#pragma once

#include <string_view>

namespace lifeguard::detail::web {

/// A file that the program carries within itself; cmake/embed.cmake makes tables of them.
struct embedded_file {
    std::string_view path; ///< below the directory that was embedded: "js/tree.js"
    std::string_view content_type;
    std::string_view bytes;
    std::string_view hash; ///< of the bytes, in hex: for ETag
};

} // namespace lifeguard::detail::web
