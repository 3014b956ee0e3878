#pragma once

#include "command/descriptor.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace lifeguard::detail {

/// What a process is made of.
struct process_image {
    std::string program; ///< a path
    std::vector<std::string> argv;
    std::vector<std::string> environment; ///< "NAME=value"
    std::string directory;                ///< empty: this process's
    std::string input;                    ///< its stdin
};

/// How a process ended.
struct process_end {
    int status = -1; ///< its exit status, unless a signal killed it
    int signal = 0;
    bool dumped = false; ///< core
    bool known = false;  ///< somebody else may have waited for it
};

/// A process in a group of its own, with pipes from its stdout and stderr.
///
/// One that is destroyed before it has been reaped is killed, with its group, and reaped. Used by
/// one thread at a time.
class child_process {
  public:
    /// Starts it. The calling thread waits until the program has been loaded, no longer. Throws
    /// std::runtime_error naming what the system refused.
    explicit child_process(const process_image& image);
    ~child_process();
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;

    /// The caller's from now on. The pipes do not block; the third is readable, and stays so, once
    /// the process has ended.
    descriptor take_output() noexcept { return std::move(output_); }
    descriptor take_errors() noexcept { return std::move(errors_); }
    descriptor share_end() const;

    /// Sends a signal to the group. Nothing happens once it has been reaped.
    void signal_group(int number) noexcept;

    /// After it has ended: kills what is left of its group and forgets the process.
    process_end reap() noexcept;

  private:
    descriptor output_;
    descriptor errors_;
    descriptor end_; // the pidfd
    pid_t pid_ = -1; // -1: reaped
};

} // namespace lifeguard::detail
