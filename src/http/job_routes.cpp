// Jobs: submitted, looked at, removed.

#include "base/executors.hpp"
#include "base/saturate.hpp"
#include "base/time_limit.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/bodies.hpp"
#include "http/job_json.hpp"
#include "queue/queue_core.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace lifeguard::detail::web {
namespace {

asio::awaitable<void> until_final(job_queue queue, job_id id) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    try {
        co_await queue.result(id);
    } catch (const std::exception&) { // final without a result, or waited for too long: it is seen
    }
}

/// Returns when the job is final, or `wait` is over.
asio::awaitable<void> until_final(const api& a, job_id id, duration wait) {
    const auto limit = std::make_shared<time_limit>(strand_of(co_await asio::this_coro::executor));
    a.deadlines->arm(*limit, later(a.time->now(), wait));
    co_await heed_stop(limit);
    auto waiting = until_final(a.queue, id);
    auto token = asio::bind_cancellation_slot(limit->slot(), asio::use_awaitable);
    co_await asio::co_spawn(limit->strand(), std::move(waiting), token);
    a.deadlines->disarm(*limit);
}

job_id parse_id(const std::string& text) {
    if (const auto id = job_id::parse(text))
        return *id;
    throw refusal{404, name_of(errc::not_found), "no job has such an id", text};
}

job_info find_job(const api& a, job_id id) {
    if (auto info = a.queue.find(id))
        return std::move(*info);
    throw refusal{404, name_of(errc::not_found), "there is no such job", id.to_string()};
}

answer created(const job_info& job, unsigned status) {
    json_writer w;
    w.begin_object().member("id", job.id).member("state", name_of(job.state)).end_object();
    answer a = make_answer(w.take(), status);
    a.fields.emplace_back("Location", "/v1/jobs/" + job.id.to_string());
    return a;
}

answer whole(const job_info& job, unsigned status) {
    json_writer w;
    write_job(w, job);
    return make_answer(w.take(), status);
}

/// The id that a client gave its request, so that it can be sent again.
job_id idempotency_id(const request& r) {
    if (r.idempotency_key.empty())
        return {};
    if (const auto id = job_id::parse(r.idempotency_key); id && !id->is_nil())
        return *id;
    throw refusal{422, name_of(errc::invalid_job), "must be a UUID", "Idempotency-Key"};
}

/// The same submission, sent again?
bool same(const job_info& known, const new_job& job) {
    return known.kind == job.kind && known.payload == job.payload_text() &&
           known.queue == (job.queue.empty() ? "default" : job.queue) &&
           known.priority == job.priority;
}

} // namespace

asio::awaitable<answer> submit_jobs(call& c) {
    c.at.allow({"wait"});
    duration wait = duration::zero();
    if (const auto text = c.at.parameter("wait"))
        wait = parse_wait(*text);
    require_json(c.asked);
    auto parsed = parse_job(c.asked.body, c.of.queue.core()->options().limits);
    if (!parsed) {
        // What is no JSON is not called a wrong job.
        if (auto fault = syntax_fault(c.asked.body))
            throw std::move(*fault);
        throw to_refusal(parsed.error());
    }
    new_job job = std::move(*parsed);
    if (job.id.is_nil())
        job.id = idempotency_id(c.asked);
    const bool idempotent = !c.asked.idempotency_key.empty();
    job_id id = job.id;
    unsigned status = 201;
    if (const auto known = idempotent ? c.of.queue.find(id) : std::nullopt) {
        if (!same(*known, job))
            throw refusal{409, name_of(errc::duplicate_id),
                          "another job was submitted with this key", "Idempotency-Key"};
        status = 200;
    } else {
        job_queue queue = c.of.queue;
        id = co_await queue.push(std::move(job));
    }
    if (wait > duration::zero())
        co_await until_final(c.of, id, wait);
    const job_info now = find_job(c.of, id);
    if (!c.at.parameter("wait"))
        co_return created(now, status);
    co_return whole(now, is_final(now.state) ? 200 : 202);
}

asio::awaitable<answer> get_job(call& c) {
    c.at.allow({});
    co_return whole(find_job(c.of, parse_id(c.names[0])), 200);
}

asio::awaitable<answer> remove_job(call& c) {
    c.at.allow({});
    const job_id id = parse_id(c.names[0]);
    job_queue queue = c.of.queue;
    co_await queue.remove(id);
    co_return make_answer("", 204);
}

} // namespace lifeguard::detail::web
