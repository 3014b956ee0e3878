#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <stdexcept>

namespace bench {

/// What the process takes of the machine's memory.
inline double rss_bytes() {
    std::ifstream statm("/proc/self/statm");
    double size = 0;
    double resident = 0;
    statm >> size >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// What it has taken of the processors' time, by itself and through the kernel.
inline double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Calls `f`, which returns plain numbers, in a process of its own, so that each measurement
/// meets a heap that nobody has used. While the caller has one thread.
template <typename F>
auto in_fresh_process(F f) -> decltype(f()) {
    decltype(f()) result{};
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0)
        throw std::runtime_error("no pipe");
    const pid_t child = ::fork();
    if (child == 0) {
        result = f();
        const bool told = ::write(ends[1], &result, sizeof(result)) == sizeof(result);
        ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    const auto got = ::read(ends[0], &result, sizeof(result));
    ::close(ends[0]);
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0 || got != sizeof(result))
        throw std::runtime_error("a measurement in a process of its own failed");
    return result;
}

} // namespace bench
