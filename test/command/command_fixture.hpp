#pragma once

#include <lifeguard/lifeguard.hpp>

#include <boost/asio/use_future.hpp>

#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace lifeguard::test {

/// The processes whose parent we are: those that run, and zombies.
std::vector<pid_t> children();
/// Whether there is such a process; a zombie is none.
bool lives(pid_t pid);
std::size_t open_descriptors();

/// Until `done`; fails after a minute.
template <typename F>
bool eventually(F done) {
    for (int i = 0; i < 6000; ++i) {
        if (done())
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

/// A directory that goes with it.
class scratch {
  public:
    scratch();
    ~scratch();
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    std::string path(const std::string& name) const { return (directory_ / name).string(); }
    /// The number that a file holds, once it does.
    pid_t number_in(const std::string& name) const;

  private:
    std::filesystem::path directory_;
};

/// What a job came to.
struct outcome {
    json result;
    std::string error; ///< empty: it was completed
};

/// An engine with real time, that threads of its own run.
class command_engine {
  public:
    explicit command_engine(unsigned threads = 1, worker_pool_options pool = {});
    ~command_engine();
    command_engine(const command_engine&) = delete;
    command_engine& operator=(const command_engine&) = delete;

    /// Binds a kind to a shell script, or to a program.
    void bind(const std::string& kind, const std::string& script, command_options o = {});

    outcome run(const std::string& kind, const json& payload = nullptr);
    std::future<json> begin(new_job job);
    job_id submit(new_job job);
    void stop();

    asio::io_context io;
    engine app;

  private:
    engine_options options(worker_pool_options pool);
    std::vector<std::thread> threads_;
};

outcome outcome_of(std::future<json>& f);

} // namespace lifeguard::test
