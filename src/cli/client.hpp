#pragma once

#include <lifeguard/json.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lifeguard::cli {

/// What the program ends with; `lifeguard --help` and docs/cli.md list them.
enum class exit_status { ok = 0, refused = 1, usage = 2, unreachable = 3, unfinished = 4 };

/// Ends the program with a message.
class failure : public std::runtime_error {
  public:
    failure(exit_status with, const std::string& message)
        : std::runtime_error(message), status(with) {}
    exit_status status;
};

/// Where the server is, and what it is shown.
struct server_address {
    std::string url = "http://127.0.0.1:8080";
    std::string token_file;
    std::string authority_file; ///< of https: whom to trust; empty: whom this machine trusts
};

/// What the server answered.
struct server_answer {
    unsigned status = 0;
    std::string body;

    json value() const { return json::parse(body); }
};

/// One connection to a server, made when it is needed and again when the server closed it.
class client {
  public:
    /// Errors: `failure` (usage) for a URL that is none of ours, or a token that cannot be read.
    explicit client(const server_address& address);
    ~client();

    /// Errors: `failure` (unreachable).
    /// `key`: makes it safe to send a submission again, when not empty.
    server_answer ask(std::string_view method, const std::string& target, std::string body = "",
                      const std::string& key = "");

    /// The same; an answer that is an error becomes a `failure` (refused) with its message.
    json get(const std::string& target);
    json post(const std::string& target, const std::string& body = "", const std::string& key = "");

  private:
    class connection;
    std::unique_ptr<connection> connection_;
};

/// A value as people read it: a string without its quotes.
std::string text_of(const json& value);

/// Text as it stands in a path or a query.
std::string escaped(std::string_view text);

} // namespace lifeguard::cli
