// Starting: a handshake per child, in order; what fails, what is ignored.
#include "supervision/puppet.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(start)

namespace {

/// A child that waits for `ready` and says so when it is told.
struct slow_starter {
    std::shared_ptr<detail::reply> go = std::make_shared<detail::reply>();
    std::shared_ptr<journal> notes = std::make_shared<journal>();

    child_spec spec(std::string id) const {
        child_spec s(std::move(id), [*this](child_context self) -> asio::awaitable<void> {
            notes->add("begins " + self.id());
            co_await detail::reply::wait(go);
            self.ready(std::string("info of ") + self.id());
            notes->add("ready " + self.id());
            co_await forever();
        });
        s.waits_for_ready = true;
        return s;
    }
};

std::string nested_cause(const std::exception& e) {
    try {
        std::rethrow_if_nested(e);
    } catch (const std::exception& cause) {
        return cause.what();
    }
    return {};
}

/// What an operation fails with, and the exception nested in that: "code: cause".
template <typename T>
std::string failure_of(test_context& ctx, asio::awaitable<T> op) {
    try {
        ctx.await(std::move(op));
    } catch (const error& e) {
        return std::string(name_of(static_cast<errc>(e.code().value()))) + ": " + nested_cause(e);
    }
    return {};
}

} // namespace

