#include "conformance/stores.hpp"

#if LIFEGUARD_WITH_SQLITE
#include "store/database_file.hpp"
#endif

#include <vector>

namespace lifeguard::test {
namespace {

const std::vector<store_under_test>& stores() {
    static const std::vector<store_under_test> all{
        {"memory", [] { return memory_store(); },
         [](const keeping& how) {
             memory_store_options o;
             o.keep_for = how.ages;
             o.finished_max = o.discarded_max = how.number_max;
             o.finished_bytes_max = o.discarded_bytes_max = how.bytes_max;
             return memory_store(o);
         }},
#if LIFEGUARD_WITH_SQLITE
        {"sqlite", [] { return sqlite_store(unsynced_database()); },
         [](const keeping& how) {
             sqlite_store_options o = unsynced_database();
             o.keep_for = how.ages;
             o.finished_max = o.discarded_max = how.number_max;
             o.finished_bytes_max = o.discarded_bytes_max = how.bytes_max;
             return sqlite_store(o);
         }},
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
