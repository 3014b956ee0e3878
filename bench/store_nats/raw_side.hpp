#pragma once

#include <string>
#include <string_view>

namespace bench {

inline constexpr int in_flight = 256;
inline constexpr std::string_view payload =
    R"({"user":"4711","action":"resize","width":640,"height":480,)"
    R"("format":"webp","quality":85,"meta":{"tenant":"acme","try":1}})";

// The floor: the C client's own calls in a loop, on one thread, with a bare work queue in files. No
// states, no results, nobody who finds a job by its id. Both answer jobs per second.

/// js_PublishAsync with `in_flight` of them under way.
double raw_pushes(const std::string& url, const std::string& stream, int jobs);
/// That in groups of `in_flight`; then a fetch of as many, and an ack for each that the server
/// confirms, all of a group under way at once.
double raw_lives(const std::string& url, const std::string& stream, int jobs);

// The same with a state for each job in a bucket, as those write who can find a job by its id.

/// A state, and when that is confirmed a message in the work queue, which goes with the states of
/// the next group.
double raw_stateful_pushes(const std::string& url, const std::string& stream, int jobs);
/// Two states more: the job has begun, the job is done.
double raw_stateful_lives(const std::string& url, const std::string& stream, int jobs);

/// Removes streams, so that those who are measured later do not pay for them.
void remove_stream(const std::string& url, const std::string& stream);

} // namespace bench
