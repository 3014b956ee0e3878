#include "queue/index_fixture.hpp"

using namespace lifeguard;
using namespace lifeguard::detail;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(job_index)

namespace {

struct world {
    explicit world(retention keep = {}) : index(keep) {}
    job_record& insert(std::uint64_t number, int priority = 5, std::int64_t due = 0) {
        return index.insert(all.job(job_id(1, number), 0, 0, priority, due), 0);
    }
    job_record* take() { return index.take(queue, false, {}); }

    names all;
    detail::job_index index;
    std::array<queue_entry*, 1> queue{&all.queues[0]};
};

} // namespace

BOOST_AUTO_TEST_CASE(the_table_grows_and_finds_everything) {
    world w;
    constexpr std::uint64_t many = 10'000;
    for (std::uint64_t n = 1; n <= many; ++n) {
        w.insert(n);
        if ((n & (n - 1)) == 0) // around every power of two
            for (std::uint64_t m = 1; m <= n; ++m)
                BOOST_REQUIRE(w.index.find(job_id(1, m)) != nullptr);
    }
    BOOST_TEST(w.index.find(job_id(1, many + 1)) == nullptr);
    BOOST_TEST(w.index.find(job_id(2, 1)) == nullptr);
    for (std::uint64_t n = 1; n <= many; n += 2)
        w.index.remove(*w.index.find(job_id(1, n)));
    for (std::uint64_t n = 1; n <= many; ++n)
        BOOST_REQUIRE((w.index.find(job_id(1, n)) != nullptr) == (n % 2 == 0));
    BOOST_TEST(w.index.size() == many / 2);
}

BOOST_AUTO_TEST_CASE(a_job_that_comes_back_has_its_old_place) {
    world w;
    for (std::uint64_t n = 1; n <= 6; ++n)
        w.insert(n);
    job_record* first = w.take();
    job_record* second = w.take();
    job_record* newest = w.index.find(job_id(1, 6));
    job_record* middle = w.index.find(job_id(1, 4));
    w.index.take(*newest);
    w.index.take(*middle);
    for (job_record* job : {newest, second, middle, first})
        w.index.give_back(*job);
    for (std::uint64_t n = 1; n <= 6; ++n)
        BOOST_TEST((w.take()->id == job_id(1, n)));
    BOOST_TEST(w.take() == nullptr);
}

BOOST_AUTO_TEST_CASE(a_job_that_was_due_goes_behind_those_that_wait) {
    world w;
    job_record& scheduled = w.insert(1, 5, 10);
    job_record& waiting = w.insert(2);
    BOOST_TEST(w.index.make_due(9) == nullptr);
    BOOST_TEST(w.index.make_due(10) == &scheduled);
    BOOST_TEST(w.take() == &waiting);
    BOOST_TEST(w.take() == &scheduled);
}

BOOST_AUTO_TEST_CASE(finished_jobs_are_kept_up_to_a_number) {
    world w({3, 2});
    for (std::uint64_t n = 1; n <= 20; ++n) {
        w.insert(n);
        w.index.finish(*w.take(), n % 2 == 0   ? job_state::discarded
                                  : n % 3 == 0 ? job_state::cancelled
                                               : job_state::completed);
    }
    BOOST_TEST(w.index.size() == 5u);
    for (const std::uint64_t kept : {15u, 17u, 18u, 19u, 20u})
        BOOST_TEST(w.index.find(job_id(1, kept)) != nullptr);
    const queue_entry& queue = w.all.queues[0];
    BOOST_TEST(queue.count(job_state::completed) + queue.count(job_state::cancelled) == 3u);
    BOOST_TEST(queue.count(job_state::discarded) == 2u);
}

BOOST_AUTO_TEST_CASE(none_kept_means_forgotten_at_once) {
    world w({0, 0});
    w.insert(1);
    w.index.finish(*w.take(), job_state::completed);
    w.insert(2);
    w.index.finish(*w.take(), job_state::discarded);
    BOOST_TEST(w.index.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_pinned_record_outlives_its_job) {
    world w({0, 0});
    w.insert(1);
    job_record* job = w.take();
    job->payload = "kept";
    detail::job_index::pin(*job);
    {
        const detail::job_index::pinned twice(w.index, *job);
        w.index.finish(*job, job_state::completed);
        BOOST_TEST(w.index.find(job_id(1, 1)) == nullptr);
    }
    BOOST_TEST(job->removed);
    BOOST_TEST(job->payload == "kept");
    w.index.unpin(*job); // ASan sees whether it is freed, and once
}

BOOST_AUTO_TEST_CASE(a_lease_can_be_moved) {
    world w;
    w.insert(1);
    w.insert(2);
    job_record* one = w.take();
    job_record* two = w.take();
    w.index.watch_lease(*one, 10);
    w.index.watch_lease(*two, 20);
    w.index.watch_lease(*one, 30);
    BOOST_TEST((w.index.next_expiry() == 20));
    BOOST_TEST(w.index.expired(19) == nullptr);
    BOOST_TEST(w.index.expired(20) == two);
    w.index.unwatch_lease(*two);
    BOOST_TEST(w.index.expired(29) == nullptr);
    w.index.finish(*one, job_state::completed);
    BOOST_TEST(!w.index.next_expiry().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
