#include "http/process_figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace lifeguard::detail::web {

process_figures read_process_figures() {
    process_figures f;
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) == 0) {
        const auto seconds = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
        };
        f.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
    }
    if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
        unsigned long long size = 0;
        unsigned long long resident = 0;
        if (std::fscanf(file, "%llu %llu", &size, &resident) == 2)
            f.rss_bytes = resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        std::fclose(file);
    }
    return f;
}

} // namespace lifeguard::detail::web
