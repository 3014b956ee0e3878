#include "support/test_context.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace {

char** arguments;

// One main() serves every test program, so the report takes the name of the program.
bool name_the_report() {
    boost::unit_test::framework::master_test_suite().p_name.value =
        std::filesystem::path(arguments[0]).filename().string();
    return true;
}

} // namespace

int main(int argc, char* argv[]) {
    arguments = argv;
    // Boost.Test would go on after a segmentation fault and would fail a test whose child
    // process exits with an error. A crash must end the program, a child's exit is the test's
    // business.
    ::setenv("BOOST_TEST_CATCH_SYSTEM_ERRORS", "no", 0);
    const int status = boost::unit_test::unit_test_main(&name_the_report, argc, argv);
    if (lifeguard::test::both_threads_ran_handlers())
        return status;
    std::cerr << "one of the two threads has not run a single handler\n";
    return status == 0 ? EXIT_FAILURE : status;
}
