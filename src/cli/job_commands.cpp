// Commands about single jobs.
#include "cli/commands.hpp"

#include <iostream>

namespace lifeguard::cli {
namespace {

std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

void print_job(const json& job) {
    for (const char* name :
         {"id", "kind", "queue", "state", "priority", "attempt", "max_attempts", "created_at",
          "run_at", "attempted_at", "finished_at", "payload", "result"})
        if (!job.at(name).is_null())
            std::cout << name << ": " << text_of(job.at(name)) << '\n';
    if (job.at("waits_for_handler").get<bool>())
        std::cout << "waits for a handler: nobody here can run its kind\n";
    for (const json& e : job.at("errors"))
        std::cout << "error in attempt " << e.at("attempt") << ", " << text_of(e.at("at")) << ": "
                  << text_of(e.at("text")) << '\n';
}

/// A command with an id and nothing else.
template <typename F>
void add(CLI::App& program, const char* name, const char* about, action& chosen, F run) {
    auto id = std::make_shared<std::string>();
    CLI::App* command = program.add_subcommand(name, about);
    command->add_option("id", *id, "The job's id")->required();
    command->callback([id, run, &chosen] { chosen = [id, run] { return run(escaped(*id)); }; });
}

} // namespace

void add_job_commands(CLI::App& program, const common& with, action& chosen) {
    add(program, "job", "Show a job", chosen, [&with](const std::string& id) {
        const json job = client(with.server).get("/v1/jobs/" + id);
        if (with.as_json)
            std::cout << job.dump() << '\n';
        else
            print_job(job);
        return exit_status::ok;
    });
}

} // namespace lifeguard::cli
