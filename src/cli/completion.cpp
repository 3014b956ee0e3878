// lifeguard completion: what shells complete, made from the commands as they are.
#include "cli/commands.hpp"

#include <iostream>

namespace lifeguard::cli {
namespace {

std::vector<CLI::App*> commands_of(CLI::App& program) {
    return program.get_subcommands([](CLI::App* command) { return !command->get_name().empty(); });
}

/// "--listen", without the short names.
std::vector<std::pair<std::string, std::string>> options_of(const CLI::App& of) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const CLI::Option* option : of.get_options())
        for (const std::string& name : option->get_lnames())
            all.emplace_back(name, option->get_description());
    return all;
}

/// Text within single quotes, for any of the shells.
std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? "'\\''" : std::string(1, c);
    return out + "'";
}

std::string words(const CLI::App& program, const CLI::App* command) {
    std::string all;
    for (const CLI::App* of : {command, &program})
        if (of != nullptr)
            for (const auto& [name, about] : options_of(*of))
                all += "--" + name + " ";
    return all;
}

void print_bash(CLI::App& program) {
    std::string names;
    for (const CLI::App* command : commands_of(program))
        names += command->get_name() + " ";
    std::cout << "# bash completion of lifeguard, made by `lifeguard completion bash`\n"
                 "_lifeguard() {\n"
                 "    local current=${COMP_WORDS[COMP_CWORD]} command= word\n"
                 "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                 "        case \" "
              << names
              << "\" in *\" $word \"*) command=$word; break ;; esac\n"
                 "    done\n"
                 "    case $command in\n";
    for (const CLI::App* command : commands_of(program))
        std::cout << "        " << command->get_name() << ") word=\"" << words(program, command)
                  << "\" ;;\n";
    std::cout << "        *) word=\"" << names << words(program, nullptr)
              << "\" ;;\n"
                 "    esac\n"
                 "    [[ -n $command && $current != -* ]] && return # files\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$word\" -- \"$current\")\n"
                 "}\n"
                 "complete -o default -F _lifeguard lifeguard\n";
}

void print_zsh(CLI::App& program) {
    std::cout << "#compdef lifeguard\n"
                 "# zsh completion of lifeguard, made by `lifeguard completion zsh`\n"
                 "local -a commands options\n"
                 "commands=(\n";
    for (const CLI::App* command : commands_of(program))
        std::cout << "    " << quoted(command->get_name() + ":" + command->get_description())
                  << '\n';
    std::cout << ")\n"
                 "local word command=\n"
                 "for word in ${words[2,CURRENT-1]}; do\n"
                 "    if (( ${commands[(I)${word}:*]} )); then command=$word; break; fi\n"
                 "done\n"
                 "case $command in\n";
    const auto options = [&](const CLI::App* command) {
        for (const CLI::App* of : {command, const_cast<const CLI::App*>(&program)}) // NOLINT
            if (of != nullptr)
                for (const auto& [name, about] : options_of(*of))
                    std::cout << ' ' << quoted("--" + name + ":" + about);
    };
    for (const CLI::App* command : commands_of(program)) {
        std::cout << "    " << command->get_name() << ") options=(";
        options(command);
        std::cout << " ) ;;\n";
    }
    std::cout << "    *) options=(";
    options(nullptr);
    std::cout << " ) ;;\n"
                 "esac\n"
                 "if [[ $PREFIX == -* ]]; then _describe option options\n"
                 "elif [[ -z $command ]]; then _describe command commands\n"
                 "else _files; fi\n";
}

void print_fish(CLI::App& program) {
    std::cout << "# fish completion of lifeguard, made by `lifeguard completion fish`\n";
    const auto option = [](const std::string& condition, const auto& named) {
        std::cout << "complete -c lifeguard" << condition << " -l " << named.first << " -d "
                  << quoted(named.second) << '\n';
    };
    for (const auto& named : options_of(program))
        option("", named);
    for (const CLI::App* command : commands_of(program)) {
        std::cout << "complete -c lifeguard -n __fish_use_subcommand -f -a " << command->get_name()
                  << " -d " << quoted(command->get_description()) << '\n';
        for (const auto& named : options_of(*command))
            option(" -n '__fish_seen_subcommand_from " + command->get_name() + "'", named);
    }
}

} // namespace

void add_completion(CLI::App& program, action& chosen) {
    auto shell = std::make_shared<std::string>();
    CLI::App* command =
        program.add_subcommand("completion", "Print what a shell needs to complete commands");
    command->add_option("shell", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command->callback([shell, &program, &chosen] {
        chosen = [shell, &program] {
            if (*shell == "bash")
                print_bash(program);
            else if (*shell == "zsh")
                print_zsh(program);
            else
                print_fish(program);
            return exit_status::ok;
        };
    });
}

} // namespace lifeguard::cli
