#include <lifeguard/version.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(version)

BOOST_AUTO_TEST_CASE(linked_library_is_the_included_one) {
    const std::string expected = std::to_string(LIFEGUARD_VERSION / 10000) + "." +
                                 std::to_string(LIFEGUARD_VERSION / 100 % 100) + "." +
                                 std::to_string(LIFEGUARD_VERSION % 100);
    BOOST_TEST(lifeguard::version() == expected);
}

BOOST_AUTO_TEST_SUITE_END()
