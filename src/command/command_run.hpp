#pragma once

#include "command/child_process.hpp"
#include "command/command.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lifeguard::detail {

/// One process of a command, from its start to its result. Used on one strand. What it has asked
/// Asio for keeps it alive; the coroutine that waits for it is not known to it.
class command_run final : public std::enable_shared_from_this<command_run> {
  public:
    command_run(asio::any_io_executor strand, std::shared_ptr<const command> what);

    /// Starts the process. Throws `command_failed`.
    void start(job_context& job);

    /// Readable once the process has ended.
    asio::posix::stream_descriptor& end() noexcept { return *end_; }

    /// Asks the group to stop, and kills it when it has not stopped in time.
    void terminate();
    void kill();

    /// After the end: reaps the process and returns the result or throws what the job's end is.
    json finish();

  private:
    /// A pipe from the process.
    struct source {
        std::optional<asio::posix::stream_descriptor> pipe;
        std::string text;
    };

    void listen(source& from);
    enum class pipe_state { open, empty, closed };
    /// Takes what is there.
    pipe_state drain(source& from);
    void take(source& from, std::string_view part);
    void timed_out();
    void arm(duration wait);
    std::string how_it_failed(const process_end& how) const;
    [[noreturn]] void fail(const std::string& how, const process_end& end) const;

    const asio::any_io_executor strand_;
    const std::shared_ptr<const command> command_;
    std::unique_ptr<child_process> process_;
    std::unique_ptr<alarm> alarm_;
    std::optional<asio::posix::stream_descriptor> end_;
    source output_;
    source errors_;
    std::size_t errors_dropped_ = 0;
    std::string why_ended_; // by us; empty: it ended by itself
    enum class step { running, asked, killed } reached_ = step::running;
};

} // namespace lifeguard::detail
