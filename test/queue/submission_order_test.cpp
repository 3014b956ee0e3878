// The order of submission against a map.
#include "queue/random.hpp"
#include "store/submission_order.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>

using namespace lifeguard;
using namespace lifeguard::detail;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(submission_orders)

BOOST_AUTO_TEST_CASE(it_is_what_a_map_would_be) {
    const std::uint64_t seed = test_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    random_numbers random(seed);
    submission_order order;
    std::map<std::int64_t, std::unique_ptr<job_record>> model;
    std::int64_t last = 0;
    const auto up_to = [&](std::int64_t n) {
        return static_cast<std::int64_t>(random.below(static_cast<std::size_t>(n) + 1));
    };
    for (int step = 0; step < 20'000; ++step) {
        const auto choice = random.below(100);
        if (choice < 50 || model.empty()) {
            // Mostly the next number; now and then one left out, as after a restart.
            last += random.one_in(10) ? up_to(99) + 1 : 1;
            auto job = std::make_unique<job_record>();
            job->row = last;
            order.add(*job);
            model.emplace(last, std::move(job));
        } else if (choice < 98) {
            auto at = random.one_in(3) ? model.begin() : model.lower_bound(up_to(last));
            if (at == model.end())
                at = model.begin();
            order.remove(*at->second);
            model.erase(at);
        } else {
            const std::int64_t after = up_to(last + 1);
            std::size_t most = random.below(50);
            auto expected = model.upper_bound(after);
            bool same = true;
            order.walk(after, [&](const job_record& job) {
                same = same && expected != model.end() && &job == expected->second.get();
                ++expected;
                return same && most-- != 0;
            });
            BOOST_TEST_REQUIRE(same);
        }
    }
    std::size_t left = 0;
    order.walk(0, [&](const job_record&) { return ++left != 0; });
    BOOST_TEST(left == model.size());
}

BOOST_AUTO_TEST_CASE(numbers_may_come_in_any_order) {
    submission_order order;
    std::array<job_record, 100> jobs;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        jobs[i].row = static_cast<std::int64_t>((i * 37) % 100) * 7 + 1;
        order.add(jobs[i]);
    }
    std::int64_t before = 0;
    std::size_t seen = 0;
    order.walk(0, [&](const job_record& job) {
        BOOST_TEST(job.row > before);
        before = job.row;
        return ++seen != 0;
    });
    BOOST_TEST(seen == jobs.size());
    for (job_record& job : jobs)
        order.remove(job);
    order.walk(0, [&](const job_record&) {
        BOOST_ERROR("it is empty");
        return true;
    });
}

BOOST_AUTO_TEST_SUITE_END()
