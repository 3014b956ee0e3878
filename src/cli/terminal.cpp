#include "cli/terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <sstream>

namespace lifeguard::cli {
namespace {

std::atomic<bool> interrupted{false};

void note_signal(int) { interrupted = true; }

void on_signals(void (*handler)(int)) {
    struct sigaction act{};
    act.sa_handler = handler; // NOLINT(cppcoreguidelines-pro-type-union-access)
    for (const int number : {SIGINT, SIGTERM})
        ::sigaction(number, &act, nullptr); // without SA_RESTART: it ends the wait
}

winsize size_of_terminal() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) {
        size.ws_row = 24;
        size.ws_col = 80;
    }
    return size;
}

} // namespace

bool on_terminal() { return ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0; }

std::size_t terminal_rows() { return size_of_terminal().ws_row; }

terminal_screen::terminal_screen() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    on_signals(note_signal);
    std::cout << "\033[?1049h\033[?25l" << std::flush;
}

terminal_screen::~terminal_screen() {
    std::cout << "\033[?25h\033[?1049l" << std::flush;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    on_signals(SIG_DFL);
}

void terminal_screen::show(const std::string& text) const {
    const winsize size = size_of_terminal();
    std::string out = "\033[H";
    std::istringstream lines(text);
    unsigned row = 0;
    for (std::string line; row + 1U < size.ws_row && std::getline(lines, line); ++row)
        out += line.substr(0, size.ws_col) + "\033[K\r\n";
    std::cout << out << "\033[J" << std::flush; // nothing flickers: only the rest is erased
}

bool terminal_screen::wait(std::chrono::milliseconds time) {
    pollfd keys{STDIN_FILENO, POLLIN, 0};
    const int n = ::poll(&keys, 1, static_cast<int>(time.count()));
    if (interrupted || (n < 0 && errno != EINTR))
        return false;
    if (n <= 0)
        return true;
    std::array<char, 64> typed{};
    const ssize_t count = ::read(STDIN_FILENO, typed.data(), typed.size());
    if (count <= 0)
        return false; // the terminal is gone
    for (ssize_t i = 0; i < count; ++i)
        if (typed.at(static_cast<std::size_t>(i)) == 'q')
            return false;
    return true;
}

} // namespace lifeguard::cli
