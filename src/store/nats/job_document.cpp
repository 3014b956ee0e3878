#include "store/nats/job_document.hpp"

#include <lifeguard/json.hpp>

#include <algorithm>

namespace lifeguard::detail {
namespace {

constexpr int version = 1;

std::int64_t nanoseconds(wall_time at) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

wall_time wall(std::int64_t ns) {
    return wall_time(std::chrono::duration_cast<wall_time::duration>(std::chrono::nanoseconds(ns)));
}

json error_json(std::uint32_t attempt, wall_time at, const std::string& text) {
    json e = json::object();
    e["attempt"] = attempt;
    e["at"] = nanoseconds(at);
    e["text"] = text;
    return e;
}

json errors_json(const job_record& job, const settlement* s) {
    json all = json::array();
    if (job.errors)
        for (const attempt_error& e : *job.errors)
            all.push_back(error_json(e.attempt, e.at, e.text));
    if (s != nullptr && s->has_error) {
        std::string text = s->error_text;
        cut_error(text);
        all.push_back(error_json(s->attempt, s->at, text));
    }
    while (all.size() > errors_max)
        all.erase(all.begin());
    return all;
}

std::optional<job_state> state_of(std::string_view name) {
    for (const job_state s :
         {job_state::scheduled, job_state::available, job_state::executing, job_state::retryable,
          job_state::completed, job_state::cancelled, job_state::discarded})
        if (name == name_of(s))
            return s;
    return std::nullopt;
}

job_document read_head(const json& head) {
    job_document d;
    d.kind = head.at("kind").get<std::string>();
    d.queue = head.at("queue").get<std::string>();
    d.priority = head.at("priority").get<int>();
    d.attempt = head.at("attempt").get<std::uint32_t>();
    d.max_attempts = head.at("max_attempts").get<std::uint32_t>();
    d.delivery = head.at("delivery").get<std::uint32_t>();
    d.crashes = head.value("crashes", std::uint32_t{0});
    d.created_at = head.at("created_at").get<std::int64_t>();
    d.attempted_at = head.value("attempted_at", std::int64_t{0});
    d.finished_at = head.value("finished_at", std::int64_t{0});
    d.due = head.value("due", std::int64_t{0});
    d.timeout = head.value("timeout", std::int64_t{0});
    d.origin = head.value("origin", std::string());
    d.writer = head.value("writer", std::string());
    if (const auto found = head.find("errors"); found != head.end())
        for (const json& e : *found)
            d.errors.push_back({e.at("attempt").get<std::uint32_t>(),
                                wall(e.at("at").get<std::int64_t>()),
                                e.at("text").get<std::string>()});
    if (const auto found = head.find("result"); found != head.end())
        d.result = *found;
    return d;
}

} // namespace

std::string write_document(const job_record& job, const settlement* s, const std::string& origin,
                           const std::string& writer) {
    const job_state state = s == nullptr ? job.state : s->state;
    json head = json::object();
    head["v"] = version;
    head["kind"] = job.kind->name;
    head["queue"] = job.queue->name;
    head["priority"] = job.priority;
    head["state"] = name_of(state);
    head["attempt"] = s == nullptr ? job.attempt : s->attempt;
    head["max_attempts"] =
        s == nullptr || s->max_attempts == 0 ? job.max_attempts : s->max_attempts;
    head["delivery"] = job.delivery;
    if (job.crashes != 0)
        head["crashes"] = job.crashes;
    head["created_at"] = nanoseconds(job.created_at);
    if (job.attempted_at != wall_time())
        head["attempted_at"] = nanoseconds(job.attempted_at);
    if (job.timeout != duration::zero())
        head["timeout"] = std::chrono::duration_cast<std::chrono::nanoseconds>(job.timeout).count();
    if (state == job_state::scheduled || state == job_state::retryable)
        head["due"] = s == nullptr ? job.due : s->due;
    if (s != nullptr && is_final(state)) {
        head["finished_at"] = nanoseconds(s->at);
        if (!s->result.is_null())
            head["result"] = s->result;
    }
    if (json errors = errors_json(job, s); !errors.empty())
        head["errors"] = std::move(errors);
    head["origin"] = origin;
    head["writer"] = writer;
    // What a handler returned, or an error's text, need not be UTF-8.
    std::string text = head.dump(-1, ' ', false, json::error_handler_t::replace);
    text += '\n';
    text += job.payload;
    return text;
}

std::optional<job_document> read_document(const job_id& id, std::string_view text) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos)
        return std::nullopt;
    try {
        const json head = json::parse(text.substr(0, end));
        if (head.at("v").get<int>() != version)
            return std::nullopt;
        const auto state = state_of(head.at("state").get<std::string>());
        job_document d = read_head(head);
        if (!state || d.priority < 0 || d.priority > priority_last)
            return std::nullopt;
        d.id = id;
        d.state = *state;
        d.payload = text.substr(end + 1);
        if (d.state == job_state::discarded)
            d.text = text;
        return d;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

void copy_document(job_document&& from, job_record& to) {
    to.id = from.id;
    to.payload = std::move(from.payload);
    to.priority = static_cast<std::uint8_t>(from.priority);
    to.attempt = from.attempt;
    to.max_attempts = from.max_attempts;
    to.delivery = std::max(to.delivery, from.delivery);
    to.crashes = static_cast<std::uint16_t>(std::min<std::uint32_t>(from.crashes, 1000));
    to.created_at = wall(from.created_at);
    to.attempted_at = wall(from.attempted_at);
    to.timeout = std::chrono::duration_cast<duration>(std::chrono::nanoseconds(from.timeout));
    to.errors.reset();
    if (!from.errors.empty())
        to.errors = std::make_unique<std::vector<attempt_error>>(std::move(from.errors));
}

} // namespace lifeguard::detail
