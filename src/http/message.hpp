#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeguard::detail::web {

/// A request as the routes see it. The views are valid until it has been answered.
struct request {
    std::string_view method;
    std::string_view target; ///< as sent: path and query
    std::string_view host;
    std::string_view origin;
    std::string_view authorization;
    std::string_view content_type;
    std::string_view idempotency_key;
    std::string_view last_event_id;
    std::string_view if_none_match;
    std::string body;
};

/// What is sent back.
struct answer {
    unsigned status = 200;
    std::string body;
    std::string_view content_type = "application/json";
    std::vector<std::pair<std::string_view, std::string>> fields; ///< Allow, Retry-After ...

    /// Called when the answer could not be handed to the client's connection: takes back what only
    /// this client could have made use of.
    std::function<void()> undelivered;
};

} // namespace lifeguard::detail::web
