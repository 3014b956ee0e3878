// Workers in any language: they take jobs, say what became of them, and ask for more time.

#include "base/option_members.hpp"
#include "base/saturate.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/bodies.hpp"
#include "http/job_json.hpp"
#include "queue/rfc3339.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace lifeguard::detail::web {
namespace {

take_options read_take(const json& body) {
    take_options o;
    option_members m(body, "");
    std::string queue;
    std::string worker; // for the client's own order
    m.text("queue", queue);
    if (!queue.empty())
        o.queues = {queue};
    m.texts("queues", o.queues);
    m.flag("strict_order", o.strict_order);
    m.texts("kinds", o.kinds);
    m.whole("jobs_max", o.jobs_max);
    m.milliseconds("wait_ms", o.wait);
    m.milliseconds("lease_ms", o.lease);
    m.text("worker", worker);
    m.done();
    if (o.wait > wait_max)
        m.wrong("wait_ms", "must be at most 60000");
    return o;
}

asio::awaitable<void> give_back(job_queue queue, std::vector<taken_job> jobs) {
    for (const taken_job& job : jobs) {
        try {
            co_await queue.release(job.id, job.token);
        } catch (const error&) { // its lease will run out
        }
    }
}

/// What a finish says.
struct finishing {
    std::uint32_t token = 0;
    std::string outcome;
    json result;
    std::string error = "failed";
    std::optional<duration> delay;
    std::optional<wall_time> run_at;
};

finishing read_finish(const json& body) {
    finishing f;
    option_members m(body, "");
    m.whole("token", f.token);
    m.text("outcome", f.outcome);
    if (const json* result = m.get("result"))
        f.result = *result;
    m.text("error", f.error);
    if (m.get("delay_ms") != nullptr)
        m.milliseconds("delay_ms", f.delay.emplace());
    std::string run_at;
    m.text("run_at", run_at);
    m.done();
    if (!run_at.empty() && !(f.run_at = parse_rfc3339(run_at)))
        m.wrong("run_at", "must be a time as 2026-01-31T12:00:00Z");
    if (f.run_at && f.delay)
        m.wrong("run_at", "not together with delay_ms");
    return f;
}

} // namespace

asio::awaitable<answer> take_jobs(call& c) {
    c.at.allow({});
    take_options options = read_take(parse_body(c.asked));
    job_queue queue = c.of.queue;
    const std::vector<taken_job> jobs = co_await queue.take(std::move(options));
    const time_point now = c.of.time->now();
    const wall_time wall = c.of.time->wall_now();
    json_writer w;
    w.begin_object().key("jobs").begin_array();
    for (const taken_job& job : jobs)
        write_taken(w, job, now, wall);
    w.end_array().end_object();
    answer a = make_answer(w.take());
    const asio::any_io_executor on = co_await asio::this_coro::executor;
    if (!jobs.empty())
        a.undelivered = [queue, jobs, on] {
            asio::co_spawn(on, give_back(queue, jobs), asio::detached);
        };
    co_return a;
}

asio::awaitable<answer> finish_job(call& c) {
    c.at.allow({});
    const job_id id = parse_id(c.names[0]);
    finishing f = read_finish(parse_body(c.asked));
    job_queue queue = c.of.queue;
    if (f.outcome == "done")
        co_await queue.complete(id, f.token, std::move(f.result));
    else if (f.outcome == "retry" && (f.run_at || f.delay))
        co_await queue.retry_at(id, f.token,
                                f.run_at ? *f.run_at : c.of.time->wall_now() + *f.delay,
                                std::move(f.error));
    else if (f.outcome == "retry")
        co_await queue.fail(id, f.token, std::move(f.error));
    else if (f.outcome == "snooze")
        co_await queue.snooze(id, f.token, f.delay.value_or(duration::zero()));
    else if (f.outcome == "discard")
        co_await queue.discard(id, f.token, std::move(f.error));
    else if (f.outcome == "release")
        co_await queue.release(id, f.token);
    else
        throw refusal{422, name_of(errc::invalid_option),
                      "must be done, retry, snooze, discard or release", "outcome"};
    co_return make_answer("", 204);
}

asio::awaitable<answer> report_progress(call& c) {
    c.at.allow({});
    const job_id id = parse_id(c.names[0]);
    const json body = parse_body(c.asked);
    option_members m(body, "");
    std::optional<std::uint32_t> token;
    if (m.get("token") != nullptr)
        m.whole("token", token.emplace());
    const json* const how_far = m.get("progress");
    m.done();
    if (how_far == nullptr)
        m.wrong("progress", "must be given");
    job_queue queue = c.of.queue;
    queue.progress(id, token, *how_far);
    co_return make_answer("", 204);
}

asio::awaitable<answer> extend_job(call& c) {
    c.at.allow({});
    const job_id id = parse_id(c.names[0]);
    const json body = parse_body(c.asked);
    std::uint32_t token = 0;
    duration lease = duration::zero();
    option_members m(body, "");
    m.whole("token", token);
    m.milliseconds("lease_ms", lease);
    m.done();
    job_queue queue = c.of.queue;
    const time_point until = co_await queue.extend(id, token, lease);
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - c.of.time->now());
    json_writer w;
    w.begin_object()
        .member("lease_ms", left.count())
        .member("lease_until", wall_time(c.of.time->wall_now() + left))
        .end_object();
    co_return make_answer(w.take());
}

} // namespace lifeguard::detail::web
