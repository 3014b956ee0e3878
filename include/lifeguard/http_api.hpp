#pragma once

#include <lifeguard/engine.hpp>
#include <lifeguard/http_server.hpp>

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lifeguard {

/// A request to the API, read by whatever server it came to. No other header field matters.
struct http_request {
    http_request() = default;

    std::string method = "GET";
    std::string target; ///< path and query, as the client sent them
    std::string host;
    std::string origin;
    std::string authorization;
    std::string content_type;
    std::string idempotency_key;
    std::string last_event_id;
    std::string if_none_match;
    std::string body;
};

/// What is to be sent back.
struct http_answer {
    http_answer() = default;

    unsigned status = 200;
    std::string content_type;
    std::vector<std::pair<std::string, std::string>> fields; ///< besides Content-Type and -Length
    std::string body;

    /// To be called when the answer could not be sent: gives back jobs that only this client could
    /// have worked on. May be empty.
    std::function<void()> undelivered;

    /// Of an answer that goes on, as that of /v1/events: gives what is to be sent next, and nothing
    /// at its end or when it is cancelled. Empty: the body is all there is.
    std::function<asio::awaitable<std::string>()> more;
};

/// Who may ask, and where the API is. As in `http_options`.
struct http_api_options {
    /// In front of every target, as "/jobs-api": it must begin with a slash and not end with one.
    /// Default to empty, the root.
    std::string path;

    std::string token;
    std::vector<std::string> hosts;

    /// The page expects to be at the root. Defaults to off.
    dashboard_mode dashboard = dashboard_mode::off;
};

/// The HTTP/JSON API without a server: for programs that have one, and show the engine under a path
/// of theirs. Limits of size and time are that server's business.
///
/// A handle over a shared core. Thread safety: any thread may call any member. Lifetime: the engine
/// is kept alive.
class http_api {
  public:
    /// Errors: `invalid_option` naming the field.
    explicit http_api(engine served, http_api_options options = http_api_options());

    /// Answers a request; what is wrong with it is an answer, too. Takes as long as the request
    /// asks for: up to 60 s when it waits for a result or for jobs.
    /// Cancellation: total, with `operation_aborted`; what was submitted stays submitted.
    asio::awaitable<http_answer> respond(http_request asked) const;

    /// Takes the samples that /v1/history shows, until it is cancelled; without it there are none.
    asio::awaitable<void> run() const;

  private:
    class core;
    std::shared_ptr<core> core_;
};

} // namespace lifeguard
