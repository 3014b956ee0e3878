#pragma once

#include "cli/client.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lifeguard::cli {

/// Submits jobs that come as lines of JSON, many in one request.
class job_sender {
  public:
    /// What the server says of each, in the order of the lines, with the size of its line.
    using listener = std::function<void(const json& submitted, std::size_t bytes)>;

    /// `repeatable`: jobs bring their ids, and those that are there already are not an error.
    job_sender(client& server, bool repeatable, listener told);

    /// Takes a line; empty ones count only. Errors: `failure` naming the line; those before it
    /// have been submitted.
    void add(std::string line);
    /// All lines have come.
    void flush();

  private:
    struct waiting {
        std::string text;
        std::size_t line;
    };

    void send_one(const waiting& job);
    [[noreturn]] void refuse(std::size_t line, exit_status status, const std::string& why);

    client& server_;
    const bool repeatable_;
    const listener told_;
    std::vector<waiting> batch_;
    std::size_t bytes_ = 0;
    std::size_t line_ = 0;
};

} // namespace lifeguard::cli
