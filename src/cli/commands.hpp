#pragma once

#include "cli/client.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <iostream>

namespace lifeguard::cli {

/// What all commands that talk to a server share.
struct common {
    server_address server;
    bool as_json = false;
};

/// Says that something has been done which has nothing to tell.
inline exit_status done(const common& with) {
    if (with.as_json)
        std::cout << "{\"done\":true}\n";
    return exit_status::ok;
}

/// What the chosen command does; returns what the program ends with.
using action = std::function<exit_status()>;

// Each adds its commands to the program and, when one of them is chosen, sets `chosen`.
void add_serve(CLI::App& program, action& chosen);
void add_check(CLI::App& program, const common& with, action& chosen);
void add_submit(CLI::App& program, const common& with, action& chosen);
void add_job_commands(CLI::App& program, const common& with, action& chosen);
void add_transfer(CLI::App& program, const common& with, action& chosen);
void add_top(CLI::App& program, const common& with, action& chosen);
void add_completion(CLI::App& program, action& chosen);
void add_engine_commands(CLI::App& program, const common& with, action& chosen);

} // namespace lifeguard::cli
