// Engine options from JSON.
#include "support/errors.hpp"
#include <lifeguard/engine.hpp>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace lifeguard;
using lifeguard::test::thrown_by;

namespace {

/// What is wrong with `text`, or "accepted".
std::string complaint(const std::string& text) {
    const auto t = thrown_by([&] { parse_options(text); });
    return t.code == errc::invalid_option ? t.text : "accepted";
}

bool names(const std::string& text, const std::string& path) {
    const std::string said = complaint(text);
    const bool found = said.find(path + ": ") != std::string::npos;
    if (!found)
        BOOST_TEST_MESSAGE(text << " -> " << said);
    return found;
}

/// The same complaint about a member of the first pool.
bool pool_names(const std::string& member, const std::string& value) {
    return names("{\"pools\":[{\"" + member + "\":" + value + "}]}", "pools[0]." + member);
}

} // namespace

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(nothing_means_the_defaults) {
    const engine_options read = parse_options("{}");
    const engine_options defaults;
    BOOST_TEST(read.name == defaults.name);
    BOOST_TEST(read.pools.empty());
    BOOST_TEST(read.intensity == 5U);
    BOOST_TEST((read.period == 10s));
    BOOST_TEST(!read.seed_names);
    BOOST_TEST(read.memory.finished_max == 1000U);
    BOOST_TEST(read.memory.discarded_max == 10000U);
    const worker_pool_options pool = parse_options(R"({"pools":[{}]})").pools.at(0);
    BOOST_TEST(pool.name == "default");
    BOOST_TEST(pool.size == 10U);
    BOOST_TEST(pool.max_overflow == 5U);
    BOOST_TEST(pool.pull_size == 5U);
    BOOST_TEST(pool.concurrency == 1U);
    BOOST_TEST((pool.process_timeout == 30s));
    BOOST_TEST((pool.checkout_wait == 5s));
    BOOST_TEST((pool.drain_wait == 4s));
    BOOST_TEST((pool.cancel_grace == 1s));
    BOOST_TEST((pool.stuck_threshold == 10s));
    BOOST_TEST(pool.breaker.threshold == 5U);
}

BOOST_AUTO_TEST_CASE(every_member_arrives) {
    const engine_options o = parse_options(R"({
        "name": "shop", "intensity": 7, "period_ms": 8000, "seed_names": true,
        "store": {"type": "memory", "finished_max": 11, "discarded_max": 12,
                  "finished_bytes_max": 121, "discarded_bytes_max": 122,
                  "completed_age_ms": 123, "cancelled_age_ms": 124, "discarded_age_ms": -1},
        "queue": {"jobs_max": 13, "kinds_max": 14, "queues_max": 15, "payload_max": 16,
                  "depth_max": 17, "lease_ms": 18000, "max_attempts": 19, "strict_kinds": true,
                  "retry": {"offset_ms": 20, "base_ms": 21, "factor": 2.5, "cap_ms": 23000,
                            "jitter": 0.25}},
        "pools": [{"name": "images", "queues": ["a", "b"], "strict_order": true, "priority": 3,
                   "size": 24, "max_overflow": 25, "pull_size": 26, "concurrency": 27,
                   "process_timeout_ms": 28, "checkout_wait_ms": 29, "let_it_crash": true,
                   "drain_wait_ms": 30, "cancel_grace_ms": 31, "stuck_threshold_ms": 32,
                   "abandoned_max": 321,
                   "intensity": 33, "period_ms": 34,
                   "breaker": {"threshold": 35, "window_ms": 36, "open_for_ms": 37, "permits": 38,
                               "successes": 39, "scope": "kind", "open_factor": 1.5,
                               "open_max_ms": 41000, "probe_timeout_ms": 42}},
                  {"name": "mail"}]})");
    BOOST_TEST(o.name == "shop");
    BOOST_TEST(o.intensity == 7U);
    BOOST_TEST((o.period == 8s));
    BOOST_TEST(o.seed_names);
    BOOST_TEST(o.memory.finished_max == 11U);
    BOOST_TEST(o.memory.discarded_max == 12U);
    BOOST_TEST(o.memory.finished_bytes_max == 121U);
    BOOST_TEST(o.memory.discarded_bytes_max == 122U);
    BOOST_TEST((o.memory.keep_for.completed == 123ms));
    BOOST_TEST((o.memory.keep_for.cancelled == 124ms));
    BOOST_TEST((o.memory.keep_for.discarded < 0ms));
    BOOST_TEST(o.queue.jobs_max == 13U);
    BOOST_TEST(o.queue.kinds_max == 14U);
    BOOST_TEST(o.queue.queues_max == 15U);
    BOOST_TEST(o.queue.limits.payload_max == 16U);
    BOOST_TEST(o.queue.limits.depth_max == 17U);
    BOOST_TEST((o.queue.lease == 18s));
    BOOST_TEST(o.queue.max_attempts == 19U);
    BOOST_TEST(o.queue.strict_kinds);
    BOOST_TEST((o.queue.retry.offset == 20ms));
    BOOST_TEST((o.queue.retry.base == 21ms));
    BOOST_TEST(o.queue.retry.factor == 2.5);
    BOOST_TEST((o.queue.retry.cap == 23s));
    BOOST_TEST(o.queue.retry.jitter == 0.25);
    BOOST_TEST(o.pools.size() == 2U);
    const worker_pool_options& p = o.pools[0];
    BOOST_TEST(p.name == "images");
    BOOST_TEST(p.queues == (std::vector<std::string>{"a", "b"}), boost::test_tools::per_element());
    BOOST_TEST(p.strict_order);
    BOOST_TEST(p.priority.value_or(-1) == 3);
    BOOST_TEST(p.size == 24U);
    BOOST_TEST(p.max_overflow == 25U);
    BOOST_TEST(p.pull_size == 26U);
    BOOST_TEST(p.concurrency == 27U);
    BOOST_TEST((p.process_timeout == 28ms));
    BOOST_TEST((p.checkout_wait == 29ms));
    BOOST_TEST(p.let_it_crash);
    BOOST_TEST((p.drain_wait == 30ms));
    BOOST_TEST((p.cancel_grace == 31ms));
    BOOST_TEST((p.stuck_threshold == 32ms));
    BOOST_TEST(p.abandoned_max == 321U);
    BOOST_TEST(p.intensity == 33U);
    BOOST_TEST((p.period == 34ms));
    BOOST_TEST(p.breaker.threshold == 35U);
    BOOST_TEST((p.breaker.window == 36ms));
    BOOST_TEST((p.breaker.open_for == 37ms));
    BOOST_TEST(p.breaker.permits == 38U);
    BOOST_TEST(p.breaker.successes == 39U);
    BOOST_TEST((p.breaker_scope == breaker_scope::kind));
    BOOST_TEST(p.breaker.open_factor == 1.5);
    BOOST_TEST((p.breaker.open_max == 41s));
    BOOST_TEST((p.breaker.probe_timeout == 42ms));
    BOOST_TEST(o.pools[1].name == "mail");
}

