#pragma once

#include "file_tree.hpp"
#include "settings.hpp"
#include <lifeguard/lifeguard.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

/// How one job ended, as the queue tells it.
struct outcome {
    bool ok = false;
    std::string sha256;        ///< empty when it failed
    std::int64_t ctime_ns = 0; ///< of the file when it was read
    std::string why;           ///< it failed
    unsigned cut_off = 0;      ///< attempts that ended with their worker
};
/// By the path that the job names. More than one job for a file would be seen here.
using ledger = std::multimap<std::string, outcome>;

/// Submits a job per file, kills workers meanwhile when asked to, and collects what became of the
/// jobs.
class campaign {
  public:
    campaign(lifeguard::worker_pool pool, const settings& wanted, std::vector<std::string> files,
             seeded_tree& spare)
        : pool_(std::move(pool)),
          wanted_(wanted),
          files_(std::move(files)),
          spare_(spare),
          random_(wanted.seed) {}

    boost::asio::awaitable<void> run();

    /// The files that were to be done: those of the beginning and those it had to add.
    const std::vector<std::string>& files() const noexcept { return files_; }
    ledger& outcomes() noexcept { return outcomes_; }
    std::size_t cut_off() const noexcept { return cut_off_; }
    const lifeguard::pool_status& status() const noexcept { return status_; }

  private:
    boost::asio::awaitable<void> submit(std::string path);
    boost::asio::awaitable<void> collect(std::size_t leave);
    boost::asio::awaitable<void> kill_until(std::size_t kills);
    boost::asio::awaitable<void> kill_on_spare_files();
    void show_progress(bool last);

    lifeguard::worker_pool pool_;
    const settings& wanted_;
    std::vector<std::string> files_;
    seeded_tree& spare_;
    std::mt19937_64 random_;
    std::deque<lifeguard::job_id> in_flight_;
    ledger outcomes_;
    std::size_t killed_ = 0;
    std::size_t cut_off_ = 0;
    std::chrono::steady_clock::time_point shown_{};
    std::size_t shown_tenth_ = 0;
    lifeguard::pool_status status_;
};
