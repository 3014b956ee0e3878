// What supervisors tell: events, reports, log lines.
#include "base/one_line.hpp"
#include "supervision/puppet.hpp"
#include "supervision/tree.hpp"
#include "support/log_capture.hpp"

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(report)

namespace {

supervisor_event crash_of(std::string child, std::string text) {
    supervisor_event e;
    e.what = supervisor_event::kind::child_exited;
    e.when = supervisor_event::context::child_terminated;
    e.supervisor = "top";
    e.child = std::move(child);
    e.incarnation = 2;
    e.reason.what = exit_reason::kind::error;
    e.reason.detail = std::move(text);
    return e;
}

} // namespace

BOOST_AUTO_TEST_CASE(SUP_62_report_names_supervisor_context_reason_child_and_incarnation) {
    BOOST_TEST(
        to_string(crash_of("a", "boom")) ==
        "supervisor 'top': child 'a' (incarnation 2) child_exited: error(boom) [child_terminated]");
}

BOOST_AUTO_TEST_CASE(SUP_62_report_is_one_line) {
    const std::string text = to_string(crash_of("a\nb", "first\r\nsecond\x01\x7f"));
    BOOST_TEST(text.find_first_of("\r\n\x01\x7f") == std::string::npos);
    BOOST_TEST(text.find("first  second") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(SUP_62_long_texts_are_cut) {
    const std::string text =
        to_string(crash_of(std::string(10000, 'i'), std::string(1000000, 'x')));
    BOOST_TEST(text.size() < 2000U);
    BOOST_TEST(text.find("iii...") != std::string::npos);
    BOOST_TEST(text.find("xxx...") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_line_cuts_between_characters_and_replaces_what_is_no_text) {
    using detail::one_line;
    BOOST_TEST(one_line("ab\xc3\xa4"
                        "cd",
                        6) == "ab\xc3\xa4"
                              "cd");
    BOOST_TEST(one_line("ab\xc3\xa4"
                        "cde",
                        6) == "ab...");
    BOOST_TEST(one_line("\xff") == "\xef\xbf\xbd");
    BOOST_TEST(one_line("abcdef", 3) == "...");
    BOOST_TEST(one_line("abc", 3) == "abc");
    for (std::size_t size = 3; size < 40; ++size)
        BOOST_TEST(
            one_line("\xf0\x9f\xa6\xad\xf0\x9f\xa6\xad\xff\xff\xff\xffplain text", size).size() <=
            size);
}

BOOST_AUTO_TEST_CASE(exit_reasons_as_text) {
    exit_reason r;
    BOOST_TEST(to_string(r) == "normal");
    r.what = exit_reason::kind::shutdown;
    BOOST_TEST(to_string(r) == "shutdown");
    r.detail = "why";
    BOOST_TEST(to_string(r) == "shutdown(why)");
    r.what = exit_reason::kind::error;
    BOOST_TEST(to_string(r) == "error(why)");
    r.what = exit_reason::kind::killed;
    r.abandoned = true;
    BOOST_TEST(to_string(r) == "killed(abandoned)");
}

BOOST_AUTO_TEST_CASE(every_exception_has_a_text) {
    BOOST_TEST(describe(std::make_exception_ptr(std::runtime_error("boom"))) == "boom");
    BOOST_TEST(describe(std::make_exception_ptr(exit_shutdown("why"))) == "exit_shutdown(why)");
    BOOST_TEST(describe(std::make_exception_ptr(42)) == "an exception that is no std::exception");
    BOOST_TEST(describe({}) == "no exception");
}

BOOST_AUTO_TEST_CASE(intensity_is_described_in_whole_seconds_where_that_is_exact) {
    BOOST_TEST(detail::describe_intensity(5, 10s) == "5 in 10 s");
    BOOST_TEST(detail::describe_intensity(1, 250ms) == "1 in 250 ms");
    BOOST_TEST(detail::describe_intensity(1, 1500ms) == "1 in 1500 ms");
}

LIFEGUARD_TEST(SUP_63_a_subscriber_that_throws_disturbs_nobody) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    const auto bad =
        sup.subscribe([](const supervisor_event&) { throw std::runtime_error("bad"); });
    listener good(sup);
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(good.take() == "started a1, exited a1 error(crash), restart a1, started a2");
    BOOST_TEST(sup.figures().observer_errors == 4U);
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(SUP_63_a_subscriber_may_call_the_supervisor) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    const auto subscription = sup.subscribe([&sup](const supervisor_event& e) {
        if (e.what == supervisor_event::kind::restart_scheduled)
            sup.request_stop();
    });
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(outcome(run) == "returned");
    BOOST_TEST(a.live() == 0);
}

LIFEGUARD_TEST(subscription_ends_with_its_token) {
    const puppet a("a");
    supervisor sup(ctx.executor(), flags(ctx), {a.spec()});
    std::atomic<int> heard = 0;
    auto subscription = sup.subscribe([&](const supervisor_event&) { ++heard; });
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(heard == 1);
    subscription.reset();
    ctx.await(sup.stop());
    BOOST_TEST(heard == 1);
}

LIFEGUARD_TEST(crashes_restarts_and_surrender_are_logged) {
    const auto log = std::make_shared<log_capture>();
    const puppet a("a");
    supervisor_options options = flags(ctx, 1);
    options.log = log;
    supervisor sup(ctx.executor(), options, {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(log->take().empty());
    a.crashes();
    ctx.settle();
    const std::vector<std::string> restarted{
        "level=error event=child_exited supervisor=top child=a incarnation=1 reason=error(crash) "
        "context=child_terminated msg=\"supervisor 'top': child 'a' (incarnation 1) child_exited: "
        "error(crash) [child_terminated]\"",
        "level=info event=restart_scheduled supervisor=top child=a incarnation=1 "
        "msg=\"supervisor 'top': child 'a' (incarnation 1) restart_scheduled\""};
    BOOST_TEST(log->take() == restarted, boost::test_tools::per_element());
    a.crashes();
    ctx.settle();
    BOOST_TEST(log->count("level=error event=child_exited") == 1U);
    BOOST_TEST(log->count("level=error event=gave_up supervisor=top") == 1U);
    BOOST_TEST(log->lines().size() == 2U);
}

LIFEGUARD_TEST(abandoned_child_and_failed_start_are_logged) {
    const auto log = std::make_shared<log_capture>();
    const auto let_go = std::make_shared<detail::reply>();
    const puppet b("b");
    b.fails_to_start(1);
    supervisor_options options = flags(ctx);
    options.log = log;
    supervisor sup(ctx.executor(), options, {child_spec("a", [let_go] { return deaf(let_go); })});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    error_of(ctx, sup.start_child(b.spec()));
    BOOST_TEST(log->count("level=error event=start_failed supervisor=top child=b") == 1U);
    sup.request_stop();
    ctx.advance(6s);
    BOOST_TEST(log->count("level=error event=child_abandoned supervisor=top child=a") == 1U);
    BOOST_TEST(outcome(run) == "returned");
    let_go->arrive();
    ctx.settle();
}

LIFEGUARD_TEST(log_that_throws_disturbs_nobody) {
    struct bad_log final : log_sink {
        void write(const log_record&) override { throw std::runtime_error("disk full"); }
    };
    const puppet a("a");
    supervisor_options options = flags(ctx);
    options.log = std::make_shared<bad_log>();
    supervisor sup(ctx.executor(), options, {a.spec()});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    a.crashes();
    ctx.settle();
    BOOST_TEST(list(ctx, sup) == "a running 2");
    BOOST_TEST(sup.figures().observer_errors == 2U);
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

LIFEGUARD_TEST(start_function_that_subscribes_hears_of_its_own_start) {
    std::vector<supervisor_event::kind> heard;
    std::shared_ptr<void> subscription;
    std::optional<supervisor> sup;
    child_spec spec("a", [&] {
        subscription = sup->subscribe([&](const supervisor_event& e) { heard.push_back(e.what); });
        return forever();
    });
    sup.emplace(ctx.executor(), flags(ctx), std::vector{spec});
    const auto run = ctx.spawn(sup->run());
    ctx.settle();
    BOOST_TEST_REQUIRE(heard.size() == 1U);
    BOOST_TEST((heard.front() == supervisor_event::kind::child_started));
    ctx.await(sup->stop());
}

BOOST_AUTO_TEST_SUITE_END()
