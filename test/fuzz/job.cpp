// The parser of jobs: whatever the text is, it is refused with a place in it, or it is JSON and the
// job is what it says.
#include <lifeguard/job.hpp>

#include "check.hpp"
#include "queue/json_text.hpp"
#include <lifeguard/json.hpp>

using namespace lifeguard;
using lifeguard::fuzz::must;

namespace {

void check_error(const job_parse_error& e, std::string_view text) {
    must(e.position <= text.size(), "an error is somewhere in the text");
    must(!e.message.empty(), "an error has a message");
    if (e.code == errc::malformed_json && !detail::not_json_text(text))
        must(!json::accept(text), "what is called malformed is no JSON");
}

template <typename T>
T said_or(const json& said, const char* name, T otherwise) {
    return said.contains(name) ? said.at(name).get<T>() : otherwise;
}

void check_job(const new_job& job, const json& said) {
    must(said.at("kind") == job.kind, "the kind is the one in the text");
    const json payload = json::parse(job.payload_text());
    must(payload == (said.contains("payload") ? said.at("payload") : json()),
         "the payload is the one in the text");
    must(job.priority >= priority_first && job.priority <= priority_last, "priorities are 0 to 9");
    must(job.delay >= duration::zero(), "no delay is negative");
    must(job.queue == said_or<std::string>(said, "queue", ""), "so is the queue");
    must(job.priority == said_or(said, "priority", priority_default), "so is the priority");
    must(job.max_attempts == said_or(said, "max_attempts", 0U), "so are the attempts");
    const std::chrono::milliseconds delay(said_or(said, "delay_ms", std::int64_t{0}));
    must(job.delay == delay, "so is the delay");
    const std::chrono::milliseconds timeout(said_or(said, "timeout_ms", std::int64_t{0}));
    must(job.timeout == timeout, "so is the timeout");
    must(job.run_at.has_value() == said.contains("run_at"), "so is the time");
    must(job.id.is_nil() != said.contains("id"), "so is the id");
    const bool unique = said_or(said, "unique", false) || said.contains("unique_key");
    must(job.unique.has_value() == unique, "so is what makes it unique");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size) {
    const std::string_view text(data, size);
    job_limits limits;
    limits.payload_max = 4096;
    limits.depth_max = 64;
    const auto one = parse_job(text, limits);
    if (one)
        check_job(*one, json::parse(text));
    else
        check_error(one.error(), text);
    const auto many = parse_jobs(text, limits);
    must(!one || !many, "a text is a job or an array of them");
    if (!many) {
        check_error(many.error(), text);
        return 0;
    }
    const json said = json::parse(text);
    must(said.is_array() && said.size() == many->size() && !many->empty(), "no job is lost");
    for (std::size_t i = 0; i < many->size(); ++i)
        check_job((*many)[i], said[i]);
    return 0;
}
