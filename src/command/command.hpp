#pragma once

#include "command/command_slots.hpp"
#include <lifeguard/command.hpp>

namespace lifeguard::detail {

/// A command that is bound to a kind: what its runs share.
struct command {
    explicit command(command_options with);

    const command_options options;
    const std::vector<std::string> environment; ///< "NAME=value", without the job's
    const std::shared_ptr<command_slots> slots;
};

/// Runs it for one job.
asio::awaitable<json> run_command(std::shared_ptr<const command> what, job_context& job);

/// The first rule that the options break; empty when they keep all.
struct broken_command_rule {
    const char* field = nullptr;
    const char* rule = nullptr;
};
broken_command_rule broken_rule_of(const command_options& options);

} // namespace lifeguard::detail