LIFEGUARD_TEST(SUP_03_child_that_ignores_is_kept_as_not_started) {
    const puppet a("a"), b("b");
    a.ignores(1);
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    const started_child added = ctx.await(sup.start_child(a.spec()));
    BOOST_TEST(added.incarnation == 0U);
    BOOST_TEST(added.id == "a");
    ctx.await(sup.start_child(b.spec()));
    BOOST_TEST(list(ctx, sup) == "a not_started 0, b running 1");
    BOOST_TEST(counts(ctx, sup) == "2,1,0,2");
    BOOST_TEST(ctx.await(sup.restart_child("a")).incarnation == 1U); // this time it runs
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(SUP_04_temporary_child_that_ignores_is_not_kept) {
    const puppet a("a"), b("b");
    a.ignores(1);
    supervisor sup(ctx.executor(), flags(ctx),
                   {a.spec(restart_type::temporary), b.spec(restart_type::temporary)});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "b running 1");
    BOOST_TEST(counts(ctx, sup) == "1,1,0,1");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(SUP_05_temporary_child_that_ignores_is_not_kept_when_added) {
    const puppet a("a"), b("b");
    a.ignores(1);
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    BOOST_TEST(ctx.await(sup.start_child(a.spec(restart_type::temporary))).incarnation == 0U);
    ctx.await(sup.start_child(b.spec(restart_type::temporary)));
    BOOST_TEST(list(ctx, sup) == "b running 1");
    BOOST_TEST(counts(ctx, sup) == "1,1,0,1");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(child_that_ignores_its_restart_stays_down) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.ignores(1);
    a.crashes();
    ctx.settle();
    BOOST_TEST(counts(ctx, sup) == "1,0,0,1");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(SUP_08_child_that_fails_to_start_is_not_kept) {
    const puppet a("a");
    a.fails_to_start(1);
    // A coroutine that ends before it is ready has not started either.
    child_spec early("b", []() -> asio::awaitable<void> { throw std::runtime_error("no entry"); });
    early.waits_for_ready = true;
    supervisor sup(ctx.executor(), flags(ctx, 0));
    const auto run = ctx.spawn(sup.run());
    BOOST_TEST(failure_of(ctx, sup.start_child(a.spec())) == "start_failed: no start");
    BOOST_TEST(failure_of(ctx, sup.start_child(early)) == "start_failed: no entry");
    BOOST_TEST(list(ctx, sup) == "");
    try {
        ctx.await(sup.start_child(early));
        BOOST_ERROR("started");
    } catch (const error& e) {
        BOOST_TEST(e.detail() == "supervisor 'top', child 'b': no entry");
    }
    ctx.await(sup.stop()); // intensity 0 was not charged
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(SUP_09_failed_restart_by_call_leaves_the_child_down) {
    const puppet a("a");
    a.fails_to_start(1000, 1);
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.terminate_child("a"));
    BOOST_TEST(failure_of(ctx, sup.restart_child("a")) == "start_failed: no start");
    BOOST_TEST(counts(ctx, sup) == "1,0,0,1");
    BOOST_TEST(a.starts() == 2);
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(SUP_11_failed_initial_start_stops_what_has_started) {
    const auto notes = std::make_shared<journal>();
    const puppet a("a", notes), b("b", notes), c("c", notes), d("d", notes);
    c.fails_to_start(1);
    supervisor sup(ctx.executor(), flags(ctx), {a.spec(), b.spec(), c.spec(), d.spec()});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(notes->take() == "+a, +b, -b, -a");
    BOOST_TEST(d.starts() == 0);
    BOOST_TEST_REQUIRE(run.ready());
    try {
        std::rethrow_exception(run.exception());
    } catch (const error& e) {
        BOOST_TEST(e.code() == errc::start_failed);
        BOOST_TEST(e.detail() == "supervisor 'top', child 'c': no start");
        BOOST_TEST(nested_cause(e) == "no start");
    }
    BOOST_TEST(heard.take() ==
               "started a1, started b1, failed c1 error(no start), exited b1 shutdown, "
               "exited a1 shutdown, ended error(no start)");
    BOOST_TEST(error_of(ctx, sup.count_children()) == "no_such_supervisor");
}

LIFEGUARD_TEST(next_child_starts_when_the_one_before_is_ready) {
    const slow_starter slow;
    const puppet b("b", slow.notes);
    supervisor sup(ctx.executor(), flags(ctx), {slow.spec("a"), b.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(slow.notes->take() == "begins a");
    const auto call = ctx.spawn(sup.start_child(puppet("c", slow.notes).spec()));
    ctx.settle();
    BOOST_TEST(slow.notes->take() == ""); // calls wait for the initial start
    slow.go->arrive();
    ctx.settle();
    BOOST_TEST(slow.notes->take().ends_with("+b, +c"));
    BOOST_TEST(call.ready());
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(SUP_23_info_of_a_start_is_returned_to_the_caller) {
    int starts = 0;
    const auto gate = std::make_shared<std::shared_ptr<detail::reply>>();
    child_spec spec("a", [&, gate] {
        *gate = std::make_shared<detail::reply>();
        return child_body(detail::reply::wait(*gate), "info " + std::to_string(++starts));
    });
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    const started_child first = ctx.await(sup.start_child(spec));
    BOOST_TEST(std::any_cast<std::string>(first.info) == "info 1");
    (*gate)->arrive(); // returns, is restarted, and nobody asks for the info
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 2");
    BOOST_TEST(error_of(ctx, sup.restart_child("a")) == "running");
    BOOST_TEST(error_of(ctx, sup.delete_child("a")) == "running");
    ctx.await(sup.terminate_child("a"));
    BOOST_TEST(error_of(ctx, sup.start_child(spec)) == "already_present");
    const started_child third = ctx.await(sup.restart_child("a"));
    BOOST_TEST(third.incarnation == 3U);
    BOOST_TEST(std::any_cast<std::string>(third.info) == "info 3");
    ctx.await(sup.terminate_child("a"));
    ctx.await(sup.delete_child("a"));
    BOOST_TEST(error_of(ctx, sup.restart_child("a")) == "not_found");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(info_given_to_ready_is_returned_to_the_caller) {
    const slow_starter slow;
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    auto call = ctx.spawn(sup.start_child(slow.spec("a")));
    ctx.settle();
    BOOST_TEST(!call.ready());
    slow.go->arrive();
    ctx.settle();
    BOOST_TEST_REQUIRE(call.ready());
    BOOST_TEST(std::any_cast<std::string>(call.get().info) == "info of a");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(start_that_takes_longer_than_its_timeout_has_failed) {
    const slow_starter slow;
    child_spec spec = slow.spec("a");
    spec.start_timeout = 300ms;
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    auto call = ctx.spawn(sup.start_child(spec));
    ctx.advance(299ms);
    BOOST_TEST(!call.ready());
    ctx.advance(1ms);
    BOOST_TEST_REQUIRE(call.ready());
    BOOST_TEST(call.error() == errc::start_failed);
    BOOST_TEST(list(ctx, sup) == "");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(start_in_time_leaves_no_timer_behind) {
    const slow_starter slow;
    child_spec spec = slow.spec("a");
    spec.start_timeout = 300ms;
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.advance(299ms);
    slow.go->arrive();
    ctx.settle();
    BOOST_TEST(ctx.time->alarms() == 0U);
    ctx.advance(10s);
    BOOST_TEST(list(ctx, sup) == "a running 1");
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(restart_that_is_never_ready_is_repeated_until_the_intensity_is_spent) {
    std::atomic<int> starts = 0;
    child_spec spec("a", [&](child_context self) -> asio::awaitable<void> {
        if (++starts == 1)
            self.ready();
        co_await forever();
    });
    spec.waits_for_ready = true;
    spec.start_timeout = 300ms;
    supervisor sup(ctx.executor(), flags(ctx, 2), {spec});
    listener heard(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.kill_child("a"));
    ctx.settle();
    BOOST_TEST(heard.take() == "started a1, exited a1 killed, restart a1");
    ctx.advance(300ms);
    const std::string late = " error(it did not start within start_timeout)";
    BOOST_TEST(heard.take() == "failed a2" + late + ", restart a2");
    ctx.advance(300ms);
    BOOST_TEST(heard.take() ==
               "failed a3" + late + ", gave up, ended shutdown(intensity_exceeded)");
    BOOST_TEST(outcome(run) == "shutdown(intensity_exceeded)");
    BOOST_TEST(starts == 3);
}

LIFEGUARD_TEST(child_that_returns_before_it_is_ready_has_not_started) {
    child_spec spec("a", []() -> asio::awaitable<void> { co_return; });
    spec.waits_for_ready = true;
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    BOOST_TEST(failure_of(ctx, sup.start_child(spec))
                   .starts_with("start_failed: it ended before it was ready"));
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(terminating_a_child_that_is_starting_fails_its_start) {
    const slow_starter slow;
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    auto call = ctx.spawn(sup.start_child(slow.spec("a")));
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a starting 1");
    BOOST_TEST(error_of(ctx, sup.start_child(slow.spec("a"))) == "already_started");
    ctx.await(sup.terminate_child("a"));
    BOOST_TEST_REQUIRE(call.ready());
    BOOST_TEST(call.error() == errc::start_failed);
    ctx.await(sup.stop());
}

// Children added at run time start independently of each other: one that is slow holds up nobody.
LIFEGUARD_TEST(slow_start_holds_up_no_other_child) {
    const slow_starter slow;
    const puppet b("b");
    supervisor sup(ctx.executor(), flags(ctx), {b.spec()});
    const auto run = ctx.spawn(sup.run());
    const auto call = ctx.spawn(sup.start_child(slow.spec("a")));
    ctx.settle();
    b.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "b running 2, a starting 1");
    const puppet c("c");
    ctx.await(sup.start_child(c.spec()));
    BOOST_TEST(c.live() == 1);
    ctx.await(sup.stop());
    BOOST_TEST(call.error() == errc::no_such_supervisor);
}

LIFEGUARD_TEST(child_knows_its_id_incarnation_and_executor) {
    std::vector<std::string> seen;
    const auto gate = std::make_shared<detail::reply>();
    child_spec spec("a", [&](child_context self) -> asio::awaitable<void> {
        const auto here = co_await asio::this_coro::executor;
        seen.push_back(self.id() + std::to_string(self.incarnation()) +
                       (here == self.executor() ? " here" : " elsewhere") +
                       (self.stop_requested() ? " asked" : ""));
        if (self.incarnation() == 1)
            throw std::runtime_error("once more");
        try {
            co_await forever();
        } catch (const boost::system::system_error&) {
            seen.emplace_back(self.stop_requested() ? "asked" : "not asked");
        }
    });
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.stop());
    const std::vector<std::string> expected{"a1 here", "a2 here", "asked"};
    BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
