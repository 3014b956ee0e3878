// The parser of jobs: whatever the text is, it is refused with a place in it, or it is JSON and the
// job is what it says.
#include <lifeguard/job.hpp>

#include "check.hpp"
#include <lifeguard/json.hpp>

using namespace lifeguard;
using lifeguard::fuzz::must;

namespace {

void check_error(const job_parse_error& e, std::string_view text) {
    must(e.position <= text.size(), "an error is somewhere in the text");
    must(!e.message.empty(), "an error has a message");
}

void check_job(const new_job& job, const json& said) {
    must(said.at("kind") == job.kind, "the kind is the one in the text");
    const json payload = json::parse(job.payload_text());
    must(payload == (said.contains("payload") ? said.at("payload") : json()),
         "the payload is the one in the text");
    must(job.priority >= priority_first && job.priority <= priority_last, "priorities are 0 to 9");
    must(job.delay >= duration::zero(), "no delay is negative");
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
