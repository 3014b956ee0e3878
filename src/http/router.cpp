#include "http/router.hpp"

#include "http/answers.hpp"
#include "http/api.hpp"
#include "queue/queue_core.hpp"

#include <algorithm>
#include <array>

namespace lifeguard::detail::web {
namespace {

constexpr auto table = std::to_array<route>({
    {"POST", "/v1/jobs", submit_jobs},
    {"GET", "/v1/jobs", list_jobs},
    {"DELETE", "/v1/jobs", remove_jobs},
    {"POST", "/v1/jobs/retry", retry_jobs},
    {"POST", "/v1/jobs/cancel", cancel_jobs},
    {"GET", "/v1/jobs/{id}", get_job},
    {"GET", "/v1/jobs/{id}/explain", explain_job},
    {"POST", "/v1/jobs/{id}/cancel", cancel_job},
    {"POST", "/v1/jobs/{id}/retry", retry_job},
    {"DELETE", "/v1/jobs/{id}", remove_job},
    {"POST", "/v1/take", take_jobs},
    {"POST", "/v1/jobs/{id}/finish", finish_job},
    {"POST", "/v1/jobs/{id}/extend", extend_job},
    {"POST", "/v1/jobs/{id}/progress", report_progress},
    {"GET", "/v1/queues", list_queues},
    {"GET", "/v1/queues/{queue}", get_queue},
    {"POST", "/v1/queues/{queue}/pause", pause_queue},
    {"POST", "/v1/queues/{queue}/resume", resume_queue},
    {"POST", "/v1/queues/{queue}/kick", kick_queue},
    {"POST", "/v1/drain", set_draining},
    {"GET", "/v1/pools", list_pools},
    {"GET", "/v1/pools/{pool}", get_pool},
    {"POST", "/v1/pools/{pool}/resize", resize_pool},
    {"GET", "/v1/workers", list_workers},
    {"GET", "/v1/workers/{pool}/{number}", get_worker},
    {"POST", "/v1/workers/{pool}/{number}/kill", kill_worker},
    {"GET", "/v1/tree", get_tree},
    {"POST", "/v1/tree/restart", restart_child},
    {"POST", "/v1/tree/kill", kill_child},
    {"GET", "/v1/breakers", list_breakers},
    {"POST", "/v1/breakers/{id}/{command}", control_breaker},
    {"GET", "/v1/events", get_events},
    {"GET", "/v1/history", get_history},
    {"GET", "/v1/version", get_version},
    {"GET", "/v1/openapi.json", get_openapi},
    {"GET", "/", get_page, true},
    {"GET", "/dashboard/settings.json", get_page_settings, true},
    {"GET", "/dashboard/{file}", get_page_file, true},
    {"GET", "/metrics", get_metrics},
    {"GET", "/healthz", get_health, true},
    {"GET", "/readyz", get_readiness, true},
});

/// Whether a path is one of the pattern's, and what stands for its {names}.
bool matches(std::string_view pattern, const std::vector<std::string>& segments,
             std::vector<std::string>& names) {
    names.clear();
    std::size_t i = 0;
    while (!pattern.empty()) {
        pattern.remove_prefix(1); // the slash
        const std::string_view piece = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(piece.size());
        if (i == segments.size())
            return false;
        const std::string& segment = segments[i++];
        if (piece.starts_with('{') && !segment.empty())
            names.push_back(segment);
        else if (piece != segment)
            return false;
    }
    return i == segments.size();
}

} // namespace

std::span<const route> routes() { return table; }

const route& find_route(std::string_view method, const target& at,
                        std::vector<std::string>& names) {
    std::string others;
    for (const route& r : table) {
        if (!matches(r.pattern, at.segments(), names))
            continue;
        if (r.method == method || (method == "HEAD" && r.method == "GET"))
            return r;
        others += (others.empty() ? "" : ", ") + std::string(r.method);
        if (r.method == "GET")
            others += ", HEAD";
    }
    if (others.empty())
        throw refusal{404, name_of(errc::not_found), "there is nothing at this path"};
    throw refusal{405, "method_not_allowed", "the path allows " + others, others};
}

asio::awaitable<answer> respond(const api& a, request& r) {
    const time_point since = a.time->now();
    std::exception_ptr failed;
    const route* found = nullptr;
    std::optional<answer> made;
    try {
        const target at(r.target);
        call c{a, r, at, std::vector<std::string>()};
        try {
            found = &find_route(r.method, at, c.names);
        } catch (const refusal&) { // not before it is known who asks
            failed = std::current_exception();
        }
        made = refused(a.access, r, found != nullptr && found->open);
        if (!made && found != nullptr)
            made = co_await found->run(c);
    } catch (...) {
        failed = std::current_exception();
    }
    if (!made)
        made = to_answer(failed);
    a.watch->metrics.answered(found, made->status, a.time->now() - since);
    co_return std::move(*made);
}

api::api(engine e, access_rules who, hub_limits limits)
    : served(std::move(e)),
      queue(served.queue()),
      time(queue.core()->shared().time),
      deadlines(queue.core()->shared().deadlines),
      access(std::move(who)),
      watch(std::make_shared<telemetry>(served, limits)) {}

} // namespace lifeguard::detail::web
