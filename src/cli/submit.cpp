// lifeguard submit: one job from the command line, or many from JSON Lines.
#include "cli/commands.hpp"
#include "cli/job_sender.hpp"
#include "cli/progress.hpp"

#include <charconv>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <thread>

namespace lifeguard::cli {
namespace {

struct submit_options {
    std::string kind;
    std::string payload;
    std::string queue;
    std::string file;
    std::string wait;
    std::string id;
    int priority = -1;
    long delay_ms = 0;
    unsigned max_attempts = 0;
    long timeout_ms = 0;
};

/// "5s", "500ms", "2m", as the server reads it.
std::chrono::milliseconds wait_of(const std::string& text) {
    std::uint64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, count);
    const std::string_view unit(read.ptr, static_cast<std::size_t>(end - read.ptr));
    if (read.ec == std::errc() && count <= 1'000'000) {
        if (unit == "ms")
            return std::chrono::milliseconds(count);
        if (unit == "s")
            return std::chrono::seconds(count);
        if (unit == "m")
            return std::chrono::minutes(count);
    }
    throw failure(exit_status::usage, "--wait: must be a number and ms, s or m, is " + text);
}

/// The job as the server wants it. A payload that is no JSON is refused here, with its place.
std::string job_text(const submit_options& o) {
    json job = {{"kind", o.kind}};
    if (!o.payload.empty()) {
        try {
            job["payload"] = json::parse(o.payload);
        } catch (const json::parse_error& e) {
            throw failure(exit_status::usage, std::string("the payload is not JSON: ") + e.what());
        }
    }
    if (!o.queue.empty())
        job["queue"] = o.queue;
    if (!o.id.empty())
        job["id"] = o.id;
    if (o.priority >= 0)
        job["priority"] = o.priority;
    if (o.delay_ms != 0)
        job["delay_ms"] = o.delay_ms;
    if (o.max_attempts != 0)
        job["max_attempts"] = o.max_attempts;
    if (o.timeout_ms != 0)
        job["timeout_ms"] = o.timeout_ms;
    return job.dump();
}

std::string target_of(const submit_options& o) {
    return o.wait.empty() ? "/v1/jobs" : "/v1/jobs?wait=" + escaped(o.wait);
}

exit_status submit_one(const submit_options& o, const common& with) {
    client server(with.server);
    const json job = server.post(target_of(o), job_text(o));
    if (with.as_json)
        std::cout << job.dump() << '\n';
    else if (o.wait.empty())
        std::cout << job.at("id").get<std::string>() << '\n';
    else if (job.at("state") == "completed")
        std::cout << job.at("result").dump() << '\n';
    if (o.wait.empty() || job.at("state") == "completed")
        return exit_status::ok;
    const std::string id = job.at("id");
    const std::string state = job.at("state");
    std::string why;
    if (!job.at("errors").empty())
        why = ": " + job.at("errors").back().at("text").get<std::string>();
    std::cerr << "lifeguard: job " << id << " is " << state << why << '\n';
    return exit_status::unfinished;
}

/// Waits until all of them are final, for `wait` at most, and says what became of them.
exit_status await_all(client& server, const std::vector<std::string>& ids,
                      std::chrono::milliseconds wait) {
    using clock = std::chrono::steady_clock;
    constexpr auto pause = std::chrono::milliseconds(50);
    const auto end = clock::now() + wait;
    progress shown("jobs are final", ids.size());
    std::map<std::string, std::size_t> became;
    for (const std::string& id : ids) {
        std::string state;
        for (bool first = true; first || clock::now() < end; first = false) {
            state = server.get("/v1/jobs/" + id).at("state").get<std::string>();
            if (state == "completed" || state == "cancelled" || state == "discarded")
                break;
            std::this_thread::sleep_for(pause);
        }
        ++became[state];
        shown.add(1, 1);
    }
    shown.finish();
    for (const auto& [state, count] : became)
        std::cerr << "lifeguard: " << count << ' ' << state << '\n';
    return became["completed"] == ids.size() ? exit_status::ok : exit_status::unfinished;
}

exit_status submit_lines(std::istream& lines, std::uint64_t bytes, const submit_options& o,
                         const common& with) {
    client server(with.server);
    const auto wait = o.wait.empty() ? std::chrono::milliseconds(0) : wait_of(o.wait);
    std::vector<std::string> ids;
    progress shown("jobs", bytes);
    job_sender sender(server, false, [&](const json& job, std::size_t size) {
        std::cout << (with.as_json ? job.dump() : job.at("id").get<std::string>()) << '\n';
        shown.add(1, size);
        if (!o.wait.empty())
            ids.push_back(job.at("id"));
    });
    try {
        for (std::string line; std::getline(lines, line);)
            sender.add(std::move(line));
        sender.flush();
    } catch (const failure&) {
        shown.finish();
        throw;
    }
    shown.finish();
    std::cout << std::flush;
    return o.wait.empty() ? exit_status::ok : await_all(server, ids, wait);
}

exit_status submit(const submit_options& o, const common& with) {
    if (o.file.empty() && o.kind.empty())
        throw failure(exit_status::usage, "submit needs a KIND, or --file");
    if (!o.kind.empty())
        return submit_one(o, with);
    if (o.file == "-")
        return submit_lines(std::cin, 0, o, with);
    std::ifstream file(o.file, std::ios::binary | std::ios::ate);
    if (!file)
        throw failure(exit_status::usage, "cannot read '" + o.file + "'");
    const auto bytes = static_cast<std::uint64_t>(file.tellg());
    file.seekg(0);
    return submit_lines(file, bytes, o, with);
}

} // namespace

void add_submit(CLI::App& program, const common& with, action& chosen) {
    auto o = std::make_shared<submit_options>();
    CLI::App* command = program.add_subcommand("submit", "Submit a job, or a file of them");
    command->add_option("kind", o->kind, "What kind of job");
    command->add_option("payload", o->payload, "Its payload, as JSON");
    command->add_option("--file", o->file, "Jobs as JSON, one on each line; - is standard input")
        ->excludes("kind");
    command->add_option("--queue", o->queue, "The queue it goes to");
    command->add_option("--priority", o->priority, "0, the most urgent, to 9")
        ->check(CLI::Range(0, 9));
    command->add_option("--delay-ms", o->delay_ms, "Not before so long from now");
    command->add_option("--max-attempts", o->max_attempts, "How often it may be tried");
    command->add_option("--timeout-ms", o->timeout_ms, "How long an attempt may take");
    command->add_option("--id", o->id, "An id of your own, a UUID");
    command->add_option("--wait", o->wait, "Wait for the result so long, as 5s");
    command->callback([o, &with, &chosen] { chosen = [o, &with] { return submit(*o, with); }; });
}

} // namespace lifeguard::cli
