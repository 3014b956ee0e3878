#include "cli/job_sender.hpp"

#include <algorithm>

namespace lifeguard::cli {
namespace {

constexpr std::size_t jobs_max = 500; // in one request
constexpr std::size_t bytes_max = std::size_t{256} << 10U;

} // namespace

job_sender::job_sender(client& server, bool repeatable, listener told)
    : server_(server), repeatable_(repeatable), told_(std::move(told)) {}

void job_sender::add(std::string line) {
    ++line_;
    if (line.find_first_not_of(" \t\r") == std::string::npos)
        return;
    // In an array it must not become something else.
    const json parsed = json::parse(line, nullptr, false);
    if (!parsed.is_object()) {
        flush();
        refuse(line_, exit_status::refused, "is not a JSON object");
    }
    if (repeatable_ && (!parsed.contains("id") || !parsed["id"].is_string())) {
        flush();
        refuse(line_, exit_status::refused, "has no id");
    }
    if (bytes_ + line.size() > bytes_max)
        flush();
    bytes_ += line.size();
    batch_.push_back({std::move(line), line_});
    if (batch_.size() == jobs_max)
        flush();
}

void job_sender::flush() {
    const std::vector<waiting> batch = std::exchange(batch_, {});
    bytes_ = 0;
    if (batch.empty())
        return;
    if (batch.size() > 1) {
        std::string body = "[";
        for (const waiting& job : batch)
            body += (body.size() == 1 ? "" : ",") + job.text;
        const server_answer a = server_.ask("POST", "/v1/jobs", body + "]");
        if (a.status < 400) {
            const json stored = a.value().at("jobs");
            for (std::size_t i = 0; i < batch.size(); ++i)
                told_(stored.at(i), batch[i].text.size() + 1);
            return;
        }
    }
    // All or none: none has been stored. One at a time it is seen which is at fault.
    for (const waiting& job : batch)
        send_one(job);
}

void job_sender::send_one(const waiting& job) {
    json stored;
    try {
        const std::string key =
            repeatable_ ? json::parse(job.text).at("id").get<std::string>() : std::string();
        stored = server_.post("/v1/jobs", job.text, key);
    } catch (const failure& e) {
        refuse(job.line, e.status, e.what());
    }
    told_(stored, job.text.size() + 1);
}

void job_sender::refuse(std::size_t line, exit_status status, const std::string& why) {
    throw failure(status, "line " + std::to_string(line) + ": " + why +
                              "; the lines before it have been submitted");
}

} // namespace lifeguard::cli
