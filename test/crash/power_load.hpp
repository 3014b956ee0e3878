#pragma once

#include "crash/history.hpp"
#include <lifeguard/job_queue.hpp>

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace lifeguard::test {

namespace asio = boost::asio;

/// Clients of a queue that do anything to its jobs, and note in a history what they asked for and
/// what was answered. On one thread.
class power_load {
  public:
    struct options {
        std::size_t payload_max = 2000;
        bool tokens_are_new = true; ///< that a token was given out before is a fault
    };

    /// `failing`: whether the disk is one on which a change may fail, and if so whether it may be
    /// found all the same.
    enum class disk { sound, failing, cut };
    power_load(job_queue queue, history& past, std::mt19937& random, options how,
               std::function<disk()> state);

    /// One client, that asks for `calls` changes, one after the other. Ends when the power is cut.
    asio::awaitable<void> client(int calls);

    /// Tries the tokens that jobs were given out under before: none may be good any more.
    asio::awaitable<void> try_old_tokens(std::size_t count);

    const std::vector<std::string>& faults() const noexcept { return faults_; }
    std::size_t answers() const noexcept { return answers_; }
    std::size_t completed() const noexcept { return completed_; }
    std::size_t failures() const noexcept { return failures_; }

  private:
    asio::awaitable<void> push();
    asio::awaitable<void> take();
    asio::awaitable<void> finish(taken_job t);
    asio::awaitable<void> remove();
    /// Asks for a change that makes the job look like `portrait`, and notes the answer.
    asio::awaitable<bool> ask(job_id id, std::string portrait, asio::awaitable<void> change);
    std::string errors_of(const job_id& id, const std::string& more = std::string()) const;
    std::size_t below(std::size_t n);

    job_queue queue_;
    history& past_;
    std::mt19937& random_;
    const options options_;
    const std::function<disk()> disk_;
    std::vector<taken_job> leases_;
    std::vector<job_id> known_;
    std::set<job_id> removing_;
    std::vector<std::string> faults_;
    std::size_t answers_ = 0;
    std::size_t completed_ = 0;
    std::size_t failures_ = 0;
    int serial_ = 0;
};

} // namespace lifeguard::test