BOOST_AUTO_TEST_CASE(a_member_of_the_wrong_type_is_named_with_its_path) {
    BOOST_TEST(names(R"({"name":1})", "name"));
    BOOST_TEST(names(R"({"intensity":"5"})", "intensity"));
    BOOST_TEST(names(R"({"intensity":5.5})", "intensity"));
    BOOST_TEST(names(R"({"period_ms":null})", "period_ms"));
    BOOST_TEST(names(R"({"seed_names":1})", "seed_names"));
    BOOST_TEST(names(R"({"store":[]})", "store"));
    BOOST_TEST(names(R"({"store":{"finished_max":true}})", "store.finished_max"));
    BOOST_TEST(names(R"({"store":{"completed_age_ms":-2}})", "store.completed_age_ms"));
    BOOST_TEST(names(R"({"queue":{"retry":{"factor":"2"}}})", "queue.retry.factor"));
    BOOST_TEST(names(R"({"queue":{"retry":[]}})", "queue.retry"));
    BOOST_TEST(names(R"({"pools":{}})", "pools"));
    BOOST_TEST(names(R"({"pools":[{},7]})", "pools[1]"));
    BOOST_TEST(names(R"({"pools":[{},{"size":"x"}]})", "pools[1].size"));
    BOOST_TEST(pool_names("queues", "\"a\""));
    BOOST_TEST(names(R"({"pools":[{"queues":["a",2]}]})", "pools[0].queues[1]"));
    BOOST_TEST(pool_names("breaker", "5"));
    BOOST_TEST(names("[]", "options"));
    BOOST_TEST(names("7", "options"));
}

BOOST_AUTO_TEST_CASE(a_number_out_of_range_is_named_with_its_path) {
    for (const char* member : {"size", "max_overflow", "pull_size", "concurrency", "intensity",
                               "process_timeout_ms", "checkout_wait_ms", "period_ms"}) {
        BOOST_TEST(pool_names(member, "-1"), member);
        BOOST_TEST(pool_names(member, "18446744073709551615"), member);
    }
    BOOST_TEST(pool_names("priority", "10"));
    BOOST_TEST(pool_names("priority", "-1"));
    BOOST_TEST(names(R"({"intensity":4294967296})", "intensity"));
}

// What the parts themselves refuse, too.
BOOST_AUTO_TEST_CASE(a_value_that_breaks_a_rule_is_named_with_its_path) {
    BOOST_TEST(pool_names("size", "0"));
    BOOST_TEST(pool_names("size", "10001"));
    BOOST_TEST(pool_names("pull_size", "0"));
    BOOST_TEST(pool_names("concurrency", "0"));
    BOOST_TEST(pool_names("process_timeout_ms", "0"));
    BOOST_TEST(pool_names("period_ms", "0"));
    BOOST_TEST(pool_names("name", "\"\""));
    BOOST_TEST(pool_names("queues", R"(["a","a"])"));
    BOOST_TEST(names(R"({"pools":[{"breaker":{"threshold":0}}]})", "pools[0].breaker.threshold"));
    BOOST_TEST(names(R"({"pools":[{"breaker":{"window_ms":0}}]})", "pools[0].breaker.window_ms"));
    BOOST_TEST(names(R"({"pools":[{"breaker":{"permits":0}}]})", "pools[0].breaker.permits"));
    BOOST_TEST(names(R"({"pools":[{"breaker":{"successes":0}}]})", "pools[0].breaker.successes"));
}

