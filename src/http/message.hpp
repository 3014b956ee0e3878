#pragma once

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
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

/// A body that goes on as long as its client listens. Its connection ends with it.
class body_stream {
  public:
    virtual ~body_stream() = default;

    /// Waits for what is to be sent next and adds it to `pieces`. Nothing when there is no more, or
    /// when the calling coroutine is cancelled.
    virtual boost::asio::awaitable<void>
    next(std::vector<std::shared_ptr<const std::string>>& pieces) = 0;
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

    /// What follows `body`, and has no length. Empty: nothing.
    std::shared_ptr<body_stream> stream;
};

} // namespace lifeguard::detail::web
