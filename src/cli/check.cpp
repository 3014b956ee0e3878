// lifeguard check: what is wrong with a file of options, or what it makes.
#include "base/one_line.hpp"
#include "cli/commands.hpp"
#include "engine/option_document.hpp"
#include <lifeguard/command.hpp>
#include <lifeguard/engine.hpp>
#include <lifeguard/log.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <iostream>

namespace lifeguard::cli {
namespace {

using detail::option_mistake;

struct check_options {
    std::string file;
    std::string print = "tree";
};

/// Makes the engine without its store, so that the tree is whole, and stops it again.
std::string tree_of(engine_options options) {
    asio::io_context io;
    options.make_store = nullptr;
    engine e(io.get_executor(), std::move(options));
    std::string tree;
    asio::co_spawn(io, e.run(), rethrow);
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            const supervisor root = e.root();
            co_await root.which_children(); // answered once all have started
            tree = co_await e.tree();
            co_await e.stop();
        },
        rethrow);
    io.run();
    return tree;
}

std::string sha256(const std::string& text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
        throw failure(exit_status::refused, "OpenSSL cannot compute SHA-256");
    std::string hex;
    constexpr std::string_view digits = "0123456789abcdef";
    for (unsigned i = 0; i < size; ++i)
        hex.append(1, digits[digest.at(i) >> 4U]).append(1, digits[digest.at(i) & 15U]);
    return hex;
}

/// Programs that are not there. Another machine may have them: the options are none the worse.
void look_for_programs(detail::checked_options& checked, const detail::option_document& document) {
    for (const auto& [kind, command] : checked.options.commands) {
        const std::string path = "commands." + kind + ".argv[0]";
        try {
            if (!command.argv.empty())
                find_command(command);
        } catch (const error& e) {
            option_mistake m{path, "must be a program that can be run",
                             json(command.argv.front()).dump(), document.line_of(path)};
            add_by_line(checked.mistakes, std::move(m));
        }
    }
}

json as_json(const option_mistake& m) {
    return {{"line", m.line}, {"path", m.path}, {"expected", m.expected}, {"found", m.found}};
}

exit_status report(const std::vector<option_mistake>& mistakes, const check_options& o,
                   const common& with) {
    if (with.as_json) {
        json all = json::array();
        for (const option_mistake& m : mistakes)
            all.push_back(as_json(m));
        std::cout << json({{"mistakes", all}}).dump() << '\n';
        return exit_status::refused;
    }
    for (const option_mistake& m : mistakes) {
        std::string text = o.file + ":";
        if (m.line != 0)
            text += std::to_string(m.line) + ":";
        if (!m.path.empty())
            text += " " + m.path + ":";
        text += " " + m.expected;
        if (!m.found.empty())
            text += "; found " + m.found;
        std::cerr << detail::one_line(text) << '\n';
    }
    std::cerr << "lifeguard: " << mistakes.size()
              << (mistakes.size() == 1 ? " mistake" : " mistakes") << '\n';
    return exit_status::refused;
}

exit_status check(const check_options& o, const common& with) {
    const detail::option_document document = detail::load_document(o.file);
    detail::checked_options checked = detail::check_options(document);
    look_for_programs(checked, document);
    std::string tree;
    if (checked.mistakes.empty()) {
        try {
            checked.options.log = stderr_log(log_level::error);
            tree = tree_of(checked.options);
        } catch (const error& e) { // a rule that only the engine knows
            checked.mistakes.push_back({"", e.what(), "", 0});
        }
    }
    if (!checked.mistakes.empty())
        return report(checked.mistakes, o, with);
    const std::string canonical = checked.values.dump(2) + "\n";
    if (with.as_json)
        std::cout << json({{"options", checked.values},
                           {"sha256", sha256(canonical)},
                           {"tree", tree}})
                         .dump()
                  << '\n';
    else if (o.print == "json")
        std::cout << canonical << sha256(canonical) << '\n';
    else
        std::cout << tree;
    return exit_status::ok;
}

} // namespace

void add_check(CLI::App& program, const common& with, action& chosen) {
    auto o = std::make_shared<check_options>();
    CLI::App* command =
        program.add_subcommand("check", "Check a file of options, and show what it makes");
    command->add_option("file", o->file, "The file: JSON, or Turtle when it is called *.ttl")
        ->required();
    command
        ->add_option("--print", o->print,
                     "tree, or json: all options, defaults included, and their SHA-256")
        ->check(CLI::IsMember({"tree", "json"}))
        ->capture_default_str();
    command->callback([o, &with, &chosen] { chosen = [o, &with] { return check(*o, with); }; });
}

} // namespace lifeguard::cli
