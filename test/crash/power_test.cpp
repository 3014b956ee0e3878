// The power is cut at any call that writes or syncs: what was answered is there afterwards.
#include "crash/power_chain.hpp"
#include "support/seed.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>

using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(power)

namespace {

/// How many cuts to make: LIFEGUARD_POWER_CUTS, or as many as fit in a test.
std::size_t cuts_wanted(std::size_t usually) {
    const char* given = std::getenv("LIFEGUARD_POWER_CUTS");
    return given == nullptr ? usually : std::stoul(given);
}

constexpr std::size_t chain_length = 8; // then a new database, or the old jobs take all the time

power_chain::figures cut_power(std::size_t cuts, durability durable) {
    const unsigned seed = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed << ", " << cuts << " power cuts");
    power_chain::figures all;
    for (unsigned chain = 0; all.cuts < cuts; ++chain) {
        power_chain one(seed + chain, durable);
        for (std::size_t i = 0; i < chain_length && all.cuts + i < cuts && !one.is_worn(); ++i)
            for (const std::string& fault : one.cycle())
                BOOST_ERROR("LIFEGUARD_SEED=" << seed + chain << ", cut " << i << ": " << fault);
        all.add(one.so_far());
        if (cuts > 1000 && chain % 25 == 24)
            std::cerr << all.cuts << " of " << cuts << " power cuts, " << all.answers
                      << " answers, " << all.lost << " lost\n";
    }
    BOOST_TEST_MESSAGE(all.cuts << " power cuts, " << all.cuts_opening << " of them while opening, "
                                << all.cuts_closed << " after closing, at any of " << all.calls
                                << " calls; " << all.answers << " answers, " << all.completed
                                << " of them completions; " << all.kept << " changes found, "
                                << all.lost << " lost, " << all.recovered
                                << " found that had no answer");
    return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(what_was_answered_outlives_500_power_cuts) {
    const auto all = cut_power(cuts_wanted(500), durability::power_loss);
    BOOST_TEST(all.lost == 0u);
    // Or it would show nothing.
    BOOST_TEST(all.kept > all.cuts);
    BOOST_TEST(all.recovered > 0u);
    BOOST_TEST(all.cuts_opening > 0u);
    BOOST_TEST(all.cuts_closed > 0u);
}

BOOST_AUTO_TEST_CASE(with_process_crash_a_power_cut_takes_the_last_changes_and_no_others) {
    const auto all = cut_power(cuts_wanted(500) / 5, durability::process_crash);
    BOOST_TEST(all.lost > 0u);
    BOOST_TEST(all.kept > 0u);
}

// The file's beginning of an owner is synced with either durability: the ledger may be found as it
// was when the owner before closed it, and then nothing else says that tokens were given out since.
BOOST_AUTO_TEST_CASE(no_token_is_given_out_twice_when_the_power_goes_soon_after_opening) {
    for (const durability durable : {durability::power_loss, durability::process_crash}) {
        std::mt19937 random(1);
        std::optional<power_disk> disk(std::in_place);
        sqlite_store_options file;
        file.path = new_database_file();
        file.durable = durable;
        std::optional<ledger_after_cut> ledger;
        std::uint32_t token = 0;
        {
            test_context ctx;
            {
                queue_fixture q(ctx, in_file(file));
                q.push(new_job("k"));
            }
            ledger.emplace(file.path);
            queue_fixture q(ctx, in_file(file));
            token = q.take().token;
            disk->cut(tear::none, random);
            ledger->cut_unwritten();
        }
        sqlite_store_options left = file;
        left.path = new_database_file();
        disk->restore(file.path, left.path);
        disk.reset();
        ledger->restore(left.path);
        test_context ctx;
        queue_fixture q(ctx, in_file(left));
        BOOST_TEST(q.take().token > token);
    }
}

BOOST_AUTO_TEST_SUITE_END()
