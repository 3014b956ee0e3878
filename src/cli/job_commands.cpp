// Commands about single jobs.
#include "cli/commands.hpp"

#include <iomanip>
#include <iostream>

namespace lifeguard::cli {
namespace {

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

/// A command that changes a job, and prints what it is from now on.
void add_change(CLI::App& program, const char* name, const char* about, const common& with,
                action& chosen) {
    add(program, name, about, chosen, [&with, name](const std::string& id) {
        const json now = client(with.server).post("/v1/jobs/" + id + "/" + name);
        std::cout << (with.as_json ? now.dump() : text_of(now.at("state"))) << '\n';
        return exit_status::ok;
    });
}

struct filter {
    std::string queue;
    std::string state;
    std::string kind;
    std::size_t limit = 100;
};

/// Lists what the filter lets through, a page of the server's at a time.
exit_status list(const filter& f, const common& with) {
    client server(with.server);
    std::string after = "0";
    for (std::size_t left = f.limit; left != 0;) {
        const std::size_t part = std::min<std::size_t>(left, 1000);
        const json page = server.get("/v1/jobs?limit=" + std::to_string(part) + "&after=" + after +
                                     (f.queue.empty() ? "" : "&queue=" + escaped(f.queue)) +
                                     (f.state.empty() ? "" : "&state=" + escaped(f.state)) +
                                     (f.kind.empty() ? "" : "&kind=" + escaped(f.kind)));
        for (const json& job : page.at("jobs")) {
            if (with.as_json)
                std::cout << job.dump() << '\n';
            else
                std::cout << text_of(job.at("id")) << "  " << std::left << std::setw(9)
                          << text_of(job.at("state")) << "  " << text_of(job.at("queue")) << "  "
                          << text_of(job.at("kind")) << '\n';
        }
        left -= page.at("jobs").size();
        if (page.at("next").is_null())
            break;
        after = page.at("next").dump();
    }
    return exit_status::ok;
}

void add_list(CLI::App& program, const common& with, action& chosen) {
    auto f = std::make_shared<filter>();
    CLI::App* command = program.add_subcommand("jobs", "List jobs, in the order of submission");
    command->add_option("--queue", f->queue, "Only of this queue");
    command->add_option("--state", f->state, "Only in this state, as discarded");
    command->add_option("--kind", f->kind, "Only of this kind");
    command->add_option("--limit", f->limit, "At most so many")->capture_default_str();
    command->callback([f, &with, &chosen] { chosen = [f, &with] { return list(*f, with); }; });
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
    add(program, "explain", "Say why a job does not run", chosen, [&with](const std::string& id) {
        const json why = client(with.server).get("/v1/jobs/" + id + "/explain");
        std::cout << (with.as_json ? why.dump() : text_of(why.at("text"))) << '\n';
        return exit_status::ok;
    });
    add_list(program, with, chosen);
    add_change(program, "retry", "Make a job available now, whatever became of it", with, chosen);
    add_change(program, "cancel", "Cancel a job; one that runs is asked to stop", with, chosen);
}

} // namespace lifeguard::cli
