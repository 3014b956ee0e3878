// What do jobs in NATS JetStream cost, against the C client alone? See docs/benchmarks.md.
//
//   store_nats [--json] [--quick]
//
// Starts a nats-server of its own, with files in a temporary directory, and ends it.

#include "nats/nats_server.hpp"
#include "store_nats/engine_side.hpp"
#include "store_nats/raw_side.hpp"
#include "support/compare.hpp"

using namespace bench;

int main(int argc, char** argv) {
    report r("store_nats", argc, argv);
    have_had_threads();
    const lifeguard::test::nats_server server;
    const std::string url = server.url();
    const auto fresh = [] { return lifeguard::test::fresh_prefix(); };
    const int jobs = r.quick() ? 2'560 : 25'600; // a multiple of what is in flight
    const int pairs = r.quick() ? 3 : 5;
    const int lanes = 4;
    const int shared_jobs = r.quick() ? 512 : 5'120; // likewise a multiple
    r.config("jobs", jobs);
    r.config("pairs", pairs);
    r.config("in_flight", in_flight);
    r.config("batch", in_flight);
    r.config("payload_bytes", static_cast<int>(payload.size()));
    r.config("storage", "file");
    r.config("replicas", 1);
    r.config("handler_ms", 5);
    r.config("lanes_per_engine", lanes);
    r.config("shared_jobs", shared_jobs);
    r.print_config();

    const compared push = compare(
        pairs, [&] { return raw_pushes(url, fresh(), jobs); },
        [&] { return pushes(url, fresh(), jobs); });
    r.figure("raw_pushes_per_second", push.floor, "js_PublishAsync alone, 256 in flight");
    r.figure("pushes_per_second", push.ours, "confirmed pushes, 256 in flight");
    r.figure("push_256_ratio", push.ratio, "pushes / raw pushes (must: 0.6)");

    const compared life = compare(
        pairs, [&] { return raw_lives(url, fresh(), jobs); },
        [&] { return lives(url, fresh(), jobs); });
    r.figure("raw_lives_per_second", life.floor, "publish, fetch, confirmed ack; groups of 256");
    r.figure("lives_per_second", life.ours, "push, take, complete; 256 in flight");
    r.figure("life_ratio", life.ratio, "lives / raw lives (must: 0.4)");

    const compared stateful_push = compare(
        pairs, [&] { return raw_pushes(url, fresh(), jobs); },
        [&] { return raw_stateful_pushes(url, fresh(), jobs); });
    const compared stateful_life = compare(
        pairs, [&] { return raw_lives(url, fresh(), jobs); },
        [&] { return raw_stateful_lives(url, fresh(), jobs); });
    r.figure("stateful_push_ratio", stateful_push.ratio, "the C client with states / without");
    r.figure("stateful_life_ratio", stateful_life.ratio, "likewise");

    int runs = 0;
    int different = 0;
    const auto rate = [&](int engines) {
        const shared_figures f = share(url, fresh(), engines, lanes, shared_jobs);
        runs += f.runs;
        different += f.different;
        return f.per_second;
    };
    const int rounds = 3;
    const compared shared = compare(rounds, [&] { return rate(1); }, [&] { return rate(4); });
    r.figure("one_engine_per_second", shared.floor, "handlers that wait for 5 ms");
    r.figure("four_engines_per_second", shared.ours, "likewise, on one queue");
    r.figure("four_engines_speedup", shared.ratio, "four / one (must: 3.2)");
    r.figure("duplicates", runs - different, "jobs that ran twice (must: 0)");

    r.check(different == 2 * rounds * shared_jobs, "every job has run");
    r.check(runs == different, "no job has run twice");
    return r.finish();
}
