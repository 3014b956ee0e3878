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
#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

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

job_info find_job(const api& a, job_id id) {
    if (auto info = a.queue.find(id))
        return std::move(*info);
    throw refusal{404, name_of(errc::not_found), "there is no such job", id.to_string()};
}

/// Of a job that has just been stored: copying the whole of it would cost as much as storing it.
/// Nothing when it is not here any more: it may be with another engine.
std::optional<job_state> state_of(const api& a, job_id id) {
    queue_core& core = *a.queue.core();
    const std::lock_guard lock(core.shared().mutex);
    if (const job_record* job = core.index().find(id))
        return job->state;
    return std::nullopt;
}

answer created(job_id id, std::optional<job_state> state, bool conflict) {
    const std::string text = id.to_string();
    json_writer w;
    w.begin_object()
        .member("id", text)
        .member("state", state ? std::optional(name_of(*state)) : std::nullopt)
        .member("conflict", conflict)
        .end_object();
    answer a = make_answer(w.take(), conflict ? 200 : 201);
    a.fields.emplace_back("Location", "/v1/jobs/" + text);
    return a;
}

answer state_now(job_state state) {
    json_writer w;
    w.begin_object().member("state", name_of(state)).end_object();
    return make_answer(w.take());
}

bool is_array(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && text[first] == '[';
}

answer whole(const job_info& job, unsigned status) {
    json_writer w;
    write_job(w, job);
    return make_answer(w.take(), status);
}

/// The id of what a client submits under a key of its own: the key when it is a UUID, otherwise one
/// made of it (RFC 9562, version 5). Nil without a key.
job_id idempotency_id(std::string_view key) {
    if (key.empty())
        return {};
    if (const auto id = job_id::parse(key); id && !id->is_nil())
        return *id;
    static const boost::uuids::uuid ours =
        boost::uuids::string_generator()("6f9c8a52-3d0b-4b1e-9d27-5f6a1e0c7b43");
    const boost::uuids::uuid made = boost::uuids::name_generator_sha1(ours)(key.data(), key.size());
    return *job_id::parse(boost::uuids::to_string(made));
}

/// What makes two submissions the same.
struct submitted {
    explicit submitted(const new_job& job)
        : kind(job.kind),
          queue(job.queue.empty() ? "default" : job.queue),
          payload(job.payload_text()),
          priority(job.priority) {}

    bool is(const job_info& job) const {
        return job.kind == kind && job.queue == queue && job.payload == payload &&
               job.priority == priority;
    }

    std::string kind;
    std::string queue;
    std::string payload;
    int priority;
};

bool newest_first(const target& at) {
    const std::string order = at.parameter("order").value_or("asc");
    if (order != "asc" && order != "desc")
        throw refusal{422, name_of(errc::invalid_option), "must be asc or desc", "order"};
    return order == "desc";
}

template <typename Parsed>
auto jobs_of(Parsed parsed, const request& r) {
    if (!parsed) {
        // What is no JSON is not called a wrong job.
        if (auto fault = syntax_fault(r.body))
            throw std::move(*fault);
        throw to_refusal(parsed.error());
    }
    return std::move(*parsed);
}

asio::awaitable<answer> submit_many(call& c) {
    if (c.at.parameter("wait"))
        throw refusal{422, name_of(errc::invalid_option), "not with an array of jobs", "wait"};
    if (!c.asked.idempotency_key.empty())
        throw refusal{422, name_of(errc::invalid_option),
                      "not with an array of jobs; give each an id", "Idempotency-Key"};
    job_queue queue = c.of.queue;
    auto jobs = jobs_of(parse_jobs(c.asked.body, queue.core()->options().limits), c.asked);
    const std::vector<submission> stored = co_await queue.submit(std::move(jobs));
    json_writer w;
    w.begin_object().key("jobs").begin_array();
    for (const submission& one : stored)
        w.begin_object().member("id", one.id).member("conflict", one.conflict).end_object();
    w.end_array().end_object();
    co_return make_answer(w.take(), 201);
}

} // namespace

