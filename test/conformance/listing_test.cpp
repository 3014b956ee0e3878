// Jobs by the page.
#include "conformance/queue_fixture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(listing)

namespace {

job_page page_of(test_context& ctx, queue_fixture& q, const list_options& options) {
    return ctx.await(q.queue.list(options));
}

/// All pages of so many.
std::vector<job_id> pages_of(test_context& ctx, queue_fixture& q, list_options options,
                             std::size_t limit) {
    options.limit = limit;
    std::vector<job_id> all;
    do {
        const job_page page = page_of(ctx, q, options);
        BOOST_TEST_REQUIRE(page.jobs.size() <= limit);
        if (page.next != 0 && options.after != 0)
            BOOST_TEST_REQUIRE((page.next > options.after) == !options.newest_first);
        for (const job_info& job : page.jobs)
            all.push_back(job.id);
        options.after = page.next;
    } while (options.after != 0);
    return all;
}

list_options of_state(job_state state) {
    list_options options;
    options.state = state;
    return options;
}

} // namespace

LIFEGUARD_STORE_TEST(jobs_are_listed_in_the_order_of_submission_whatever_their_state) {
    queue_fixture q(ctx, kept);
    std::vector<job_id> ids;
    for (int i = 0; i < 25; ++i)
        ids.push_back(q.push(i % 10)); // of any priority
    q.complete(q.take());
    q.fail(q.take());
    const taken_job dead = ctx.await(q.queue.take_by_id(ids[7]));
    ctx.await(q.queue.discard(dead.id, dead.token, "no good"));
    q.take();
    for (const std::size_t limit : {1u, 7u, 25u, 100u})
        BOOST_TEST(pages_of(ctx, q, list_options(), limit) == ids,
                   boost::test_tools::per_element());
    list_options options;
    options.limit = 25;
    BOOST_TEST(page_of(ctx, q, options).next == 0); // there is none behind the last
}

LIFEGUARD_STORE_TEST(jobs_are_listed_newest_first_when_asked_for) {
    queue_fixture q(ctx, kept);
    std::vector<job_id> ids;
    std::vector<job_id> rare; // a thousand others between two of them
    for (int i = 0; i < 2500; ++i) {
        ids.push_back(q.push(new_job(i % 1200 == 50 ? "rare" : "k")));
        if (i % 1200 == 50)
            rare.push_back(ids.back());
    }
    for (const std::size_t gone : {2499u, 1200u, 1199u, 0u}) { // both ends among them
        ctx.await(q.queue.remove(ids[gone]));
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(gone));
    }
    std::ranges::reverse(ids);
    std::ranges::reverse(rare);
    list_options options;
    options.newest_first = true;
    for (const std::size_t limit : {7u, 1000u})
        BOOST_TEST(pages_of(ctx, q, options, limit) == ids, boost::test_tools::per_element());
    options.kind = "rare";
    for (const std::size_t limit : {1u, 3u})
        BOOST_TEST(pages_of(ctx, q, options, limit) == rare, boost::test_tools::per_element());
    options.limit = 5;
    options.kind.clear();
    options.after = page_of(ctx, q, options).next;
    const job_id late = q.push(new_job("k")); // is not behind the place
    BOOST_TEST(page_of(ctx, q, options).jobs.at(0).id == ids[5]);
    options.after = 0;
    BOOST_TEST(page_of(ctx, q, options).jobs.at(0).id == late);
}

