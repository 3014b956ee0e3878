// What does durability cost, against SQLite alone? See docs/benchmarks.md.
//
//   store_sqlite [--json] [--quick]
//
// The files are made, and removed, in a folder of the current one.

#include "store_sqlite/engine_side.hpp"
#include "store_sqlite/raw_side.hpp"
#include "support/compare.hpp"

#include <unistd.h>

#include <filesystem>

using namespace bench;

int main(int argc, char** argv) {
    report r("store_sqlite", argc, argv);
    have_had_threads();
    const std::filesystem::path folder =
        std::filesystem::absolute("lifeguard-bench-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const files in(folder.string());
    const int jobs = r.quick() ? 2'560 : 100'096; // a multiple of the group
    const int pairs = r.quick() ? 3 : 9;
    const int single = r.quick() ? 100 : 1'000;
    const int many = r.quick() ? 20'000 : 1'000'000;
    r.config("jobs", jobs);
    r.config("pairs", pairs);
    r.config("group", group);
    r.config("durability", "power_loss");
    r.config("payload_bytes", static_cast<int>(payload.size()));
    r.config("queued", many);
    r.print_config();

    group_figures groups;
    const compared push = compare(
        pairs, [&] { return raw_inserts(in.fresh(), jobs, group); },
        [&] { return pushes(in.fresh(), jobs, group, &groups); });
    r.figure("raw_inserts_per_second", push.floor, "SQLite alone, groups of 256");
    r.figure("pushes_per_second", push.ours, "durable pushes, 256 in flight");
    r.figure("push_256_ratio", push.ratio, "pushes / raw inserts (must: 0.6)");
    r.figure("average_group", groups.average(), "pushes in a transaction (must: 64)");

    const compared life = compare(
        pairs, [&] { return raw_lives(in.fresh(), jobs, group); },
        [&] { return lives(in.fresh(), jobs, group); });
    r.figure("raw_lives_per_second", life.floor, "insert, delete + insert; groups of 256");
    r.figure("lives_per_second", life.ours, "push, take, start mark, complete; 256 in flight");
    r.figure("life_ratio", life.ratio, "lives / raw lives (must: 0.5)");

    const compared one = compare(
        pairs, [&] { return 1e9 / raw_inserts(in.fresh(), single, 1); },
        [&] { return 1e9 / pushes(in.fresh(), single, 1, nullptr); });
    r.figure("raw_commit_ns", one.floor, "one insert in a transaction");
    r.figure("push_1_ns", one.ours, "one push in flight");
    r.figure("push_1_time_ratio", one.ratio, "push / raw commit (must: 1.5)");

    const latencies late = push_latencies(in.fresh(), push.ours / 2, r.quick() ? 1 : 5);
    r.figure("push_p50_ms", late.p50_ms, "at half the load above");
    r.figure("push_p99_ms", late.p99_ms, "likewise");

    const deep_figures deep = deep_queue(in.fresh(), many, r.quick() ? 1'000 : 20'000);
    r.figure("bytes_per_queued_job", deep.bytes_per_job, "RSS beyond the payload (must: 400)");
    r.figure("depth_ratio", deep.depth_ratio,
             "time of a life with all queued / with 1,000 queued (must: 1.3)");
    r.figure("startup_1m_s", deep.startup_s, "after a kill, with all queued (must: 3)");
    r.check(deep.loaded == static_cast<std::uint64_t>(many), "all jobs are there after a kill");

    const growth_figures growth = steady_file(in.fresh(), r.quick() ? 20'000 : 1'000'000);
    r.figure("file_growth", growth.ratio, "file after twice the jobs / after once (must: 1.1)");

    r.check(groups.changes == static_cast<std::uint64_t>(jobs), "every push was a change");
    std::filesystem::remove_all(folder);
    return r.finish();
}
