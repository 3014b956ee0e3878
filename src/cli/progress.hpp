#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace lifeguard::cli {

/// How far something long has come: a bar with rate and time left on stderr while that is a
/// terminal, and a line at the end.
class progress {
  public:
    /// `whole`: in any unit; zero: nobody knows.
    progress(std::string what, std::uint64_t whole);

    /// So many more are done, which are `part` of the whole.
    void add(std::uint64_t count, std::uint64_t part);
    /// The last line: "what in 3.2 s (1200 per second)".
    void finish();

  private:
    using clock = std::chrono::steady_clock;

    double seconds() const;
    void show();

    const std::string what_;
    const std::uint64_t whole_;
    const bool shown_;
    const clock::time_point began_;
    clock::time_point last_;
    std::uint64_t count_ = 0;
    std::uint64_t done_ = 0;
};

/// "8 s", "3 min 20 s"
std::string time_text(double seconds);
/// One decimal where that says something: "7.5", "120"
std::string rate_text(double per_second);

} // namespace lifeguard::cli
