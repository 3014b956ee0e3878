#include "cli/demo_kinds.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace lifeguard::cli {
namespace {

asio::awaitable<void> wait(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

std::chrono::milliseconds ms_of(job_context& job) {
    return std::chrono::milliseconds(job.payload().at("ms").get<int>());
}

asio::awaitable<json> noop(job_context&) { co_return nullptr; }

asio::awaitable<json> echo(job_context& job) { co_return job.payload(); }

asio::awaitable<json> sleep_for(job_context& job) {
    co_await wait(ms_of(job));
    co_return nullptr;
}

asio::awaitable<json> fail(job_context&) {
    throw std::runtime_error("told to fail");
    co_return nullptr;
}

asio::awaitable<json> tutorial(job_context& job) {
    const std::string what = job.payload().at("action");
    if (what == "fail")
        throw std::runtime_error("simulated_failure");
    if (what != "noop")
        co_await wait(std::chrono::milliseconds(100));
    co_return what;
}

asio::awaitable<json> spin(job_context& job) {
    std::this_thread::sleep_for(ms_of(job));
    co_return nullptr;
}

asio::awaitable<json> deaf(job_context& job) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await wait(ms_of(job));
    co_return nullptr;
}

asio::awaitable<json> kill_process(job_context&) { std::abort(); }

void needs_ms(const json& payload) {
    if (!payload.is_object() || !payload.contains("ms") || !payload["ms"].is_number_unsigned())
        throw std::invalid_argument(R"(the payload must be {"ms": milliseconds})");
}

void needs_action(const json& payload) {
    if (!payload.is_object() || !payload.contains("action") || !payload["action"].is_string())
        throw std::invalid_argument(R"(the payload must be {"action": text})");
}

} // namespace

void register_demo_kinds(engine& e) {
    e.handle("noop", noop);
    e.handle("echo", echo);
    e.handle("sleep", sleep_for);
    e.handle("fail", fail);
    e.handle("tutorial", tutorial);
    e.handle("spin", spin);
    e.handle("deaf", deaf);
    e.handle("abort", kill_process);
    for (const char* kind : {"sleep", "spin", "deaf"})
        e.validate(kind, needs_ms);
    e.validate("tutorial", needs_action);
}

} // namespace lifeguard::cli
