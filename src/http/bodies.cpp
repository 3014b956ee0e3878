#include "http/bodies.hpp"

#include "http/answers.hpp"
#include "http/api.hpp"
#include "queue/json_text.hpp"

#include <algorithm>
#include <charconv>

namespace lifeguard::detail::web {
namespace {

std::string lower_without_blanks(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (c != ' ' && c != '\t' && c != '"')
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    return out;
}

refusal not_json(std::size_t position, const std::string& why) {
    return {400, name_of(errc::malformed_json),
            "the body is not JSON: byte " + std::to_string(position) + ": " + why, "", position};
}

/// Follows nlohmann's parser, and only notes where it stopped.
struct syntax_check {
    bool null() { return true; }
    bool boolean(bool) { return true; }
    bool number_integer(json::number_integer_t) { return true; }
    bool number_unsigned(json::number_unsigned_t) { return true; }
    bool number_float(json::number_float_t, const std::string&) { return true; }
    bool string(std::string&) { return true; }
    bool binary(json::binary_t&) { return true; }
    bool start_object(std::size_t) { return true; }
    bool key(std::string&) { return true; }
    bool end_object() { return true; }
    bool start_array(std::size_t) { return true; }
    bool end_array() { return true; }
    bool parse_error(std::size_t position, const std::string&, const json::exception& e) {
        fault = not_json(error_position(position), reason_of(e));
        return false;
    }

    std::optional<refusal> fault;
};

} // namespace

std::optional<refusal> syntax_fault(std::string_view body) {
    if (const auto odd = not_json_text(body))
        return not_json(odd->position, odd->what);
    syntax_check check;
    json::sax_parse(body.begin(), body.end(), &check);
    return check.fault;
}

void require_json(const request& r) {
    if (r.content_type == "application/json")
        return;
    const std::string type = lower_without_blanks(r.content_type);
    if (type != "application/json" && type != "application/json;charset=utf-8")
        throw refusal{415, "unsupported_media_type", "the body must be application/json",
                      "Content-Type"};
}

json parse_body(const request& r) {
    if (r.body.empty())
        return json::object();
    require_json(r);
    if (const auto odd = not_json_text(r.body))
        throw not_json(odd->position, odd->what);
    try {
        return json::parse(r.body, [](int depth, json::parse_event_t, const json&) {
            if (depth > static_cast<int>(job_limits().depth_max))
                throw refusal{400, name_of(errc::too_deep), "the body is nested too deep"};
            return true;
        });
    } catch (const json::parse_error& e) {
        throw not_json(error_position(e.byte), reason_of(e));
    } catch (const json::exception& e) {
        throw not_json(0, reason_of(e));
    }
}

job_id parse_id(const std::string& text) {
    if (const auto id = job_id::parse(text))
        return *id;
    throw refusal{404, name_of(errc::not_found), "no job has such an id", text};
}

job_state parse_state(const std::string& name) {
    for (const job_state s :
         {job_state::scheduled, job_state::available, job_state::executing, job_state::retryable,
          job_state::completed, job_state::cancelled, job_state::discarded})
        if (name_of(s) == name)
            return s;
    throw refusal{422, name_of(errc::invalid_option), "no job has such a state", "state"};
}

duration parse_wait(const std::string& text) {
    std::uint64_t n = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, n);
    const std::string_view unit(read.ptr, static_cast<std::size_t>(end - read.ptr));
    const std::uint64_t ms = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
    if (read.ec != std::errc() || ms == 0 || n > 60'000 / ms)
        throw refusal{422, name_of(errc::invalid_option),
                      "wait must be a time of at most 60 s, as 250ms, 5s or 1m", "wait"};
    return std::chrono::milliseconds(ms * n);
}

} // namespace lifeguard::detail::web
