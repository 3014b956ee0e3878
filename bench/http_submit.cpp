// What does submitting over HTTP cost, against Beast alone? See docs/benchmarks.md.
//
//   http_submit [--json] [--quick] [--profile | --profile-sqlite | --profile-bulk]
//
// The client is a process of its own. SQLite files are made, and removed, in a folder of the
// current one.

#include "http_submit/client.hpp"
#include "http_submit/servers.hpp"
#include "support/process.hpp"
#include "support/report.hpp"

#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>

namespace {

using namespace bench;

/// A server's share of a load.
struct cost {
    double cpu_us = 0; ///< of processor time, for each request
    double per_second = 0;
};

class bench_run {
  public:
    bench_run(report& r, const std::filesystem::path& folder) : report_(r), folder_(folder) {}

    std::unique_ptr<server> memory() { return lifeguard_server(""); }
    std::unique_ptr<server> sqlite() {
        return lifeguard_server((folder_ / (std::to_string(++files_) + ".db")).string());
    }

    cost posts(const server& s, int requests, int batch = 0) {
        client_.open(s.port(), connections);
        const std::uint64_t before = s.stored();
        const double cpu = cpu_seconds();
        const load_result load = client_.run(requests, batch);
        const double used = cpu_seconds() - cpu;
        const std::uint64_t stored = s.stored() - before;
        client_.close();
        const auto jobs = static_cast<std::uint64_t>(requests) *
                          static_cast<std::uint64_t>(batch == 0 ? 1 : batch);
        report_.check(load.created == static_cast<std::uint64_t>(requests) && load.others == 0,
                      "every request was answered with 201");
        report_.check(before == 0 || stored == jobs, "every job was stored");
        return {used / requests * 1e6, requests / load.seconds};
    }

    static constexpr int connections = 64;

  private:
    report& report_;
    std::filesystem::path folder_;
    int files_ = 0;
    client_process client_;
};

void cpu_ratio(report& r, bench_run& b, int pairs, int requests, const std::string& name,
               const std::function<std::unique_ptr<server>()>& make) {
    std::vector<double> floors;
    std::vector<double> ours;
    std::vector<double> ratios;
    std::vector<double> rates;
    for (int i = 0; i < pairs; ++i) {
        floors.push_back(b.posts(*floor_server(), requests).cpu_us);
        const cost c = b.posts(*make(), requests);
        ours.push_back(c.cpu_us);
        rates.push_back(c.per_second);
        ratios.push_back(c.cpu_us / floors.back());
    }
    r.figure(name + "_floor_us", median(floors), "processor time of a request, Beast alone");
    r.figure(name + "_cpu_us", median(ours), "the same of lifeguard");
    r.figure(name + "_cpu_ratio", median(ratios),
             name == "memory" ? "lifeguard / floor (must: 1.6)" : "lifeguard / floor (must: 2.5)");
    r.figure(name == "memory" ? "requests_per_second" : name + "_requests_per_second",
             median(rates), "64 connections");
}

void bulk(report& r, bench_run& b, int pairs, int requests, int arrays) {
    constexpr int jobs = 1'000;
    std::vector<double> ratios;
    std::vector<double> floors;
    std::vector<double> rates;
    for (int i = 0; i < pairs; ++i) {
        const double floor_single = b.posts(*floor_server(), requests).per_second;
        const double floor_rate = b.posts(*floor_server(), arrays, jobs).per_second * jobs;
        floors.push_back(floor_rate / floor_single);
        const double single = b.posts(*b.memory(), requests).per_second;
        rates.push_back(b.posts(*b.memory(), arrays, jobs).per_second * jobs);
        ratios.push_back(rates.back() / single);
    }
    r.figure("bulk_jobs_per_second", median(rates), "arrays of 1000 jobs");
    r.figure("bulk_speedup", median(ratios), "arrays / single posts (must: 5)");
    r.figure("bulk_floor_speedup", median(floors), "the same of Beast alone, which only parses");
}

void idle(report& r, int pairs, int count, int requests) {
    constexpr int active = 100;
    constexpr int pace_ms = 20;
    const auto s = lifeguard_server("");
    client_process busy;
    client_process quiet;
    busy.open(s->port(), active);
    busy.run(requests, 0, pace_ms);
    std::vector<double> bytes;
    std::vector<double> alone;
    std::vector<double> ratios;
    for (int i = 0; i < pairs; ++i) {
        const load_result before = busy.run(requests, 0, pace_ms);
        ::malloc_trim(0);
        const double rss = rss_bytes();
        quiet.open(s->port(), count);
        if (i == 0) // later ones find the memory of the first
            bytes.push_back((rss_bytes() - rss) / count);
        const load_result beside = busy.run(requests, 0, pace_ms);
        quiet.close();
        alone.push_back(before.p99_us);
        ratios.push_back(beside.p99_us / before.p99_us);
        r.check(before.others + beside.others == 0, "active connections were answered");
    }
    r.figure("idle_connection_bytes", bytes.front(), "resident, of a connection (must: 16384)");
    r.figure("active_p99_us", median(alone), "100 connections, 5000 requests per second in all");
    r.figure("active_p99_ratio", median(ratios), "beside the idle ones / alone (must: 2)");
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--client") == 0)
        return run_client(3);
    report r("http_submit", argc, argv, {"--profile", "--profile-sqlite", "--profile-bulk"});
    have_had_threads();
    const std::filesystem::path folder =
        std::filesystem::absolute("lifeguard-bench-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const int pairs = r.quick() ? 1 : 9;
    const int requests = r.quick() ? 640 : 25'600;
    const int idle_connections = r.quick() ? 500 : 10'000;
    double load[3] = {};
    r.check(getloadavg(load, 3) == 3, "the machine tells its load");
    r.config("pairs", pairs);
    r.config("requests", requests);
    r.config("connections", bench_run::connections);
    r.config("idle_connections", idle_connections);
    r.config("durability", "power_loss");
    r.config("payload_bytes", 120);
    r.config("load_average", load[0]);
    r.print_config();
    bench_run b(r, folder);
    if (r.has("--profile-bulk")) {
        b.posts(*b.memory(), 640, 1'000);
    } else if (r.has("--profile") || r.has("--profile-sqlite")) {
        const auto s = r.has("--profile") ? b.memory() : b.sqlite();
        b.posts(*s, requests * 4);
    } else {
        // First: later there is memory of finished loads, which connections would find.
        idle(r, r.quick() ? 1 : 5, idle_connections, r.quick() ? 1'000 : 20'000);
        cpu_ratio(r, b, pairs, requests, "memory", [&] { return b.memory(); });
        cpu_ratio(r, b, pairs, requests, "sqlite", [&] { return b.sqlite(); });
        bulk(r, b, r.quick() ? 1 : 5, requests, r.quick() ? 64 : 192);
    }
    std::filesystem::remove_all(folder);
    return r.finish();
}
