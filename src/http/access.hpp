#pragma once

#include "http/message.hpp"
#include <lifeguard/http_server.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lifeguard::detail::web {

/// Who may ask. Decided from the request alone.
struct access_rules {
    /// What Authorization must bear. Empty: nothing, which is for loopback only.
    std::string token;
    /// What Host may say besides the names of this machine's loopback, without port. Without a
    /// token any other is refused: a page of another site that has its name resolve to 127.0.0.1
    /// (DNS rebinding) comes with that name.
    std::vector<std::string> hosts;
    /// Read only: what a page in a browser asks, it may only look at. Browsers say with everything
    /// that could change something which page asks (Origin); no page can leave that out.
    dashboard_mode dashboard = dashboard_mode::on;
};

/// Why the request is refused; empty when it may be answered. `open`: the path needs no token.
std::optional<answer> refused(const access_rules& rules, const request& r, bool open);

/// Whether two texts are equal, in a time that tells nothing of where they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

} // namespace lifeguard::detail::web
