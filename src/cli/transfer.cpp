// lifeguard export and import: jobs as JSON Lines, from one server to another.
#include "cli/commands.hpp"
#include "cli/job_sender.hpp"
#include "cli/progress.hpp"

#include <fstream>
#include <iostream>
#include <memory>

namespace lifeguard::cli {
namespace {

struct export_options {
    std::string file = "-";
    std::string queue;
    std::string kind;
    std::string state;
    bool all = false;
};

bool is_final(const std::string& state) {
    return state == "completed" || state == "cancelled" || state == "discarded";
}

/// A job as it is submitted again.
json submission_of(const json& job) {
    json out;
    for (const char* name : {"id", "kind", "queue", "priority", "max_attempts", "payload"})
        out[name] = job.at(name);
    if (!job.at("timeout_ms").is_null())
        out["timeout_ms"] = job.at("timeout_ms");
    if (!job.at("unique_key").is_null())
        out["unique_key"] = job.at("unique_key");
    else if (job.at("unique") == true)
        out["unique"] = true;
    const std::string state = job.at("state");
    if (state == "scheduled" || state == "retryable")
        out["run_at"] = job.at("run_at");
    return out;
}

/// Opens `name` unless it is "-".
template <typename Stream>
std::unique_ptr<Stream> opened(const std::string& name) {
    if (name == "-")
        return nullptr;
    auto file = std::make_unique<Stream>(name, std::ios::binary);
    if (!*file)
        throw failure(exit_status::usage, "cannot open '" + name + "'");
    return file;
}

exit_status export_jobs(const export_options& o, const common& with) {
    client server(with.server);
    const auto file = opened<std::ofstream>(o.file);
    std::ostream& out = file ? *file : std::cout;
    progress shown("jobs", 0);
    std::string after = "0";
    for (;;) {
        const json page = server.get("/v1/jobs?limit=1000&after=" + after +
                                     (o.queue.empty() ? "" : "&queue=" + escaped(o.queue)) +
                                     (o.kind.empty() ? "" : "&kind=" + escaped(o.kind)) +
                                     (o.state.empty() ? "" : "&state=" + escaped(o.state)));
        for (const json& line : page.at("jobs")) {
            if (!o.all && o.state.empty() && is_final(line.at("state")))
                continue;
            const std::string id = line.at("id");
            const server_answer whole = server.ask("GET", "/v1/jobs/" + id);
            if (whole.status == 404)
                continue; // removed since
            if (whole.status != 200)
                throw failure(exit_status::refused, "job " + id + ": the server answered " +
                                                        std::to_string(whole.status));
            const json job = whole.value();
            if (!o.all && o.state.empty() && is_final(job.at("state")))
                continue; // done since
            out << submission_of(job).dump() << '\n';
            shown.add(1, 1);
        }
        if (page.at("next").is_null())
            break;
        after = page.at("next").dump();
    }
    out.flush();
    if (!out)
        throw failure(exit_status::refused, "cannot write '" + o.file + "'");
    shown.finish();
    return exit_status::ok;
}

exit_status import_jobs(const std::string& name, const common& with) {
    client server(with.server);
    const auto file = opened<std::ifstream>(name);
    std::istream& lines = file ? *file : std::cin;
    std::uint64_t stored = 0;
    std::uint64_t known = 0;
    progress shown("jobs", 0);
    job_sender sender(server, true, [&](const json& job, std::size_t) {
        ++(job.at("conflict").get<bool>() ? known : stored);
        shown.add(1, 1);
    });
    for (std::string line; std::getline(lines, line);)
        sender.add(std::move(line));
    sender.flush();
    shown.finish();
    if (with.as_json)
        std::cout << json({{"stored", stored}, {"known", known}}).dump() << '\n';
    else
        std::cout << stored << " stored, " << known << " were there already\n";
    return exit_status::ok;
}

} // namespace

void add_transfer(CLI::App& program, const common& with, action& chosen) {
    auto o = std::make_shared<export_options>();
    CLI::App* out = program.add_subcommand(
        "export", "Write jobs as JSON Lines: those that are not final, unless told otherwise");
    out->add_option("file", o->file, "Where to; - is standard output")->capture_default_str();
    out->add_option("--queue", o->queue, "Only of this queue");
    out->add_option("--kind", o->kind, "Only of this kind");
    CLI::Option* state = out->add_option("--state", o->state, "Only in this state, as discarded");
    out->add_flag("--all", o->all, "Also those that are final")->excludes(state);
    out->callback([o, &with, &chosen] { chosen = [o, &with] { return export_jobs(*o, with); }; });

    auto name = std::make_shared<std::string>("-");
    CLI::App* in = program.add_subcommand(
        "import", "Submit what export wrote; jobs that are there already are left alone");
    in->add_option("file", *name, "Where from; - is standard input")->capture_default_str();
    in->callback(
        [name, &with, &chosen] { chosen = [name, &with] { return import_jobs(*name, with); }; });
}

} // namespace lifeguard::cli
