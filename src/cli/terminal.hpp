#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace lifeguard::cli {

/// The terminal while a program draws on it: another screen, keys without waiting for a line. It is
/// as it was at the end, also after an exception or Ctrl-C.
class terminal_screen {
  public:
    terminal_screen();
    ~terminal_screen();
    terminal_screen(const terminal_screen&) = delete;
    terminal_screen& operator=(const terminal_screen&) = delete;

    /// Shows the lines that fit, in place of what was there.
    void show(const std::string& text) const;

    /// Waits so long for a key; false when it is q, or Ctrl-C or SIGTERM has come.
    static bool wait(std::chrono::milliseconds time);

  private:
    termios before_{};
};

/// Whether both ends of a dialogue are one.
bool on_terminal();
/// 24 where nobody knows.
std::size_t terminal_rows();

} // namespace lifeguard::cli
