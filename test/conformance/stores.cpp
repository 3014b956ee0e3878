#include "conformance/stores.hpp"

#if LIFEGUARD_WITH_SQLITE
#include "store/database_file.hpp"
#endif

#if LIFEGUARD_WITH_NATS
#include "nats/nats_server.hpp"
#include <lifeguard/nats_store.hpp>
#endif

#include <algorithm>
#include <cstdlib>
#include <string_view>
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

#if LIFEGUARD_WITH_NATS

store_under_test jetstream() {
    return {"nats", [] {
                nats_store_options o;
                o.servers.push_back(shared_nats_url());
                o.prefix = fresh_prefix();
                o.hold_delayed = std::chrono::hours(24); // or its clock would not be the test's
                return nats_store(o);
            }};
}

/// What a store that others share answers `unsupported` to, or has no figures of; docs/nats.md.
bool is_excepted_on_nats(std::string_view test) {
    static constexpr std::string_view cases[] = {
        // Section 7 names these.
        "Q_08", "Q_09", "Q_10", "Q_12", "Q_13", "Q_24", "Q_25", "Q_35", "Q_36",
        "Q_38_a_job_that_nobody_has", "Q_38_a_finished_job", "Q_39", "Q_41", "Q_42", "Q_47", "Q_48",
        "Q_38_who_took_the_job",     // retries by hand
        "Q_40_jobs_that_run_finish", // takes by id
        // And these are about them: lists, what is explained, what is forgotten.
        "a_job_", "jobs_are_listed", "a_list_", "pages_", "few_are", "what_is_forgotten"};
    return std::ranges::any_of(cases, [&](std::string_view c) { return test.starts_with(c); });
}

#endif

} // namespace

void on_every_store(void (*body)(test_context& ctx, const store_under_test& kept)) {
#if LIFEGUARD_WITH_NATS
    const std::string test = boost::unit_test::framework::current_test_case().p_name;
    // A server takes its time: what is cut is what has nothing to do with it.
    if (!is_excepted_on_nats(test) && std::getenv("LIFEGUARD_TEST_CUTS") == nullptr) {
        const store_under_test kept = jetstream();
        BOOST_TEST_CONTEXT("store: " << kept.name) {
            with_one_and_two_threads([&](test_context& ctx) { body(ctx, kept); });
        }
    }
#endif
    for (const store_under_test& kept : stores()) {
        BOOST_TEST_CONTEXT("store: " << kept.name) {
            with_one_and_two_threads([&](test_context& ctx) { body(ctx, kept); });
        }
    }
}

} // namespace lifeguard::test
