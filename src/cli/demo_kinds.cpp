#include "cli/demo_kinds.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace lifeguard::cli {
namespace {

/// Names the file that `journal` writes to; without it there is no such kind.
constexpr const char* journal_variable = "LIFEGUARD_DEMO_JOURNAL";

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

/// A file that several processes append to, a line in one write.
class shared_journal {
  public:
    explicit shared_journal(const char* path)
        : file_(::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)) {
        if (file_ < 0)
            throw std::system_error(errno, std::generic_category(), path);
    }
    ~shared_journal() { ::close(file_); }
    shared_journal(const shared_journal&) = delete;
    shared_journal& operator=(const shared_journal&) = delete;

    void add(const std::string& line) const {
        if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            throw std::system_error(errno, std::generic_category(), journal_variable);
    }

  private:
    const int file_;
};

/// Each run leaves a line before it does anything else, so that a process that is killed has left
/// it, too: the job, its attempt, the process, Unix time in ms.
asio::awaitable<json> log_run(std::shared_ptr<const shared_journal> to, job_context& job) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    to->add(job.id().to_string() + " " + std::to_string(job.attempt()) + " " +
            std::to_string(::getpid()) + " " + std::to_string(now.count()) + "\n");
    co_await wait(ms_of(job));
    co_return nullptr;
}

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
    if (const char* const path = std::getenv(journal_variable)) {
        e.handle("journal", [to = std::make_shared<const shared_journal>(path)](job_context& job) {
            return log_run(to, job);
        });
        e.validate("journal", needs_ms);
    }
}

} // namespace lifeguard::cli
