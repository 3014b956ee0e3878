#include "queue/rfc3339.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using lifeguard::detail::format_rfc3339;
using lifeguard::detail::parse_rfc3339;

BOOST_AUTO_TEST_SUITE(rfc3339)

BOOST_AUTO_TEST_CASE(times_are_read) {
    const wall_time noon(1769860800s); // 2026-01-31T12:00:00Z
    const std::pair<const char*, wall_time> cases[] = {
        {"1970-01-01T00:00:00Z", wall_time()},
        {"2026-01-31T12:00:00Z", noon},
        {"2026-01-31t12:00:00z", noon},
        {"2026-01-31 12:00:00Z", noon},
        {"2026-01-31T13:30:00+01:30", noon},
        {"2026-01-31T00:00:00-12:00", noon},
        {"2026-02-01T11:59:00+23:59", noon},
        {"2026-01-31T12:00:00-00:00", noon},
        {"2026-01-31T12:00:00.25Z", noon + 250ms},
        {"2026-01-31T12:00:00.000000001Z", noon + 1ns},
        {"2026-01-31T12:00:00.0000000019999Z", noon + 1ns},
        {"2026-01-31T11:59:60Z", noon},
        {"2024-02-29T00:00:00Z", wall_time(1709164800s)},
        {"2200-12-31T23:59:59Z", wall_time(7289654399s)},
    };
    for (const auto& [text, expected] : cases) {
        BOOST_TEST_CONTEXT(text) {
            const auto read = parse_rfc3339(text);
            BOOST_TEST_REQUIRE(read.has_value());
            BOOST_TEST((*read == expected));
        }
    }
}

BOOST_AUTO_TEST_CASE(anything_else_is_not) {
    for (const char* text : {"",
                             "2026",
                             "2026-01-31",
                             "2026-01-31T12:00:00",
                             "2026-01-31T12:00Z",
                             "2026-1-31T12:00:00Z",
                             "2026-01-31T12:00:00.Z",
                             "2026-01-31T12:00:00+1:00",
                             "2026-01-31T12:00:00+0100",
                             "2026-01-31T12:00:00+24:00",
                             "2026-01-31T12:00:00+01:60",
                             "2026-00-31T12:00:00Z",
                             "2026-13-31T12:00:00Z",
                             "2026-01-00T12:00:00Z",
                             "2026-02-29T12:00:00Z",
                             "2100-02-29T12:00:00Z",
                             "2026-04-31T12:00:00Z",
                             "2026-01-31T24:00:00Z",
                             "2026-01-31T12:60:00Z",
                             "2026-01-31T12:00:61Z",
                             "1969-12-31T23:59:59Z",
                             "2201-01-01T00:00:00Z",
                             "9999-01-01T00:00:00Z",
                             "2026-01-31T12:00:00Z ",
                             " 2026-01-31T12:00:00Z",
                             "2026-01-31T12:00:00ZZ",
                             "2026/01/31T12:00:00Z",
                             "-026-01-31T12:00:00Z",
                             "2026-01-31T12:00:00,5Z"})
        BOOST_TEST_CONTEXT(text) { BOOST_TEST(!parse_rfc3339(text).has_value()); }
}

BOOST_AUTO_TEST_CASE(times_are_written_in_milliseconds) {
    BOOST_TEST(format_rfc3339(wall_time()) == "1970-01-01T00:00:00.000Z");
    BOOST_TEST(format_rfc3339(wall_time(1769860800s + 7ms + 999us)) == "2026-01-31T12:00:00.007Z");
    BOOST_TEST(format_rfc3339(wall_time(-1ms)) == "1969-12-31T23:59:59.999Z");
    for (std::int64_t s = 0; s < 7'000'000'000; s += 86'399'999) {
        const wall_time at{std::chrono::seconds(s)};
        BOOST_TEST((parse_rfc3339(format_rfc3339(at)) == at));
    }
}

BOOST_AUTO_TEST_SUITE_END()
