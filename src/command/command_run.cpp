#include "command/command_run.hpp"

#include "base/saturate.hpp"
#include "base/utf8.hpp"
#include <lifeguard/error.hpp>
#include <lifeguard/job.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace lifeguard::detail {
namespace {

/// What is kept of stderr.
constexpr std::size_t stderr_max = 4096;

/// EX_TEMPFAIL of sysexits.h.
constexpr int exit_try_again = 75;

std::string ms_text(duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

/// Fit for JSON and for a terminal: bytes that are not UTF-8 and control characters are replaced.
std::string readable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const auto first = static_cast<unsigned char>(text.front());
        if (length == 0 || (first < 0x20 && first != '\n' && first != '\t') || first == 0x7f)
            out += utf8_replacement;
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    while (out.ends_with('\n'))
        out.pop_back();
    return out;
}

} // namespace

command_run::command_run(asio::any_io_executor strand, std::shared_ptr<const command> what)
    : strand_(std::move(strand)), command_(std::move(what)) {}

void command_run::start(job_context& job) {
    const command_options& o = command_->options;
    process_image image;
    try {
        image.program = find_command(o);
    } catch (const error& e) {
        throw command_failed("cannot find " + e.detail(), -1, 0);
    }
    image.argv = o.argv;
    image.directory = o.directory;
    image.input = std::string(job.payload_text());
    image.environment = command_->environment;
    const auto say = [&](const char* name, std::string_view value) {
        image.environment.push_back(std::string(name) + "=" + std::string(value));
    };
    say("LIFEGUARD_JOB_ID", job.id().to_string());
    say("LIFEGUARD_KIND", job.kind());
    say("LIFEGUARD_QUEUE", job.queue());
    say("LIFEGUARD_ATTEMPT", std::to_string(job.attempt()));
    say("LIFEGUARD_TOKEN", std::to_string(job.delivery()));
    try {
        process_ = std::make_unique<child_process>(image);
        end_.emplace(strand_, process_->share_end().release());
        output_.pipe.emplace(strand_, process_->take_output().release());
        errors_.pipe.emplace(strand_, process_->take_errors().release());
    } catch (const std::runtime_error& e) {
        throw command_failed(e.what(), -1, 0);
    }
    listen(output_);
    listen(errors_);
    if (o.timeout > duration::zero())
        arm(o.timeout);
}

void command_run::listen(source& from) {
    from.pipe->async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this(), &from](const boost::system::error_code& e) {
                              if (!e && from.pipe && self->drain(from) != pipe_state::closed)
                                  self->listen(from);
                          });
}

command_run::pipe_state command_run::drain(source& from) {
    // Not for ever: a process that writes faster than we read must not keep the thread.
    constexpr int turns = 16;
    std::array<char, 16384> buffer{};
    for (int turn = 0; turn < turns; ++turn) {
        const ssize_t n = ::read(from.pipe->native_handle(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? pipe_state::empty : pipe_state::closed;
        if (n == 0)
            return pipe_state::closed;
        take(from, {buffer.data(), static_cast<std::size_t>(n)});
    }
    return pipe_state::open;
}

void command_run::take(source& from, std::string_view part) {
    if (&from == &errors_) {
        from.text += part;
        if (from.text.size() > stderr_max) {
            errors_dropped_ += from.text.size() - stderr_max;
            from.text.erase(0, from.text.size() - stderr_max);
        }
        return;
    }
    const std::size_t max = command_->options.output_max;
    if (part.size() > max - from.text.size()) {
        if (why_ended_.empty())
            why_ended_ = "wrote more than " + std::to_string(max) + " bytes to stdout";
        kill();
        return;
    }
    from.text += part;
}

void command_run::arm(duration wait) {
    const time_source& time = *command_->options.time;
    if (!alarm_)
        alarm_ = command_->options.time->make_alarm(strand_, [weak = weak_from_this()] {
            if (const auto self = weak.lock())
                self->timed_out();
        });
    alarm_->set(later(time.now(), wait));
}

void command_run::timed_out() {
    if (reached_ != step::running) {
        kill();
        return;
    }
    why_ended_ = "timed out after " + ms_text(command_->options.timeout);
    terminate();
}

void command_run::terminate() {
    if (reached_ != step::running)
        return;
    reached_ = step::asked;
    process_->signal_group(SIGTERM);
    arm(command_->options.kill_after);
}

void command_run::kill() {
    reached_ = step::killed;
    process_->signal_group(SIGKILL);
}

json command_run::finish() {
    alarm_.reset();
    const process_end how = process_->reap();
    // What it wrote is in the pipes. Who else has them open, and left the group, is not waited for.
    for (source* from : {&output_, &errors_}) {
        constexpr int turns = 16;
        for (int turn = 0; turn < turns && drain(*from) == pipe_state::open; ++turn) {
        }
        from->pipe.reset();
    }
    if (const std::string failed = how_it_failed(how); !failed.empty())
        fail(failed, how);
    if (output_.text.find_first_not_of(" \t\r\n") == std::string::npos)
        return nullptr;
    job_limits limits;
    limits.payload_max = output_.text.size();
    try {
        check_payload(output_.text, limits);
        return json::parse(output_.text);
    } catch (const error& e) {
        constexpr std::string_view subject = "payload";
        fail("its result on stdout" + e.detail().substr(subject.size()), how);
    }
}

/// Empty when it did not.
std::string command_run::how_it_failed(const process_end& how) const {
    if (!why_ended_.empty())
        return why_ended_;
    if (!how.known)
        return "nobody knows how it ended: this program ignores SIGCHLD, or waits for children "
               "that are not its own";
    if (how.signal != 0)
        return "was killed by signal " + std::to_string(how.signal) + " (" +
               ::sigdescr_np(how.signal) + ")" + (how.dumped ? ", core dumped" : "") +
               (reached_ != step::running ? ", having been told to stop" : "");
    if (how.status != 0)
        return "ended with exit status " + std::to_string(how.status);
    return {};
}

void command_run::fail(const std::string& how, const process_end& end) const {
    std::string text = command_->options.argv.front() + ": " + how;
    if (!errors_.text.empty())
        text +=
            "; stderr: " + std::string(errors_dropped_ != 0 ? "..." : "") + readable(errors_.text);
    if (end.status == exit_try_again && why_ended_.empty())
        throw retry_job(wall_time(), text);
    throw command_failed(text, end.status, end.signal);
}

// Its caller, the worker's lane, keeps the job alive and waits.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters)
asio::awaitable<json> run_command(std::shared_ptr<const command> what, job_context& job) {
    const command_slots::slot one = co_await command_slots::take(what->slots);
    const auto run = std::make_shared<command_run>(co_await asio::this_coro::executor, what);
    run->start(job);
    // From here on nothing throws: the process is waited for, whatever happens.
    co_await asio::this_coro::throw_if_cancelled(false);
    for (bool ended = false; !ended;) {
        const auto waited = co_await run->end().async_wait(
            asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
        ended = std::get<0>(waited) != asio::error::operation_aborted;
        const auto state = co_await asio::this_coro::cancellation_state;
        const asio::cancellation_type asked = state.cancelled();
        if (ended || asked == asio::cancellation_type::none)
            continue;
        if ((asked & asio::cancellation_type::terminal) != asio::cancellation_type::none) {
            run->kill();
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        } else {
            run->terminate();
            co_await asio::this_coro::reset_cancellation_state(
                asio::enable_terminal_cancellation());
        }
    }
    co_return run->finish();
}

} // namespace lifeguard::detail
