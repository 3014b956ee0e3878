#pragma once

#include <cstdint>
#include <string>

namespace bench {

struct group_figures {
    double groups = 0;
    double changes = 0;
    double average() const { return groups == 0 ? 0 : changes / groups; }
};

// Each opens a store in a new file and drives its queue from one thread. Jobs per second.

double pushes(const std::string& path, int jobs, int in_flight, group_figures* groups);
/// Push, take (which marks the start), complete.
double lives(const std::string& path, int jobs, int in_flight);

struct latencies {
    double p50_ms = 0;
    double p99_ms = 0;
};
/// Of pushes that come at a steady rate whether or not those before are answered, each from the
/// moment at which it was due.
latencies push_latencies(const std::string& path, double per_second, int seconds);

struct deep_figures {
    double bytes_per_job = 0;
    double depth_ratio = 0;
    double startup_s = 0;
    std::uint64_t loaded = 0;
};
deep_figures deep_queue(const std::string& path, int queued, int measured_lives);

struct growth_figures {
    double ratio = 0;
};
/// The size of the file after `jobs` lives and after as many again.
growth_figures steady_file(const std::string& path, int jobs);

} // namespace bench
