#pragma once

#include <lifeguard/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

/// glibc spares its atomics as long as a process has never had a second thread, which flatters by
/// up to a factor of two. Every bench begins with this.
inline void have_had_threads() {
    std::thread([] {}).join();
}

inline double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// What a bench has to say: its configuration, then its figures; as a table, or with --json as one
/// object.
class report {
  public:
    /// `flags`: those of this bench alone. Ends the program when there are others.
    report(std::string bench, int argc, char** argv, const std::vector<std::string>& flags = {})
        : bench_(std::move(bench)), arguments_(argv + 1, argv + argc) {
        std::string usage = "usage: " + bench_ + " [--json] [--quick]";
        for (const std::string& flag : flags)
            usage += " [" + flag + "]";
        for (const std::string& a : arguments_)
            if (a.starts_with('-') && a != "--json" && a != "--quick" &&
                std::find(flags.begin(), flags.end(), a) == flags.end()) {
                std::fprintf(stderr, "%s\n", usage.c_str());
                std::exit(2);
            }
    }

    bool has(const char* flag) const {
        return std::find(arguments_.begin(), arguments_.end(), flag) != arguments_.end();
    }
    bool quick() const { return has("--quick"); }

    void config(const std::string& name, lifeguard::json value) {
        config_[name] = std::move(value);
    }

    void figure(const std::string& name, double value, const char* meaning) {
        figures_[name] = value;
        if (!has("--json")) {
            std::printf("%-26s %14.2f  %s\n", name.c_str(), value, meaning);
            std::fflush(stdout);
        }
    }
    double figure(const std::string& name) const { return figures_.at(name).get<double>(); }

    /// A thing that must be so; otherwise the numbers mean nothing.
    void check(bool ok, const std::string& what) {
        if (ok)
            return;
        failed_ = true;
        std::fprintf(stderr, "%s: NOT TRUE: %s\n", bench_.c_str(), what.c_str());
    }

    void print_config() const {
        if (!has("--json"))
            std::printf("%s %s\n", bench_.c_str(), config_.dump().c_str());
    }

    int finish() const {
        if (has("--json"))
            std::printf(
                "%s\n",
                lifeguard::json{{"bench", bench_}, {"config", config_}, {"figures", figures_}}
                    .dump()
                    .c_str());
        return failed_ ? 1 : 0;
    }

  private:
    std::string bench_;
    std::vector<std::string> arguments_;
    lifeguard::json config_ = lifeguard::json::object();
    lifeguard::json figures_ = lifeguard::json::object();
    bool failed_ = false;
};

} // namespace bench
