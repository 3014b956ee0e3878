#include "command/command_fixture.hpp"

#include <lifeguard/log.hpp>

#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace lifeguard::test {

namespace fs = std::filesystem;

namespace {

/// "state parent ..." of /proc/PID/stat; empty when there is no such process.
std::string state_of(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string text;
    std::getline(file, text);
    const auto end = text.rfind(')');
    return end == std::string::npos ? std::string() : text.substr(end + 2);
}

} // namespace

std::vector<pid_t> children() {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos)
            continue;
        std::istringstream state(state_of(name));
        char letter = 0;
        pid_t parent = 0;
        if (state >> letter >> parent && parent == ::getpid())
            found.push_back(std::stoi(name));
    }
    return found;
}

bool lives(pid_t pid) {
    const std::string state = state_of(std::to_string(pid));
    return !state.empty() && state.front() != 'Z' && state.front() != 'X';
}

std::size_t open_descriptors() {
    const fs::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

scratch::scratch() {
    std::string name = (fs::temp_directory_path() / "lifeguard-command-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw std::runtime_error("mkdtemp");
    directory_ = name;
}

scratch::~scratch() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

pid_t scratch::number_in(const std::string& name) const {
    pid_t found = 0;
    const bool there = eventually([&] {
        std::ifstream file(path(name));
        std::string line; // whole: the newline comes last
        if (!std::getline(file, line) || file.eof())
            return false;
        found = std::stoi(line);
        return true;
    });
    if (!there)
        throw std::runtime_error("nobody wrote " + name);
    return found;
}

command_engine::command_engine(unsigned threads, worker_pool_options pool)
    : io(static_cast<int>(threads)), app(io.get_executor(), options(std::move(pool))) {
    asio::co_spawn(io, app.run(), rethrow);
    for (unsigned i = 0; i < threads; ++i)
        threads_.emplace_back([this] { io.run(); });
}

engine_options command_engine::options(worker_pool_options pool) {
    engine_options o;
    pool.breaker.threshold = 1'000'000; // failures are what is tested here
    o.pools.push_back(std::move(pool));
    o.log = stderr_log(log_level::error);
    return o;
}

command_engine::~command_engine() {
    app.request_stop();
    for (std::thread& t : threads_)
        t.join();
}

void command_engine::bind(const std::string& kind, const std::string& script, command_options o) {
    if (o.argv.empty())
        o.argv = {"sh", "-c", script};
    app.handle_command(kind, std::move(o));
}

std::future<json> command_engine::begin(new_job job) {
    return asio::co_spawn(io, app.pool("default").execute(std::move(job)), asio::use_future);
}

outcome outcome_of(std::future<json>& f) {
    outcome o;
    try {
        o.result = f.get();
    } catch (const std::exception& e) {
        o.error = e.what();
    }
    return o;
}

outcome command_engine::run(const std::string& kind, const json& payload) {
    auto result = begin(new_job(kind, payload));
    return outcome_of(result);
}

job_id command_engine::submit(new_job job) {
    return asio::co_spawn(io, app.pool("default").submit(std::move(job)), asio::use_future).get();
}

void command_engine::stop() { asio::co_spawn(io, app.stop(), asio::use_future).get(); }

} // namespace lifeguard::test
