#include "command/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <system_error>

namespace lifeguard::detail {
namespace {

[[noreturn]] void fail(const std::string& what, int number = errno) {
    throw std::runtime_error(what + ": " + std::generic_category().message(number));
}

/// The same file under a number that is none of a child's first three.
descriptor above_stdio(descriptor given) {
    if (given.get() > STDERR_FILENO)
        return given;
    descriptor higher(::fcntl(given.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (higher.get() < 0)
        fail("fcntl");
    return higher;
}

struct pipe_ends {
    descriptor read;
    descriptor write;
};

pipe_ends make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        fail("pipe");
    pipe_ends made{descriptor(ends[0]), descriptor(ends[1])};
    made.write = above_stdio(std::move(made.write));
    return made;
}

/// Never a descriptor that blocks: what is read from it is not waited for.
pipe_ends make_output_pipe() {
    pipe_ends made = make_pipe();
    if (::fcntl(made.read.get(), F_SETFL, O_NONBLOCK) != 0)
        fail("fcntl");
    return made;
}

/// A file in memory, so that nobody has to write to a process that does not read.
descriptor file_of(const std::string& text) {
    descriptor file(::memfd_create("lifeguard-payload", MFD_CLOEXEC));
    if (file.get() < 0)
        fail("memfd_create");
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t n =
            ::pwrite(file.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
        if (n < 0 && errno != EINTR)
            fail("writing the payload");
        done += n < 0 ? 0 : static_cast<std::size_t>(n);
    }
    return above_stdio(std::move(file));
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (const std::string& t : texts)
        all.push_back(const_cast<char*>(t.c_str())); // NOLINT: as execve wants it
    all.push_back(nullptr);
    return all;
}

/// What the child needs, made before there is a child: it shares our memory until it has become the
/// program, and must not allocate.
struct plan {
    const char* program;
    char* const* argv;
    char* const* environment;
    const char* directory; ///< null: stays where it is
    int input;
    int output;
    int errors;
    int report; ///< where it says why it could not
    pid_t parent;
};

enum class step : std::int32_t { none, orphaned, redirect, directory, run };

struct report {
    step failed = step::none;
    std::int32_t number = 0;
};

[[noreturn]] void give_up(const plan& p, step at) noexcept {
    const report said{at, errno};
    if (::write(p.report, &said, sizeof said) != static_cast<ssize_t>(sizeof said))
        ::_exit(126); // the reader takes silence for success, and then learns of this
    ::_exit(127);
}

/// In the child. System calls only.
[[noreturn]] void become(const plan& p) noexcept {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != p.parent) // killed before that was said
        give_up(p, step::orphaned);
    if (::dup2(p.input, STDIN_FILENO) < 0 || ::dup2(p.output, STDOUT_FILENO) < 0 ||
        ::dup2(p.errors, STDERR_FILENO) < 0)
        give_up(p, step::redirect);
    if (p.directory != nullptr && ::chdir(p.directory) != 0)
        give_up(p, step::directory);
    // Before signals are let in: a handler of ours would run in memory that we share.
    struct sigaction usual{};
    usual.sa_handler = SIG_DFL; // NOLINT(cppcoreguidelines-pro-type-union-access)
    for (int number = 1; number < NSIG; ++number)
        ::sigaction(number, &usual, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    // Descriptors that the program around us has left open to children. Old kernels cannot.
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execve(p.program, p.argv, p.environment);
    give_up(p, step::run);
}

/// No signal handler runs in this thread meanwhile.
class signals_blocked {
  public:
    signals_blocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

  private:
    sigset_t before_{};
};

/// posix_spawn cannot ask the kernel to kill the child with us; fork copies the page tables of a
/// program that may be large, and vfork does not.
pid_t start(const plan& p) noexcept {
    const signals_blocked quiet;
    const pid_t pid = ::vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): see above
    if (pid == 0)
        become(p);
    return pid;
}

std::string text_of(const report& r, const process_image& image) {
    const std::string why = std::generic_category().message(r.number);
    switch (r.failed) {
    case step::directory:
        return "cannot change to the directory '" + image.directory + "': " + why;
    case step::run:
        return "cannot run '" + image.program + "': " + why;
    case step::redirect:
        return "cannot redirect the output of '" + image.program + "': " + why;
    case step::orphaned:
    case step::none:
        break;
    }
    return "cannot start '" + image.program + "'";
}

} // namespace

child_process::child_process(const process_image& image) {
    const descriptor input = file_of(image.input);
    pipe_ends output = make_output_pipe();
    pipe_ends errors = make_output_pipe();
    pipe_ends said = make_pipe();
    const std::vector<char*> argv = pointers_to(image.argv);
    const std::vector<char*> environment = pointers_to(image.environment);
    const char* const directory = image.directory.empty() ? nullptr : image.directory.c_str();
    const plan p{
        image.program.c_str(), argv.data(),        environment.data(), directory, input.get(),
        output.write.get(),    errors.write.get(), said.write.get(),   ::getpid()};
    pid_ = start(p);
    if (pid_ < 0)
        fail("cannot make a process");
    said.write = descriptor();
    // Nobody but the child has the other end, and it has closed it: by running the program, or
    // by ending.
    report r;
    ssize_t n = 0;
    do
        n = ::read(said.read.get(), &r, sizeof r);
    while (n < 0 && errno == EINTR);
    end_ = descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    const int refused = errno;
    if (n == static_cast<ssize_t>(sizeof r)) {
        reap();
        throw std::runtime_error(text_of(r, image));
    }
    if (end_.get() < 0) {
        signal_group(SIGKILL);
        reap();
        fail("pidfd_open", refused);
    }
    output_ = std::move(output.read);
    errors_ = std::move(errors.read);
}

child_process::~child_process() {
    if (pid_ < 0)
        return;
    signal_group(SIGKILL);
    // The loop is gone, or the coroutine would have waited. What the kernel does not let go of,
    // such as a process that waits for a dead file server, is left to it.
    pollfd ended{end_.get(), POLLIN, 0};
    constexpr int patience_ms = 1000;
    if (::poll(&ended, 1, patience_ms) == 1)
        reap();
}

descriptor child_process::share_end() const {
    descriptor copy(::fcntl(end_.get(), F_DUPFD_CLOEXEC, 0));
    if (copy.get() < 0)
        fail("fcntl");
    return copy;
}

void child_process::signal_group(int number) noexcept {
    if (pid_ > 0)
        ::kill(-pid_, number);
}

process_end child_process::reap() noexcept {
    process_end how;
    siginfo_t info{};
    const auto wait = [&](int options) {
        int n = 0;
        do
            n = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | options);
        while (n != 0 && errno == EINTR);
        return n == 0;
    };
    // While it is a zombie no other group can have its number. When somebody else has waited for
    // it, one can.
    if (wait(WNOWAIT)) {
        signal_group(SIGKILL);
        how.known = wait(0);
    }
    pid_ = -1;
    // NOLINTBEGIN(cppcoreguidelines-pro-type-union-access): the system's own
    if (how.known && info.si_code == CLD_EXITED)
        how.status = info.si_status;
    else if (how.known)
        how.signal = info.si_status;
    // NOLINTEND(cppcoreguidelines-pro-type-union-access)
    how.dumped = how.known && info.si_code == CLD_DUMPED;
    return how;
}

} // namespace lifeguard::detail
