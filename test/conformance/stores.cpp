#include "conformance/stores.hpp"

#if LIFEGUARD_WITH_SQLITE
#include "store/database_file.hpp"
#endif

#include <vector>

namespace lifeguard::test {
namespace {

const std::vector<store_under_test>& stores() {
    static const std::vector<store_under_test> all{
        {"memory", [] { return memory_store(); }},
#if LIFEGUARD_WITH_SQLITE
        {"sqlite", [] { return sqlite_store(unsynced_database()); }},
#endif
    };
    return all;
}

} // namespace

void on_every_store(void (*body)(test_context& ctx, const store_under_test& kept)) {
    for (const store_under_test& kept : stores()) {
        BOOST_TEST_CONTEXT("store: " << kept.name) {
            with_one_and_two_threads([&](test_context& ctx) { body(ctx, kept); });
        }
    }
}

} // namespace lifeguard::test
