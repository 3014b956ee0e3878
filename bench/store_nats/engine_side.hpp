#pragma once

#include <string>

namespace bench {

// Each works with a prefix that nobody has used, and removes what it has made. Jobs per second.

double pushes(const std::string& url, const std::string& prefix, int jobs);
/// Push, take (which marks the start), complete.
double lives(const std::string& url, const std::string& prefix, int jobs);

struct shared_figures {
    double per_second = 0; ///< from the first run to the last
    int runs = 0;
    int different = 0; ///< jobs that ran
};
/// Engines with `lanes` workers each and a thread for each engine, on one queue; handlers wait for
/// 5 ms. All jobs are there when the engines start.
shared_figures share(const std::string& url, const std::string& prefix, int engines, int lanes,
                     int jobs);

} // namespace bench
