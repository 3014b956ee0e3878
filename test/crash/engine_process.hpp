#pragma once

#include "crash/answer_log.hpp"
#include <lifeguard/json.hpp>
#include <lifeguard/time_source.hpp>

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace lifeguard::test {

/// An engine in a process of its own, `engine_main.cpp`, which the test may kill. It never outlives
/// this object. Used by one thread.
class engine_process {
  public:
    /// Starts it with the engine's options as JSON. What is asked and answered goes to `log` too.
    explicit engine_process(const json& options, answer_log* log = nullptr, unsigned threads = 1);
    ~engine_process();
    engine_process(const engine_process&) = delete;
    engine_process& operator=(const engine_process&) = delete;

    pid_t pid() const noexcept { return pid_; }

    /// Until it can be spoken to. Throws when it cannot be.
    void wait_ready();

    /// Sends a request and returns its number. One that has ended hears nothing.
    std::uint64_t ask(json request);

    /// The next line that it says; nothing when it has said none for so long, or has ended.
    std::optional<json> next(duration wait);
    /// Whether it has ended, and all that it said has been read.
    bool is_silent() const noexcept { return silent_ && lines_.empty(); }

    /// The answer to a request. Other lines that come meanwhile are kept for `next`. Throws when it
    /// does not come.
    json answer(std::uint64_t n);
    json call(json request) { return answer(ask(std::move(request))); }

    void signal(int number) const;
    /// SIGKILL, and waits for its end. Returns the status, as of waitpid: it may have ended before.
    int kill();
    /// Waits until it has been stopped by SIGSTOP.
    void wait_stopped() const;
    /// Waits for its end and returns the status, as of waitpid. Throws when it does not end. Reads
    /// what it has said only then: who expects much reads that first.
    int wait_end();

  private:
    bool read_more(duration wait);

    answer_log* const log_;
    pid_t pid_ = -1;
    int to_ = -1;   ///< its stdin
    int from_ = -1; ///< its stdout
    std::uint64_t asked_ = 0;
    std::string partial_;
    std::deque<json> lines_;
    bool silent_ = false;
    std::optional<int> status_;
};

} // namespace lifeguard::test