LIFEGUARD_STORE_TEST(a_list_is_of_a_queue_a_state_and_a_kind) {
    queue_fixture q(ctx, kept);
    std::vector<job_id> mine;
    for (int i = 0; i < 12; ++i) {
        new_job job(i % 2 == 0 ? "even" : "odd");
        job.queue = i % 3 == 0 ? "thirds" : "others";
        const job_id id = q.push(job);
        if (i % 6 == 0)
            mine.push_back(id);
    }
    list_options options("thirds");
    options.kind = "even";
    BOOST_TEST(pages_of(ctx, q, options, 1) == mine, boost::test_tools::per_element());
    const job_info listed = page_of(ctx, q, options).jobs.at(0);
    BOOST_TEST(listed.kind == "even");
    BOOST_TEST(listed.queue == "thirds");
    BOOST_TEST(listed.state == job_state::available);
    BOOST_TEST(listed.payload.empty());
    take_options take("thirds");
    take.kinds = {"even"};
    const taken_job done = q.take(take).at(0);
    q.complete(done);
    options.state = job_state::completed;
    BOOST_TEST(pages_of(ctx, q, options, 5) == std::vector<job_id>{done.id},
               boost::test_tools::per_element());
    BOOST_TEST(pages_of(ctx, q, of_state(job_state::retryable), 5).empty());
    BOOST_TEST(pages_of(ctx, q, list_options("nobody has named it"), 5).empty());
    options.kind = "nobody knows it";
    BOOST_TEST(pages_of(ctx, q, options, 5).empty());
}

LIFEGUARD_STORE_TEST(pages_go_on_when_jobs_come_and_go_between_them) {
    queue_fixture q(ctx, kept);
    std::vector<job_id> ids;
    for (int i = 0; i < 40; ++i)
        ids.push_back(q.push(new_job("k")));
    list_options options;
    options.limit = 10;
    job_page page = page_of(ctx, q, options);
    BOOST_TEST(page.jobs.back().id == ids[9]);
    for (const std::size_t gone : {0u, 9u, 10u, 11u, 17u}) // the last of the page among them
        ctx.await(q.queue.remove(ids[gone]));
    ids.push_back(q.push(0));
    options.after = page.next;
    options.limit = 100;
    page = page_of(ctx, q, options);
    std::vector<job_id> expected(ids.begin() + 12, ids.end());
    std::erase(expected, ids[17]);
    std::vector<job_id> listed;
    for (const job_info& job : page.jobs)
        listed.push_back(job.id);
    BOOST_TEST(listed == expected, boost::test_tools::per_element());
}

LIFEGUARD_STORE_TEST(few_are_found_among_many) {
    queue_fixture q(ctx, kept);
    std::vector<job_id> ids;
    for (int i = 0; i < 3500; ++i)
        ids.push_back(q.push(new_job("k")));
    std::vector<job_id> taken;
    for (const std::size_t i : {3u, 1999u, 2000u, 3499u})
        taken.push_back(ctx.await(q.queue.take_by_id(ids[i])).id);
    BOOST_TEST(pages_of(ctx, q, of_state(job_state::executing), 1000) == taken,
               boost::test_tools::per_element());
    BOOST_TEST(pages_of(ctx, q, of_state(job_state::executing), 1) == taken,
               boost::test_tools::per_element());
    BOOST_TEST(pages_of(ctx, q, list_options(), 1000) == ids, boost::test_tools::per_element());
}

LIFEGUARD_STORE_TEST(what_is_forgotten_is_listed_no_more) {
    keeping how;
    how.number_max = 50;
    queue_fixture q(ctx, {kept.name, [&] { return kept.make_keeping(how); }});
    std::vector<job_id> ids;
    for (int i = 0; i < 200; ++i) {
        ids.push_back(q.push(new_job("k")));
        if (i % 20 != 0) // the others wait, here and there
            q.complete(ctx.await([&]() -> asio::awaitable<taken_job> {
                co_return co_await q.queue.take_by_id(ids.back());
            }));
    }
    const auto listed = pages_of(ctx, q, list_options(), 7);
    BOOST_TEST(listed.size() == 60u);
    for (std::size_t i = 0, at = 0; i < ids.size(); ++i)
        if (q.queue.find(ids[i]).has_value())
            BOOST_TEST(listed.at(at++) == ids[i]);
}

LIFEGUARD_STORE_TEST(a_list_without_bounds_is_refused) {
    queue_fixture q(ctx, kept);
    for (const std::size_t limit : {0u, 1001u}) {
        list_options options;
        options.limit = limit;
        BOOST_TEST((thrown_by([&] { page_of(ctx, q, options); }).code == errc::invalid_option));
    }
    list_options options;
    options.after = -1;
    BOOST_TEST((thrown_by([&] { page_of(ctx, q, options); }).code == errc::invalid_option));
}

BOOST_AUTO_TEST_SUITE_END()