BOOST_AUTO_TEST_CASE(an_unknown_member_is_named_with_its_path) {
    BOOST_TEST(names(R"({"nmae":"x"})", "nmae"));
    BOOST_TEST(names(R"({"store":{"path":"x"}})", "store.path"));
    BOOST_TEST(names(R"({"queue":{"retry":{"jiter":0}}})", "queue.retry.jiter"));
    BOOST_TEST(names(R"({"pools":[{},{"breaker":{"treshold":1}}]})", "pools[1].breaker.treshold"));
}

BOOST_AUTO_TEST_CASE(other_stores_are_not_linked_in) {
    const auto t = thrown_by([] { parse_options(R"({"store":{"type":"sqlite"}})"); });
    BOOST_TEST((t.code == errc::unsupported));
    BOOST_TEST(t.text.find("sqlite") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(turtle_is_not_linked_in) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("lifeguard-options-" + std::to_string(::getpid()) + ".ttl");
    std::ofstream(path) << "@prefix jobs: <http://ggen.dev/ontology/jobs#> .\n";
    const auto t = thrown_by([&] { load_options(path.string()); });
    BOOST_TEST((t.code == errc::unsupported));
    BOOST_TEST(t.text.find("lifeguard::turtle") != std::string::npos, t.text);
    std::filesystem::remove(path);
}

BOOST_AUTO_TEST_CASE(a_member_that_is_there_twice_is_named) {
    BOOST_TEST(pool_names("size", "3,\"size\":4"));
    BOOST_TEST(names("{\"name\":\"a\",\n\"name\":\"b\"}", "name"));
}

BOOST_AUTO_TEST_CASE(commands_arrive) {
    const engine_options o = parse_options(R"({"commands": {"thumbnail": {
        "argv": ["convert", "-"], "env": {"A": "b"}, "directory": "/tmp", "timeout_ms": 1,
        "kill_after_ms": 2, "concurrency": 3, "output_max": 4}, "count": {"argv": ["wc"]}}})");
    const command_options& c = o.commands.at("thumbnail");
    BOOST_TEST(c.argv == (std::vector<std::string>{"convert", "-"}),
               boost::test_tools::per_element());
    BOOST_TEST(c.env.at("A") == "b");
    BOOST_TEST(c.directory == "/tmp");
    BOOST_TEST((c.timeout == 1ms));
    BOOST_TEST((c.kill_after == 2ms));
    BOOST_TEST(c.concurrency == 3U);
    BOOST_TEST(c.output_max == 4U);
    BOOST_TEST((o.commands.at("count").kill_after == 1s));
    BOOST_TEST(names(R"({"commands":{"k":{}}})", "commands.k.argv"));
    BOOST_TEST(
        names(R"({"commands":{"k":{"argv":["a"],"env":{"LIFEGUARD_X":""}}}})", "commands.k.env"));
    BOOST_TEST(names(R"({"commands":{"k":{"argv":["a"],"env":{"A":1}}}})", "commands.k.env.A"));
    BOOST_TEST(names(R"({"commands":{"k":{"argv":["a"],"shell":true}}})", "commands.k.shell"));
}

BOOST_AUTO_TEST_CASE(text_that_is_no_json) {
    for (const char* text : {"", "{", "{}}", "{'a':1}"})
        BOOST_TEST((thrown_by([&] { parse_options(text); }).code == errc::malformed_json), text);
}

BOOST_AUTO_TEST_CASE(file_is_named_in_the_error) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("lifeguard-options-" + std::to_string(::getpid()) + ".json");
    std::ofstream(path) << R"({"pools":[{"name":"mail","size":3}]})";
    BOOST_TEST(load_options(path.string()).pools.at(0).size == 3U);
    std::ofstream(path) << R"({"pools":[{"size":"x"}]})";
    const auto wrong = thrown_by([&] { load_options(path.string()); });
    BOOST_TEST((wrong.code == errc::invalid_option));
    BOOST_TEST(wrong.text.find(path.string() + ": pools[0].size: ") != std::string::npos,
               wrong.text);
    std::filesystem::remove(path);
    const auto missing = thrown_by([&] { load_options(path.string()); });
    BOOST_TEST((missing.code == errc::not_found));
    BOOST_TEST(missing.text.find(path.string()) != std::string::npos);
    BOOST_TEST((thrown_by([] { load_options("/tmp"); }).code == errc::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
