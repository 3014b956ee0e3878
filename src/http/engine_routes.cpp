// Queues, pools, workers, the tree: what the engine is made of, and how it does.

#include "base/option_members.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/bodies.hpp"
#include "http/job_json.hpp"
#include <lifeguard/metrics.hpp>
#include <lifeguard/version.hpp>

namespace lifeguard::detail::web {
namespace {

void write_pool(json_writer& w, const pool_status& s) {
    w.begin_object()
        .member("name", s.name)
        .member("running", s.running)
        .member("size", s.size)
        .member("max_overflow", s.max_overflow)
        .member("workers", s.workers)
        .member("idle", s.idle)
        .member("busy", s.busy)
        .member("overflow", s.overflow)
        .member("breakers_open", s.breakers_open)
        .member("available", s.available)
        .member("executing", s.executing)
        .member("callers_waiting", s.callers_waiting)
        .member("exhausted_total", s.exhausted_total)
        .member("restarts_total", s.restarts_total)
        .member("killed_total", s.killed_total)
        .member("timeouts_total", s.timeouts_total)
        .member("breakers_opened_total", s.breakers_opened_total)
        .member("breakers_closed_total", s.breakers_closed_total)
        .member("stuck_total", s.stuck_total)
        .member("lanes_abandoned", s.lanes_abandoned)
        .end_object();
}

/// One word for what it does.
std::string_view state_of(const worker_status& s) {
    if (!s.alive)
        return "restarting";
    if (s.busy != 0)
        return "busy";
    return s.breaker == breaker_state::open || s.breaker == breaker_state::forced_open
               ? "breaker_open"
               : "idle";
}

void write_worker(json_writer& w, const worker_status& s, const std::string& pool) {
    w.begin_object()
        .member("id", s.id)
        .member("pool", pool)
        .member("alive", s.alive)
        .member("state", state_of(s))
        .member("overflow", s.overflow)
        .member("breaker", name_of(s.breaker))
        .member("busy", s.busy)
        .member("assigned", s.assigned)
        .member("incarnation", s.incarnation)
        .member("restarts", s.restarts)
        .member("pulled", s.pulled)
        .member("processed", s.processed)
        .member("failed", s.failed)
        .member("breaker_opened", s.breaker_opened)
        .member("last_error", s.last_error.empty() ? std::optional<std::string>() : s.last_error)
        .member("last_error_at", s.last_error_at);
    w.key("jobs").begin_array();
    for (const job_id& id : s.jobs)
        w.value(id);
    w.end_array().end_object();
}

} // namespace

asio::awaitable<answer> list_queues(call& c) {
    c.at.allow({});
    json_writer w;
    w.begin_object().key("queues").begin_array();
    for (const std::string& name : c.of.queue.queues())
        write_queue(w, name, c.of.queue.counts(name), c.of.queue.status(name));
    w.end_array().end_object();
    co_return make_answer(w.take());
}

asio::awaitable<answer> get_queue(call& c) {
    c.at.allow({});
    json_writer w;
    const std::string& name = c.names[0];
    write_queue(w, name, c.of.queue.counts(name), c.of.queue.status(name));
    co_return make_answer(w.take());
}

asio::awaitable<answer> pause_queue(call& c) {
    c.at.allow({});
    const json body = parse_body(c.asked);
    duration length = duration::zero();
    option_members m(body, "");
    m.milliseconds("for_ms", length);
    m.done();
    job_queue queue = c.of.queue;
    co_await queue.pause(c.names[0], length);
    co_return make_answer("", 204);
}

asio::awaitable<answer> resume_queue(call& c) {
    c.at.allow({});
    job_queue queue = c.of.queue;
    co_await queue.resume(c.names[0]);
    co_return make_answer("", 204);
}

asio::awaitable<answer> kick_queue(call& c) {
    c.at.allow({});
    const json body = parse_body(c.asked);
    std::size_t jobs_max = 1;
    option_members m(body, "");
    m.whole("jobs_max", jobs_max);
    m.done();
    job_queue queue = c.of.queue;
    const std::size_t kicked = co_await queue.kick(c.names[0], jobs_max);
    json_writer w;
    w.begin_object().member("kicked", kicked).end_object();
    co_return make_answer(w.take());
}

asio::awaitable<answer> set_draining(call& c) {
    c.at.allow({});
    const json body = parse_body(c.asked);
    bool on = true;
    option_members m(body, "");
    m.flag("draining", on);
    m.done();
    job_queue queue = c.of.queue;
    queue.set_draining(on);
    co_return make_answer("", 204);
}

asio::awaitable<answer> list_pools(call& c) {
    c.at.allow({});
    json_writer w;
    w.begin_object().key("pools").begin_array();
    for (const std::string& name : c.of.served.pools())
        write_pool(w, c.of.served.pool(name).status());
    w.end_array().end_object();
    co_return make_answer(w.take());
}

asio::awaitable<answer> get_pool(call& c) {
    c.at.allow({});
    json_writer w;
    write_pool(w, c.of.served.pool(c.names[0]).status());
    co_return make_answer(w.take());
}

asio::awaitable<answer> resize_pool(call& c) {
    c.at.allow({});
    const json body = parse_body(c.asked);
    unsigned size = 0;
    option_members m(body, "");
    m.whole("size", size);
    m.done();
    worker_pool pool = c.of.served.pool(c.names[0]);
    pool.resize(size);
    co_return make_answer("", 204);
}

asio::awaitable<answer> list_workers(call& c) {
    c.at.allow({"pool"});
    const auto only = c.at.parameter("pool");
    json_writer w;
    w.begin_object().key("workers").begin_array();
    for (const std::string& name : only ? std::vector{*only} : c.of.served.pools())
        for (const worker_status& s : c.of.served.pool(name).workers())
            write_worker(w, s, name);
    w.end_array().end_object();
    co_return make_answer(w.take());
}

asio::awaitable<answer> get_worker(call& c) {
    c.at.allow({});
    json_writer w;
    write_worker(w, c.of.served.pool(c.names[0]).worker(c.names[0] + "/" + c.names[1]), c.names[0]);
    co_return make_answer(w.take());
}

asio::awaitable<answer> kill_worker(call& c) {
    c.at.allow({});
    worker_pool pool = c.of.served.pool(c.names[0]);
    co_await pool.kill(c.names[0] + "/" + c.names[1]);
    co_return make_answer("", 204);
}

asio::awaitable<answer> get_metrics(call& c) {
    answer a = make_answer(c.of.served.metrics());
    a.content_type = metrics_registry::content_type;
    co_return a;
}

asio::awaitable<answer> get_health(call&) { co_return make_answer(R"({"status":"live"})"); }

asio::awaitable<answer> get_readiness(call& c) {
    if (c.of.served.stopping())
        throw refusal{503, "not_ready", "the engine stops"};
    for (const std::string& name : c.of.served.pools())
        if (!c.of.served.pool(name).status().running)
            throw refusal{503, "not_ready", "pool '" + name + "' does not run", name};
    if (c.of.queue.status("default").draining)
        throw refusal{503, name_of(errc::draining), "new jobs are refused"};
    co_return make_answer(R"({"status":"ready"})");
}

asio::awaitable<answer> get_version(call& c) {
    c.at.allow({});
    json_writer w;
    w.begin_object().member("version", version()).end_object();
    co_return make_answer(w.take());
}

} // namespace lifeguard::detail::web
