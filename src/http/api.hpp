#pragma once

#include "base/deadline_service.hpp"
#include "http/access.hpp"
#include "http/router.hpp"
#include "http/telemetry.hpp"
#include <lifeguard/engine.hpp>

namespace lifeguard::detail::web {

/// What the routes act on.
struct api {
    api(engine e, access_rules who, hub_limits limits = hub_limits());

    engine served;
    job_queue queue;
    std::shared_ptr<time_source> time;
    std::shared_ptr<deadline_service> deadlines;
    access_rules access;
    std::shared_ptr<telemetry> watch;
};

/// How long a request may wait for a result or for jobs.
inline constexpr duration wait_max = std::chrono::seconds(60);

// --- routes, by what they are about

asio::awaitable<answer> submit_jobs(call& c);
asio::awaitable<answer> get_job(call& c);
asio::awaitable<answer> list_jobs(call& c);
asio::awaitable<answer> explain_job(call& c);
asio::awaitable<answer> cancel_job(call& c);
asio::awaitable<answer> retry_job(call& c);
asio::awaitable<answer> remove_job(call& c);
asio::awaitable<answer> remove_jobs(call& c);
asio::awaitable<answer> retry_jobs(call& c);
asio::awaitable<answer> cancel_jobs(call& c);

asio::awaitable<answer> take_jobs(call& c);
asio::awaitable<answer> finish_job(call& c);
asio::awaitable<answer> extend_job(call& c);
asio::awaitable<answer> report_progress(call& c);

asio::awaitable<answer> list_queues(call& c);
asio::awaitable<answer> get_queue(call& c);
asio::awaitable<answer> pause_queue(call& c);
asio::awaitable<answer> resume_queue(call& c);
asio::awaitable<answer> kick_queue(call& c);
asio::awaitable<answer> set_draining(call& c);
asio::awaitable<answer> list_pools(call& c);
asio::awaitable<answer> get_pool(call& c);
asio::awaitable<answer> resize_pool(call& c);
asio::awaitable<answer> list_workers(call& c);
asio::awaitable<answer> get_worker(call& c);
asio::awaitable<answer> kill_worker(call& c);
asio::awaitable<answer> get_tree(call& c);
asio::awaitable<answer> restart_child(call& c);
asio::awaitable<answer> kill_child(call& c);
asio::awaitable<answer> list_breakers(call& c);
asio::awaitable<answer> control_breaker(call& c);

asio::awaitable<answer> get_events(call& c);
asio::awaitable<answer> get_history(call& c);

asio::awaitable<answer> get_page(call& c);
asio::awaitable<answer> get_page_settings(call& c);
asio::awaitable<answer> get_page_file(call& c);

asio::awaitable<answer> get_metrics(call& c);
asio::awaitable<answer> get_health(call& c);
asio::awaitable<answer> get_readiness(call& c);
asio::awaitable<answer> get_version(call& c);
asio::awaitable<answer> get_openapi(call& c);

} // namespace lifeguard::detail::web
