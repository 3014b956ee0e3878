// What becomes of suspended coroutines when their io_context dies, in Boost 1.81. The library leans
// on every one of these.
#include "compiler/parking.hpp"
#include "compiler/probe.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/strand.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace {

using namespace lifeguard::test;

/// Two frames deep, both of which own something, when it waits.
template <typename Wait>
asio::awaitable<void> hold_and_wait(Wait wait) {
    const owner held(1);
    co_await wait();
    BOOST_TEST(held.value() == 1);
}

template <typename Wait>
asio::awaitable<void> wait_two_deep(Wait wait) {
    const owner held(2);
    co_await hold_and_wait(std::move(wait));
    BOOST_TEST(held.value() == 2);
}

asio::awaitable<void> wait_for_a_post() {
    return wait_two_deep([] { return asio::post(asio::use_awaitable); });
}

/// Holds handlers for a context and drops them when the context goes away.
class shelf final : public asio::execution_context::service {
  public:
    using key_type = shelf;
    static inline asio::execution_context::id id;

    explicit shelf(asio::execution_context& context) : service(context) {}

    asio::awaitable<void> wait() {
        return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
            [this](auto handler) { waiting_.emplace_back(std::move(handler)); },
            asio::use_awaitable);
    }

    std::size_t size() const { return waiting_.size(); }

    static inline int shutdowns = 0;

  private:
    void shutdown() noexcept override {
        ++shutdowns;
        waiting_.clear();
    }

    std::vector<asio::any_completion_handler<void()>> waiting_;
};

struct lifetime_fixture {
    lifetime_fixture() {
        probe::forget_all();
        shelf::shutdowns = 0;
        io.emplace(1);
    }

    /// Spawns `f` on `executor` and runs until nothing is ready.
    template <typename Executor, typename F>
    void spawn(const Executor& executor, F f) {
        asio::co_spawn(executor, std::move(f),
                       [this, held = owner(3)](std::exception_ptr) { ++completions; });
    }

    void poll() {
        io->restart();
        io->poll();
    }

    /// The context dies: every frame and every handler in it goes with it, and none is called.
    void check_that_all_dies_with_the_context() {
        BOOST_TEST(probe::died < probe::born);
        io.reset();
        BOOST_TEST(probe::died == probe::born);
        BOOST_TEST(completions == 0);
    }

    std::optional<asio::io_context> io;
    int completions = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(lifetime_traps, lifetime_fixture)

BOOST_AUTO_TEST_CASE(frame_that_was_never_resumed_dies_with_the_context) {
    spawn(io->get_executor(), wait_for_a_post);
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_CASE(frames_in_the_queue_die_with_the_context) {
    spawn(io->get_executor(), wait_for_a_post);
    io->poll_one();
    check_that_all_dies_with_the_context();
}

// Nothing here keeps a strand longer than its context: the destructor of its last copy would touch
// a service of the context that is gone.
BOOST_AUTO_TEST_CASE(frames_in_the_queue_of_a_strand_die_with_the_context) {
    {
        const auto strand = asio::make_strand(io->get_executor());
        for (int i = 0; i < 3; ++i)
            spawn(strand, wait_for_a_post);
        io->poll_one(); // the strand runs what it holds, and is queued again
    }
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_CASE(frames_in_the_queue_of_a_type_erased_strand_die_with_the_context) {
    {
        const asio::any_io_executor inner = io->get_executor();
        const asio::any_io_executor strand = asio::make_strand(inner);
        for (int i = 0; i < 3; ++i)
            spawn(strand, wait_for_a_post);
        io->poll_one();
    }
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_CASE(frames_of_a_strand_that_was_never_run_die_with_the_context) {
    {
        const auto strand = asio::make_strand(io->get_executor());
        for (int i = 0; i < 3; ++i)
            spawn(strand, wait_for_a_post);
    }
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_CASE(frames_that_wait_for_a_child_die_with_the_context) {
    spawn(io->get_executor(), [this] {
        return wait_two_deep(
            [this] { return asio::co_spawn(*io, wait_for_a_post, asio::use_awaitable); });
    });
    io->poll_one();
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_CASE(dropped_handler_posts_the_unwinding_of_its_frames) {
    auto place = std::make_unique<parking>(io->get_executor());
    spawn(io->get_executor(), [&] { return wait_two_deep([&] { return place->park(); }); });
    poll();
    const int alive = probe::born - probe::died;
    BOOST_TEST(alive > 0);

    place.reset();
    BOOST_TEST(probe::born - probe::died == alive);
    poll();
    BOOST_TEST(probe::died == probe::born);
    BOOST_TEST(completions == 0);
}

BOOST_AUTO_TEST_CASE(dropped_handler_unwinds_while_the_context_dies) {
    auto place = std::make_unique<parking>(io->get_executor());
    spawn(io->get_executor(), [&] { return wait_two_deep([&] { return place->park(); }); });
    poll();

    place.reset(); // what it posted is dropped with the context
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_CASE(service_is_shut_down_when_its_context_dies) {
    asio::use_service<shelf>(*io);
    BOOST_TEST(shelf::shutdowns == 0);
    io.reset();
    BOOST_TEST(shelf::shutdowns == 1);
}

BOOST_AUTO_TEST_CASE(service_is_found_through_an_executor) {
    const asio::any_io_executor executor = asio::make_strand(io->get_executor());
    asio::execution_context& context = asio::query(executor, asio::execution::context);
    BOOST_TEST(&asio::use_service<shelf>(context) == &asio::use_service<shelf>(*io));
}

BOOST_AUTO_TEST_CASE(frames_held_by_a_service_die_with_the_context) {
    auto& held = asio::use_service<shelf>(*io);
    for (int i = 0; i < 3; ++i)
        spawn(io->get_executor(), [&] { return wait_two_deep([&] { return held.wait(); }); });
    poll();
    BOOST_TEST(held.size() == 3u);
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_CASE(frames_of_a_strand_held_by_an_older_service_die_with_the_context) {
    auto& held = asio::use_service<shelf>(*io); // shut down after the strands are
    {
        const auto strand = asio::make_strand(io->get_executor());
        for (int i = 0; i < 3; ++i)
            spawn(strand, [&] { return wait_two_deep([&] { return held.wait(); }); });
    }
    poll();
    BOOST_TEST(held.size() == 3u);
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_CASE(frames_of_a_strand_held_by_a_younger_service_die_with_the_context) {
    std::optional strand = asio::make_strand(io->get_executor());
    auto& held = asio::use_service<shelf>(*io); // shut down before the strands are
    for (int i = 0; i < 3; ++i)
        spawn(*strand, [&] { return wait_two_deep([&] { return held.wait(); }); });
    strand.reset();
    poll();
    BOOST_TEST(held.size() == 3u);
    check_that_all_dies_with_the_context();
}

BOOST_AUTO_TEST_SUITE_END()