asio::awaitable<answer> submit_jobs(call& c) {
    c.at.allow({"wait"});
    require_json(c.asked);
    if (is_array(c.asked.body))
        co_return co_await submit_many(c);
    const auto text = c.at.parameter("wait");
    const duration wait = text ? parse_wait(*text) : duration::zero();
    job_queue queue = c.of.queue;
    new_job job = jobs_of(parse_job(c.asked.body, queue.core()->options().limits), c.asked);
    const std::string_view key = c.asked.idempotency_key;
    if (!key.empty() && job.id.is_nil())
        job.id = idempotency_id(key);
    const bool repeatable = !key.empty();
    const std::optional<submitted> sent = repeatable ? std::optional<submitted>(job) : std::nullopt;
    push_options how;
    how.idempotent = repeatable;
    const submission stored = co_await queue.submit(std::move(job), how);
    if (wait > duration::zero())
        co_await until_final(c.of, stored.id, wait);
    if (!text && !(stored.conflict && sent))
        co_return created(stored.id, state_of(c.of, stored.id), stored.conflict);
    if (!text && !c.of.queue.find(stored.id)) // another engine has it: what it is cannot be said
        co_return created(stored.id, std::nullopt, true);
    const job_info now = find_job(c.of, stored.id);
    if (stored.conflict && sent && !sent->is(now))
        throw refusal{409, name_of(errc::duplicate_id), "another job was submitted with this key",
                      "Idempotency-Key"};
    if (text)
        co_return whole(now, is_final(now.state) ? 200 : 202);
    co_return created(now.id, now.state, stored.conflict);
}

asio::awaitable<answer> get_job(call& c) {
    c.at.allow({});
    co_return whole(find_job(c.of, parse_id(c.names[0])), 200);
}

asio::awaitable<answer> list_jobs(call& c) {
    c.at.allow({"queue", "state", "kind", "id_prefix", "order", "limit", "after"});
    list_options which(c.at.parameter("queue").value_or(""));
    if (const auto state = c.at.parameter("state"))
        which.state = parse_state(*state);
    which.kind = c.at.parameter("kind").value_or("");
    which.id_prefix = c.at.parameter("id_prefix").value_or("");
    which.newest_first = newest_first(c.at);
    which.limit = c.at.number("limit", 1, 1000).value_or(which.limit);
    which.after = static_cast<std::int64_t>(
        c.at.number("after", 0, std::numeric_limits<std::int64_t>::max()).value_or(0));
    job_queue queue = c.of.queue;
    const job_page page = co_await queue.list(std::move(which));
    json_writer w;
    w.begin_object().key("jobs").begin_array();
    for (const job_info& job : page.jobs)
        write_job_line(w, job);
    w.end_array();
    if (page.next == 0)
        w.key("next").text("null");
    else
        w.member("next", page.next);
    co_return make_answer(w.end_object().take());
}

asio::awaitable<answer> explain_job(call& c) {
    c.at.allow({});
    const job_id id = parse_id(c.names[0]);
    const auto why = c.of.queue.explain(id);
    if (!why)
        throw refusal{404, name_of(errc::not_found), "there is no such job", c.names[0]};
    json_writer w;
    w.begin_object()
        .member("id", id)
        .member("why", name_of(why->why))
        .member("text", why->text)
        .member("until", why->until)
        .member("holder", why->holder)
        .member("ahead", why->ahead)
        .end_object();
    co_return make_answer(w.take());
}

asio::awaitable<answer> cancel_job(call& c) {
    c.at.allow({});
    job_queue queue = c.of.queue;
    const job_state now = co_await queue.cancel(parse_id(c.names[0]));
    co_return state_now(now);
}

asio::awaitable<answer> retry_job(call& c) {
    c.at.allow({});
    job_queue queue = c.of.queue;
    const job_state now = co_await queue.retry(parse_id(c.names[0]));
    co_return state_now(now);
}

asio::awaitable<answer> remove_job(call& c) {
    c.at.allow({});
    const job_id id = parse_id(c.names[0]);
    job_queue queue = c.of.queue;
    co_await queue.remove(id);
    co_return make_answer("", 204);
}

} // namespace lifeguard::detail::web
