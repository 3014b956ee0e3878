#include "store/database_file.hpp"
#include "store/sqlite/ledger.hpp"
#include "support/errors.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>

using namespace lifeguard;
using namespace lifeguard::test;
using detail::ledger;

BOOST_AUTO_TEST_SUITE(ledger_file)

namespace {

constexpr ledger::id_bytes store{1, 2, 3};

ledger::mark mark_of(std::uint64_t n) {
    return {job_id(7, n), static_cast<std::uint32_t>(n + 1), static_cast<std::uint32_t>(n + 2)};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_new_one_says_nothing) {
    const ledger l(new_database_file());
    BOOST_TEST(l.read().marks.empty());
    BOOST_TEST(l.read().epoch == 0u);
}

BOOST_AUTO_TEST_CASE(marks_that_were_not_removed_are_read_back) {
    const std::string path = new_database_file();
    {
        ledger l(path);
        l.begin(5, store);
        for (std::uint64_t n = 0; n < 3; ++n) {
            const auto slot = l.add(mark_of(n));
            if (n == 1)
                l.remove(slot);
        }
    }
    ledger l(path);
    auto left = l.read();
    BOOST_TEST(left.epoch == 5u);
    BOOST_TEST((left.store == store));
    BOOST_TEST(left.this_boot);
    BOOST_TEST(!left.clean);
    BOOST_TEST_REQUIRE(left.marks.size() == 2u);
    std::ranges::sort(left.marks, {}, [](const ledger::mark& m) { return m.job.low(); });
    BOOST_TEST((left.marks[1].job == job_id(7, 2)));
    BOOST_TEST(left.marks[1].attempt == 3u);
    BOOST_TEST(left.marks[1].delivery == 4u);
    l.begin(6, store);
    BOOST_TEST(l.read().marks.empty());
}

BOOST_AUTO_TEST_CASE(it_grows_and_uses_its_slots_again) {
    const std::string path = new_database_file();
    constexpr std::uint64_t many = 10'000; // more than a chunk holds
    {
        ledger l(path);
        l.begin(1, store);
        std::vector<ledger::slot_number> slots;
        for (std::uint64_t n = 0; n < many; ++n)
            slots.push_back(l.add(mark_of(n)));
        BOOST_TEST(std::ranges::count(slots, ledger::no_slot) == 0);
        std::ranges::sort(slots);
        BOOST_TEST((std::ranges::adjacent_find(slots) == slots.end()));
        const auto size = std::filesystem::file_size(path + "-ledger");
        for (const auto slot : slots)
            l.remove(slot);
        for (std::uint64_t n = 0; n < many; ++n)
            l.add(mark_of(n));
        BOOST_TEST(std::filesystem::file_size(path + "-ledger") == size);
        l.close_clean();
    }
    const ledger l(path);
    BOOST_TEST(l.read().marks.size() == many);
    BOOST_TEST(l.read().clean);
}

BOOST_AUTO_TEST_CASE(one_that_was_cut_off_and_one_that_is_something_else) {
    const std::string path = new_database_file();
    std::ofstream(path + "-ledger") << std::string(100, '\0');
    {
        BOOST_TEST(ledger(path).read().marks.empty());
    }
    std::ofstream(path + "-ledger") << "a text that somebody wrote";
    const thrown t = thrown_by([&] { ledger l(path); });
    BOOST_TEST((t.code == errc::store_corrupt));
    BOOST_TEST(t.text.find(path + "-ledger") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
