// Many jobs at once: those of a queue, a kind, some states.

#include "base/option_members.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/bodies.hpp"
#include "http/json_writer.hpp"

namespace lifeguard::detail::web {
namespace {

/// "discarded,retryable"
job_states parse_states(const std::string& text) {
    job_states all;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        all.add(parse_state(text.substr(begin, end - begin)));
        begin = end + 1;
    }
    return all;
}

/// What the query says, or the body, or both of them.
job_filter filter_of(const call& c) {
    job_filter which;
    which.queue = c.at.parameter("queue").value_or("");
    which.kind = c.at.parameter("kind").value_or("");
    std::string states = c.at.parameter("state").value_or("");
    const json body = parse_body(c.asked);
    option_members m(body, "");
    m.text("queue", which.queue);
    m.text("kind", which.kind);
    m.text("state", states);
    m.done();
    which.states = parse_states(states);
    return which;
}

bool flag_of(const target& at, std::string_view name) {
    const auto text = at.parameter(name);
    if (!text || *text == "false")
        return false;
    if (*text == "true")
        return true;
    throw refusal{422, name_of(errc::invalid_option), "must be true or false", std::string(name)};
}

asio::awaitable<answer> change_jobs(call& c, bulk_action what, std::string_view done) {
    c.at.allow({"queue", "kind", "state", "limit", "count_only"});
    const bool count_only = flag_of(c.at, "count_only");
    constexpr std::uint64_t limit_usual = 1000;
    const std::uint64_t limit = c.at.number("limit", 1, batch_max).value_or(limit_usual);
    job_filter which = filter_of(c);
    job_queue queue = c.of.queue;
    const bulk_answer made =
        co_await queue.for_many(what, std::move(which), count_only ? 0 : limit);
    json_writer w;
    w.begin_object();
    if (count_only)
        w.member("count", made.left).member("skipped", made.skipped);
    else
        w.member(done, made.changed).member("skipped", made.skipped).member("left", made.left);
    co_return make_answer(w.end_object().take());
}

} // namespace

asio::awaitable<answer> remove_jobs(call& c) {
    return change_jobs(c, bulk_action::remove, "removed");
}

asio::awaitable<answer> retry_jobs(call& c) {
    return change_jobs(c, bulk_action::retry, "retried");
}

asio::awaitable<answer> cancel_jobs(call& c) {
    return change_jobs(c, bulk_action::cancel, "cancelled");
}

} // namespace lifeguard::detail::web
