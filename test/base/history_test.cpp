#include <lifeguard/history.hpp>

#include <boost/test/unit_test.hpp>

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

using lifeguard::capped_history;

namespace {

template <typename T>
std::vector<T> items(const capped_history<T>& history) {
    return {history.begin(), history.end()};
}

capped_history<int> counting_to(int last, std::size_t limit) {
    capped_history<int> history(limit);
    for (int i = 1; i <= last; ++i)
        history.append(i);
    return history;
}

using ints = std::vector<int>;

} // namespace

BOOST_AUTO_TEST_SUITE(history)

BOOST_AUTO_TEST_CASE(SEED_03_newest_first_and_never_above_the_limit) {
    capped_history<int> h(3);
    BOOST_TEST(h.empty());
    BOOST_TEST(items(h) == ints{}, boost::test_tools::per_element());
    const std::vector<ints> expected{{1},       {2, 1},    {3, 2, 1}, {4, 3, 2},
                                     {5, 4, 3}, {6, 5, 4}, {7, 6, 5}};
    for (int i = 1; i <= 7; ++i) {
        h.append(i);
        BOOST_TEST(items(h) == expected[static_cast<std::size_t>(i - 1)],
                   boost::test_tools::per_element());
        BOOST_TEST(h[0] == i);
        BOOST_TEST(h.size() <= 3u);
    }
    BOOST_TEST(h[2] == 5);
    BOOST_TEST(h.limit() == 3u);
}

BOOST_AUTO_TEST_CASE(SEED_03_limit_0_keeps_nothing) {
    const auto h = counting_to(5, 0);
    BOOST_TEST(h.empty());
    BOOST_TEST((h.begin() == h.end()));
}

BOOST_AUTO_TEST_CASE(SEED_03_lowering_the_limit_trims_at_the_next_append) {
    for (const int appended : {5, 6, 7, 8, 9}) { // at every turn of the ring
        auto h = counting_to(appended, 5);
        h.set_limit(2);
        BOOST_TEST(h.size() == 5u);
        BOOST_TEST(h[4] == appended - 4);
        h.append(100);
        const ints expected{100, appended};
        BOOST_TEST(items(h) == expected, boost::test_tools::per_element());
        h.set_limit(0);
        h.append(101);
        BOOST_TEST(h.empty());
    }
}

BOOST_AUTO_TEST_CASE(raising_the_limit_keeps_the_order) {
    auto h = counting_to(7, 3);
    h.set_limit(5);
    for (int i = 8; i <= 11; ++i)
        h.append(i);
    const ints expected{11, 10, 9, 8, 7};
    BOOST_TEST(items(h) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(clear_forgets_everything) {
    auto h = counting_to(5, 3);
    h.clear();
    BOOST_TEST(h.empty());
    h.append(1);
    h.append(2);
    const ints expected{2, 1};
    BOOST_TEST(items(h) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_forgotten_is_destroyed) {
    capped_history<std::shared_ptr<int>> h(2);
    const auto item = std::make_shared<int>(1);
    h.append(item);
    h.append(nullptr);
    BOOST_TEST(item.use_count() == 2);
    h.append(nullptr);
    BOOST_TEST(item.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(behaves_as_a_plain_list_would) {
    const auto seed = std::random_device()();
    BOOST_TEST_CONTEXT("seed " << seed) {
        std::mt19937 random(seed);
        capped_history<std::string> h(4);
        std::deque<std::string> model;
        std::size_t limit = 4;
        for (int step = 0; step < 5000; ++step) {
            if (random() % 5 == 0)
                h.set_limit(limit = random() % 9);
            h.append(std::to_string(step));
            model.push_front(std::to_string(step));
            while (model.size() > limit)
                model.pop_back();
            BOOST_TEST_REQUIRE(std::equal(h.begin(), h.end(), model.begin(), model.end()));
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
