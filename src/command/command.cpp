#include "command/command.hpp"

#include <lifeguard/error.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace lifeguard {
namespace detail {
namespace {

bool is_text(const std::string& s) { return s.find('\0') == std::string::npos; }

bool is_variable(const std::string& name) {
    return !name.empty() && is_text(name) && name.find('=') == std::string::npos &&
           !name.starts_with("LIFEGUARD_");
}

/// This process's environment with the command's own on top.
std::vector<std::string> environment_of(const command_options& o) {
    std::vector<std::string> all;
    for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
        std::string text = *variable;
        if (!o.env.contains(text.substr(0, text.find('='))))
            all.push_back(std::move(text));
    }
    for (const auto& [name, value] : o.env)
        all.push_back(name + "=" + value);
    return all;
}

} // namespace

broken_command_rule broken_rule_of(const command_options& o) {
    if (o.argv.empty() || o.argv.front().empty())
        return {"argv", "must name a program"};
    if (!std::ranges::all_of(o.argv, is_text))
        return {"argv", "must hold no zero byte"};
    for (const auto& [name, value] : o.env)
        if (!is_variable(name) || !is_text(value))
            return {"env", "must hold names of variables, none of them LIFEGUARD_..., and texts "
                           "without a zero byte"};
    if (!is_text(o.directory))
        return {"directory", "must hold no zero byte"};
    if (o.timeout < duration::zero())
        return {"timeout", "must not be negative"};
    if (o.kill_after < duration::zero())
        return {"kill_after", "must not be negative"};
    if (o.output_max < 1)
        return {"output_max", "must be 1 at least"};
    return {};
}

command::command(command_options with)
    : options(std::move(with)),
      environment(environment_of(options)),
      slots(std::make_shared<command_slots>(options.concurrency)) {}

} // namespace detail

std::string find_command(const command_options& o) {
    if (o.argv.empty() || o.argv.front().empty())
        throw error(errc::not_found, "a command without a program");
    const std::string& name = o.argv.front();
    const auto runnable = [](const std::filesystem::path& file) {
        std::error_code ignored; // no such file: then it is no regular one either
        return std::filesystem::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0;
    };
    if (name.find('/') != std::string::npos) {
        // The path itself is what is run, from that directory.
        if (!runnable(std::filesystem::path(o.directory) / name))
            throw error(errc::not_found, "the program '" + name + "'" +
                                             (o.directory.empty() ? "" : " in " + o.directory));
        return name;
    }
    const auto own = o.env.find("PATH");
    const char* const ours = std::getenv("PATH"); // NOLINT(concurrency-mt-unsafe): read only
    const std::string path = own != o.env.end() ? own->second : std::string(ours ? ours : "");
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        // An empty part means the current directory to a shell: a trap, so not here.
        if (end != begin) {
            const auto file = std::filesystem::path(path.substr(begin, end - begin)) / name;
            if (runnable(file))
                return file.string();
        }
        begin = end + 1;
    }
    throw error(errc::not_found, "the program '" + name + "' in PATH, which is '" + path + "'");
}

handler command_handler(command_options options) {
    if (const auto broken = detail::broken_rule_of(options); broken.field != nullptr)
        throw error(errc::invalid_option, std::string(broken.field) + ": " + broken.rule);
    if (!options.time)
        options.time = real_time_source();
    return [what = std::make_shared<const detail::command>(std::move(options))](job_context& job) {
        return detail::run_command(what, job);
    };
}

} // namespace lifeguard
