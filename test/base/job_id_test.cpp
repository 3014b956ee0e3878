#include <lifeguard/job_id.hpp>

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <unordered_set>

using namespace lifeguard;
using namespace std::chrono_literals;

namespace {

wall_time at(std::chrono::milliseconds since_1970) {
    return wall_time(std::chrono::duration_cast<wall_time::duration>(since_1970));
}

std::uint64_t milliseconds_of(job_id id) { return id.high() >> 16; }

} // namespace

BOOST_AUTO_TEST_SUITE(job_ids)

BOOST_AUTO_TEST_CASE(text_is_read_in_either_case_and_written_in_lower) {
    const auto id = job_id::parse("0190A6F2-8c5e-7B3a-9F00-1234567890aB");
    BOOST_TEST_REQUIRE(id.has_value());
    BOOST_TEST(id->to_string() == "0190a6f2-8c5e-7b3a-9f00-1234567890ab");
    BOOST_TEST(id->high() == 0x0190a6f28c5e7b3aU);
    BOOST_TEST(id->low() == 0x9f001234567890abU);
    BOOST_TEST((job_id::parse(id->to_string()) == id));
    BOOST_TEST(job_id().to_string() == "00000000-0000-0000-0000-000000000000");
    BOOST_TEST(job_id().is_nil());
    BOOST_TEST(!id->is_nil());
}

BOOST_AUTO_TEST_CASE(anything_else_is_no_id) {
    const std::string good = "0190a6f2-8c5e-7b3a-9f00-1234567890ab";
    BOOST_TEST(!job_id::parse("").has_value());
    BOOST_TEST(!job_id::parse(good.substr(1)).has_value());
    BOOST_TEST(!job_id::parse(good + "0").has_value());
    BOOST_TEST(!job_id::parse("{" + good.substr(1, 34) + "}").has_value());
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const char wrong : {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\xff'}) {
            std::string text = good;
            text[i] = wrong;
            BOOST_TEST(!job_id::parse(text).has_value(), text);
        }
        std::string text = good;
        text[i] = good[i] == '-' ? '0' : '-';
        BOOST_TEST(!job_id::parse(text).has_value(), text);
    }
}

BOOST_AUTO_TEST_CASE(ids_sort_as_their_texts) {
    const job_id a(1, 0xffffffffffffffffU), b(2, 0), c(0x8000000000000000U, 0);
    BOOST_TEST((a < b && b < c));
    BOOST_TEST((a.to_string() < b.to_string() && b.to_string() < c.to_string()));
    BOOST_TEST((job_id(1, 1) < job_id(1, 2)));
}

BOOST_AUTO_TEST_CASE(made_ids_are_of_version_7_and_carry_the_time) {
    job_id_generator make(1);
    for (const auto ms : {0ms, 1ms, 1721822000734ms, 9000000000000ms}) {
        const job_id id = make.next(at(ms));
        const std::string text = id.to_string();
        BOOST_TEST(text[14] == '7', text);
        BOOST_TEST((text[19] == '8' || text[19] == '9' || text[19] == 'a' || text[19] == 'b'),
                   text);
        BOOST_TEST(milliseconds_of(id) == static_cast<std::uint64_t>(ms.count()));
    }
}

BOOST_AUTO_TEST_CASE(ids_rise_within_a_millisecond_and_beyond_its_4096) {
    job_id_generator make(2);
    const auto now = at(1721822000734ms);
    job_id last;
    for (int i = 0; i < 3 * 4096; ++i) {
        const job_id id = make.next(now);
        BOOST_TEST_REQUIRE((last < id));
        BOOST_TEST_REQUIRE(((id.high() >> 12) & 0xf) == 7u);
        last = id;
    }
    // It has run ahead by what did not fit, no more.
    BOOST_TEST(milliseconds_of(last) == 1721822000734u + 2);
}

BOOST_AUTO_TEST_CASE(ids_rise_when_the_clock_goes_back) {
    job_id_generator make(3);
    job_id last = make.next(at(1721822000734ms));
    for (const auto ms : {1721822000733ms, 1000ms, 0ms, -1ms, -1721822000734ms}) {
        const job_id id = make.next(at(ms));
        BOOST_TEST((last < id));
        BOOST_TEST(milliseconds_of(id) == 1721822000734u);
        last = id;
    }
    BOOST_TEST(milliseconds_of(make.next(at(1721822000735ms))) == 1721822000735u);
}

BOOST_AUTO_TEST_CASE(generators_differ_unless_their_seed_is_the_same) {
    const auto now = at(1721822000734ms);
    job_id_generator a(4), b(4), c(5), d, e;
    const job_id first = a.next(now);
    BOOST_TEST((first == b.next(now)));
    BOOST_TEST((first != c.next(now)));
    BOOST_TEST((d.next(now) != e.next(now)));
    std::set<std::uint64_t> random;
    for (int i = 0; i < 10000; ++i)
        random.insert(a.next(now).low());
    BOOST_TEST(random.size() == 10000u);
}

BOOST_AUTO_TEST_CASE(hashes_spread_ids_that_differ_in_one_half) {
    std::unordered_set<std::size_t> hashes;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        hashes.insert(std::hash<job_id>()(job_id(i << 16, 7)));
        hashes.insert(std::hash<job_id>()(job_id(7, i << 16)));
    }
    BOOST_TEST(hashes.size() > 1990u);
}

BOOST_AUTO_TEST_SUITE_END()
