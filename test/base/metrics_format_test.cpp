// The text that Prometheus reads, held against its own tool.
#include <lifeguard/metrics.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

using namespace lifeguard;

namespace {

struct verdict {
    int exit_code = -1;
    std::string output;
};

/// `promtool check metrics < text`.
verdict promtool(const std::string& text) {
    char in[] = "/tmp/lifeguard_metrics_XXXXXX";
    const int file = ::mkstemp(in);
    BOOST_REQUIRE(file >= 0);
    BOOST_REQUIRE(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(file);
    verdict result;
    std::FILE* out =
        ::popen(("promtool check metrics < " + std::string(in) + " 2>&1").c_str(), "r");
    BOOST_REQUIRE(out != nullptr);
    char buffer[4096];
    while (std::fgets(buffer, sizeof buffer, out) != nullptr)
        result.output += buffer;
    const int status = ::pclose(out);
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ::unlink(in);
    return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(metrics_format)

BOOST_AUTO_TEST_CASE(text_is_sorted_and_complete) {
    metrics_registry registry;
    registry.make_gauge("lifeguard_workers", "Workers by state.", {{"state", "idle"}}).set(3);
    registry.make_gauge("lifeguard_workers", "Workers by state.", {{"state", "busy"}}).set(-1);
    registry.make_counter("lifeguard_jobs_total", "Jobs.").add(12345678901234);
    histogram& h = registry.make_histogram("lifeguard_wait_seconds", "Time.",
                                           {{"pool", "images"}, {"kind", "a"}}, {0.0005, 1, 2.5});
    h.observe(0.25);
    h.observe(0.25);
    h.observe(2.0);
    h.observe(100.0);
    BOOST_TEST(registry.to_prometheus() ==
               R"(# HELP lifeguard_jobs_total Jobs.
# TYPE lifeguard_jobs_total counter
lifeguard_jobs_total 12345678901234
# HELP lifeguard_wait_seconds Time.
# TYPE lifeguard_wait_seconds histogram
lifeguard_wait_seconds_bucket{kind="a",pool="images",le="0.0005"} 0
lifeguard_wait_seconds_bucket{kind="a",pool="images",le="1"} 2
lifeguard_wait_seconds_bucket{kind="a",pool="images",le="2.5"} 3
lifeguard_wait_seconds_bucket{kind="a",pool="images",le="+Inf"} 4
lifeguard_wait_seconds_sum{kind="a",pool="images"} 102.5
lifeguard_wait_seconds_count{kind="a",pool="images"} 4
# HELP lifeguard_workers Workers by state.
# TYPE lifeguard_workers gauge
lifeguard_workers{state="busy"} -1
lifeguard_workers{state="idle"} 3
)");
    const auto seen = promtool(registry.to_prometheus());
    BOOST_TEST(seen.exit_code == 0, seen.output);
    BOOST_TEST(seen.output == "");
}

BOOST_AUTO_TEST_CASE(label_values_and_help_are_escaped) {
    metrics_registry registry;
    registry.make_gauge("x", "Back\\slash, \"quotes\" and\nnew line.",
                        {{"v", "back\\slash, \"quotes\"\nand new line"}});
    BOOST_TEST(registry.to_prometheus() ==
               "# HELP x Back\\\\slash, \"quotes\" and\\nnew line.\n# TYPE x gauge\n"
               "x{v=\"back\\\\slash, \\\"quotes\\\"\\nand new line\"} 0\n");
    const auto seen = promtool(registry.to_prometheus());
    BOOST_TEST(seen.exit_code == 0, seen.output);
}

// A queue's name is whatever its user likes.
BOOST_AUTO_TEST_CASE(any_bytes_in_values_are_readable) {
    metrics_registry registry;
    std::string all;
    for (int c = 0; c < 256; ++c) {
        registry.make_gauge("x", "Help.", {{"v", std::string(1, static_cast<char>(c))}}).set(c);
        all += static_cast<char>(c);
    }
    registry.make_gauge("x", "Help.", {{"v", all}});
    registry.make_gauge("x", "Help.", {{"v", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x8f\x8a"}});
    registry.make_gauge("y", all);
    const auto seen = promtool(registry.to_prometheus());
    BOOST_TEST(seen.exit_code == 0, seen.output);
    BOOST_TEST(registry.to_prometheus().find("gr\xc3\xbc\xc3\x9f \xf0\x9f\x8f\x8a") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(extreme_numbers_are_readable) {
    metrics_registry registry;
    using limits = std::numeric_limits<double>;
    for (const double value : {0.0, -0.0, limits::max(), limits::lowest(), limits::denorm_min(),
                               limits::infinity(), -limits::infinity(), limits::quiet_NaN(), 0.1})
        registry.make_gauge("x", "Help.", {{"v", std::to_string(value)}},
                            [value] { return value; });
    registry.make_counter("y_total", "Help.").add(std::numeric_limits<std::uint64_t>::max());
    const auto text = registry.to_prometheus();
    const auto seen = promtool(text);
    BOOST_TEST(seen.exit_code == 0, seen.output);
    for (const char* expected : {"} +Inf\n", "} -Inf\n", "} NaN\n", "} 0.1\n", "} 5e-324\n",
                                 "} -0\n", "} 1.7976931348623157e+308\n"})
        BOOST_TEST(text.find(expected) != std::string::npos, expected);
}

BOOST_AUTO_TEST_CASE(the_tool_would_find_an_error) {
    BOOST_TEST(promtool("x{v=\"\\q\"} 1\n").exit_code != 0);
    BOOST_TEST(promtool("lifeguard_jobs 1\n").exit_code != 0);
}

BOOST_AUTO_TEST_SUITE_END()
