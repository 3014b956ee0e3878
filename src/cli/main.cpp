// lifeguard: the command-line program.
#include "cli/commands.hpp"
#include <lifeguard/version.hpp>

#include <iostream>

using namespace lifeguard::cli;

int main(int argc, char** argv) {
    CLI::App program("A supervised, durable job queue. `lifeguard serve` runs it, the other "
                     "commands talk to one that runs.",
                     "lifeguard");
    program.set_version_flag("--version", lifeguard::version());
    program.require_subcommand(1);
    program.footer("Exit status: 0 done; 1 refused, the message says why; 2 wrong usage; 3 no "
                   "server reached; 4 a job that was waited for did not complete.");

    common with;
    program.add_option("--server", with.server.url, "Where `lifeguard serve` is")
        ->envname("LIFEGUARD_URL")
        ->capture_default_str();
    program.add_option("--token-file", with.server.token_file, "A file with the bearer token")
        ->envname("LIFEGUARD_TOKEN_FILE");
    program
        .add_option("--ca", with.server.authority_file,
                    "A file with the certificates to trust, when the server is at https://")
        ->envname("LIFEGUARD_CA");
    program.add_flag("--json", with.as_json, "Print what the server says, as JSON");
    program.fallthrough();

    action chosen;
    add_serve(program, chosen);
    add_submit(program, with, chosen);
    add_job_commands(program, with, chosen);
    add_engine_commands(program, with, chosen);
    add_transfer(program, with, chosen);
    add_top(program, with, chosen);
    add_check(program, with, chosen);
    add_completion(program, chosen);
    program.add_subcommand("version", "Print the version")->callback([&chosen, &with] {
        chosen = [&with] {
            if (with.as_json)
                std::cout << "{\"version\":\"" << lifeguard::version() << "\"}\n";
            else
                std::cout << "lifeguard " << lifeguard::version() << '\n';
            return exit_status::ok;
        };
    });

    try {
        program.parse(argc, argv);
        return static_cast<int>(chosen());
    } catch (const CLI::ParseError& e) {
        const bool asked = e.get_exit_code() == 0; // --help, --version
        program.exit(e);
        return static_cast<int>(asked ? exit_status::ok : exit_status::usage);
    } catch (const failure& e) {
        std::cerr << "lifeguard: " << e.what() << '\n';
        return static_cast<int>(e.status);
    } catch (const std::exception& e) {
        std::cerr << "lifeguard: " << e.what() << '\n';
        return static_cast<int>(exit_status::refused);
    }
}
