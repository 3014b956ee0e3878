// lifeguard submit: one job from the command line, or many from JSON Lines.
#include "cli/commands.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>

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

/// How far a long submission has come, on a terminal.
class progress {
  public:
    explicit progress(std::uint64_t bytes)
        : bytes_(bytes), shown_(::isatty(STDERR_FILENO) != 0), began_(clock::now()) {}

    void add(std::size_t bytes) {
        ++jobs_;
        seen_ += bytes;
        if (shown_ && clock::now() - last_ >= std::chrono::milliseconds(200))
            show();
    }
    void finish() {
        if (shown_)
            std::cerr << "\r\033[K";
        std::cerr << "lifeguard: " << jobs_ << " jobs in " << seconds() << " s ("
                  << static_cast<std::uint64_t>(static_cast<double>(jobs_) /
                                                std::max(seconds(), 1e-3))
                  << " per second)\n";
    }

  private:
    using clock = std::chrono::steady_clock;

    double seconds() const { return std::chrono::duration<double>(clock::now() - began_).count(); }

    void show() {
        last_ = clock::now();
        const double rate = static_cast<double>(jobs_) / seconds();
        std::cerr << '\r' << jobs_ << " jobs, " << static_cast<std::uint64_t>(rate)
                  << " per second";
        if (bytes_ != 0 && seen_ != 0) {
            const double part = static_cast<double>(seen_) / static_cast<double>(bytes_);
            std::cerr << ", " << static_cast<int>(part * 100) << " %, "
                      << static_cast<int>(seconds() / part - seconds()) << " s left";
        }
        std::cerr << "\033[K" << std::flush;
    }

    const std::uint64_t bytes_; // in all; 0: nobody knows
    const bool shown_;
    const clock::time_point began_;
    clock::time_point last_ = began_;
    std::uint64_t jobs_ = 0;
    std::uint64_t seen_ = 0;
};

exit_status submit_lines(std::istream& lines, std::uint64_t bytes, const submit_options& o,
                         const common& with) {
    client server(with.server);
    progress shown(bytes);
    std::string line;
    for (std::size_t number = 1; std::getline(lines, line); ++number) {
        if (line.find_first_not_of(" \t\r") == std::string::npos)
            continue;
        const std::size_t size = line.size() + 1;
        json job;
        try {
            job = server.post(target_of(o), line);
        } catch (const failure& e) {
            shown.finish();
            throw failure(e.status, "line " + std::to_string(number) + ": " + e.what() +
                                        "; the lines before it have been submitted");
        }
        std::cout << (with.as_json ? job.dump() : job.at("id").get<std::string>()) << '\n';
        shown.add(size);
    }
    shown.finish();
    return exit_status::ok;
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
