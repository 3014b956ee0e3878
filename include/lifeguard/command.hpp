#pragma once

#include <lifeguard/handler.hpp>
#include <lifeguard/time_source.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace lifeguard {

/// A program that handles the jobs of a kind, each in a process of its own. What crashes, leaks or
/// spins there harms nobody else. Validated by `command_handler`; the error names the field.
struct command_options {
    /// The program and its arguments; no shell reads them. A name without a slash is looked up in
    /// PATH, a relative one with a slash starts at `directory`.
    std::vector<std::string> argv;

    /// Added to this process's environment, as it was when the handler was made. Names that begin
    /// with LIFEGUARD_ are taken.
    std::map<std::string, std::string> env;

    /// Where it runs. Empty: where this process does.
    std::string directory;

    /// How long it may take, besides the timeout of the job or its pool. Zero: no limit of its own.
    duration timeout = duration::zero();

    /// How long it may live on after SIGTERM, before its whole process group gets SIGKILL. Defaults
    /// to 1 s. The pool's `cancel_grace` comes first when that is shorter.
    duration kill_after = std::chrono::seconds(1);

    /// So many at once, for this kind; other jobs of it wait with their worker, and their timeout
    /// runs. Zero: as many as the pools run.
    unsigned concurrency = 0;

    /// More bytes than that on stdout, and it is killed. Defaults to 1 MiB.
    std::size_t output_max = std::size_t{1} << 20;

    /// Empty: the engine's, or the machine's clocks.
    std::shared_ptr<time_source> time;
};

/// A command failed. The text says how, and ends with the last that it wrote to stderr.
class command_failed : public std::runtime_error {
  public:
    command_failed(const std::string& what, int with_status, int by_signal)
        : std::runtime_error(what), status(with_status), signal(by_signal) {}
    int status; ///< its exit status; -1 when it has none
    int signal; ///< what killed it; 0 when nothing did
};

/// A handler that runs a command: the payload is its stdin, a file that can be read again; the
/// environment says LIFEGUARD_JOB_ID, LIFEGUARD_KIND, LIFEGUARD_QUEUE, LIFEGUARD_ATTEMPT and
/// LIFEGUARD_TOKEN, which counts the deliveries of the job. What it writes to stdout is the result:
/// JSON, or nothing for null.
///
/// Exit status 75 (EX_TEMPFAIL) throws `retry_job`; any other but 0, a signal, a timeout of its
/// own, too much output and output that is no JSON throw `command_failed`. What is left of its
/// process group when it ends is killed.
/// Errors: `invalid_option`.
/// Cancellation: a request to stop sends SIGTERM to the process group, and SIGKILL when
/// `kill_after` has passed; terminal cancellation sends SIGKILL. In both cases the handler ends
/// when the process has ended.
/// Lifetime: a frame that is destroyed, with its context, kills and reaps its process. When this
/// process is killed, or the thread that ran the handler ends, the kernel kills the command; not
/// what the command has started.
/// No signal handler is installed. The program must not ignore SIGCHLD nor wait for children that
/// are not its own.
handler command_handler(command_options options);

/// The file that would be run. Errors: `not_found`, saying where it has been looked for.
std::string find_command(const command_options& options);

} // namespace lifeguard
