#pragma once

#include "http/connection.hpp"
#include "support/test_context.hpp"
#include <lifeguard/engine.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/supervisor.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::test {

/// An answer as a client reads it.
struct reply {
    unsigned status = 0;
    std::map<std::string, std::string> fields; ///< names in lower case
    std::string body;

    json value() const { return json::parse(body); }
    std::string code() const { return value().at("code"); }
    std::string where() const { return value().at("where"); }
};

/// The client's end of a connection.
class client {
  public:
    explicit client(int fd) noexcept : fd_(fd) {}
    client(client&& other) noexcept;
    ~client() { close(); }

    void send(std::string_view text) const;
    /// The answers that have come and were not read yet. Throws when there is half of one.
    std::vector<reply> receive();
    /// What has come, as it came.
    std::string text();
    /// Whether the other end has closed it, and everything has been read.
    bool closed();
    void close() noexcept;
    /// Sends no more.
    void finish() const noexcept;

  private:
    void read();

    int fd_;
    bool ended_ = false;
    std::string seen_;
};

/// An engine that runs, and connections to it, on a clock that the test moves.
class http_rig {
  public:
    explicit http_rig(test_context& context, http_options options = http_options(),
                      engine_options of = engine_options());
    ~http_rig() noexcept(false);

    client connect();

    /// Sends a request on a connection of its own and returns the answer.
    reply ask(std::string_view method, std::string_view target, std::string_view body = "",
              std::string_view more_fields = "");
    reply get(std::string_view target) { return ask("GET", target); }
    reply post(std::string_view target, const json& body) {
        return ask("POST", target, body.dump());
    }

    /// The text of a request: Host and, with a body, Content-Type and Content-Length are added.
    static std::string request(std::string_view method, std::string_view target,
                               std::string_view body = "", std::string_view more_fields = "");

    std::size_t connections() const;

    detail::web::telemetry& watch() const { return *context_->served.watch; }
    /// Samples now, and every second from now on.
    void start_samples();
    /// What the server itself does when it is told to stop.
    void stop_connections() { connections_.request_stop(); }

    test_context& ctx;
    engine app;

  private:
    test_future<void> running_;
    std::shared_ptr<detail::web::connection_context> context_;
    supervisor connections_;
    test_future<void> serving_;
    std::optional<test_future<void>> sampling_;
};

} // namespace lifeguard::test
