#include "crash/engine_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace lifeguard::test {
namespace {

using namespace std::chrono_literals;

constexpr duration patience = 60s; // on a machine that does ten other things

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// Whether there is something to read, or the end.
bool readable(int descriptor, duration wait) {
    pollfd p{descriptor, POLLIN, 0};
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(wait).count();
    const int n = ::poll(&p, 1, static_cast<int>(ms));
    if (n < 0 && errno != EINTR)
        fail("poll");
    return n > 0;
}

} // namespace

engine_process::engine_process(const json& options, answer_log* log, unsigned threads) : log_(log) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    // A socket, because writing to one whose reader is gone can be told to raise no signal.
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in.data()) != 0 ||
        ::pipe2(out.data(), O_CLOEXEC) != 0)
        fail("pipe");
    const std::string text = options.dump();
    const std::string count = std::to_string(threads);
    pid_ = ::fork();
    if (pid_ < 0)
        fail("fork");
    if (pid_ == 0) {
        ::dup2(in[1], STDIN_FILENO);
        ::dup2(out[1], STDOUT_FILENO);
        ::execl(LIFEGUARD_CRASH_ENGINE, "crash_engine", text.c_str(), count.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(in[1]);
    ::close(out[1]);
    to_ = in[0];
    from_ = out[0];
    if (log_ != nullptr)
        log_->happened("started");
}

engine_process::~engine_process() {
    if (!status_) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(to_);
    ::close(from_);
}

void engine_process::wait_ready() {
    const auto said = next(patience);
    if (!said || !said->contains("ready"))
        throw std::runtime_error("the engine does not start: " + (said ? said->dump() : ""));
}

std::uint64_t engine_process::ask(json request) {
    request["n"] = ++asked_;
    const std::string line = request.dump() + "\n";
    if (log_ != nullptr)
        log_->asked(request); // synced with the next answers: nobody goes by it before
    for (std::size_t sent = 0; sent < line.size();) {
        const ssize_t n = ::send(to_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            break;
        if (n < 0 && errno != EINTR)
            fail("send");
        sent += n < 0 ? 0 : static_cast<std::size_t>(n);
    }
    return asked_;
}

bool engine_process::read_more(duration wait) {
    if (silent_ || !readable(from_, wait))
        return false;
    std::array<char, 65536> buffer{};
    const ssize_t n = ::read(from_, buffer.data(), buffer.size());
    if (n < 0)
        fail("read");
    silent_ = n == 0; // a line that was cut short was not an answer
    partial_.append(buffer.data(), static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (auto end = partial_.find('\n'); end != std::string::npos;
         begin = end + 1, end = partial_.find('\n', begin)) {
        const std::string line = partial_.substr(begin, end - begin);
        if (log_ != nullptr)
            log_->answered(line);
        lines_.push_back(json::parse(line));
    }
    partial_.erase(0, begin);
    if (log_ != nullptr)
        log_->sync();
    return true;
}

std::optional<json> engine_process::next(duration wait) {
    const auto time = real_time_source();
    const time_point end = time->now() + wait;
    while (lines_.empty() && !silent_) {
        const duration left = end - time->now();
        if (!read_more(std::max(left, duration::zero())) && left <= duration::zero())
            break;
    }
    if (lines_.empty())
        return std::nullopt;
    json first = std::move(lines_.front());
    lines_.pop_front();
    return first;
}

json engine_process::answer(std::uint64_t n) {
    const auto time = real_time_source();
    const time_point end = time->now() + patience;
    for (std::size_t seen = 0;;) {
        for (; seen < lines_.size(); ++seen)
            if (lines_[seen].value("n", std::uint64_t{0}) == n) {
                json found = std::move(lines_[seen]);
                lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(seen));
                return found;
            }
        if (!read_more(100ms) && (silent_ || time->now() > end))
            throw std::runtime_error("no answer to request " + std::to_string(n));
    }
}

void engine_process::signal(int number) const {
    if (!status_ && ::kill(pid_, number) != 0)
        fail("kill");
}

int engine_process::kill() {
    signal(SIGKILL);
    return wait_end();
}

void engine_process::wait_stopped() const {
    int status = 0;
    if (::waitpid(pid_, &status, WUNTRACED) != pid_ || !WIFSTOPPED(status))
        throw std::runtime_error("the engine has not been stopped");
}

int engine_process::wait_end() {
    if (status_)
        return *status_;
    // A descriptor that is readable once the process has ended: waitpid knows no deadline.
    const int ended = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (ended < 0)
        fail("pidfd_open");
    const bool in_time = readable(ended, patience);
    ::close(ended);
    if (!in_time)
        throw std::runtime_error("the engine does not end");
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_)
        fail("waitpid");
    status_ = status;
    while (!silent_) // what it has said before
        read_more(patience);
    if (log_ != nullptr) {
        log_->happened(WIFSIGNALED(status) ? "killed" : "ended");
        log_->sync();
    }
    return status;
}

} // namespace lifeguard::test
