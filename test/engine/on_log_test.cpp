// Who listens to an engine's log besides its sink.
#include "support/log_capture.hpp"
#include "support/test_context.hpp"
#include <lifeguard/engine.hpp>

#include <boost/test/unit_test.hpp>

#include <mutex>
#include <stdexcept>

using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(engine_on_log)

namespace {

/// What a listener has heard. Thread-safe.
class heard {
  public:
    void add(const log_record& r) {
        const std::lock_guard lock(mutex_);
        events_.emplace_back(r.event);
    }
    std::vector<std::string> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(events_, {});
    }

  private:
    std::mutex mutex_;
    std::vector<std::string> events_;
};

engine_options logging(const test_context& ctx, std::shared_ptr<log_sink> log) {
    engine_options o;
    o.time = ctx.time;
    o.log = std::move(log);
    return o;
}

} // namespace

LIFEGUARD_TEST(listeners_and_the_sink_hear_the_same) {
    const auto log = std::make_shared<log_capture>();
    engine app(ctx.executor(), logging(ctx, log));
    app.queue().set_draining(true); // before anybody listens
    heard first;
    heard second;
    auto one = app.on_log([&](const log_record& r) { first.add(r); });
    auto two = app.on_log([&](const log_record& r) { second.add(r); });
    BOOST_TEST(first.take() == std::vector<std::string>{"draining"},
               boost::test_tools::per_element());
    BOOST_TEST(second.take().empty());

    app.queue().set_draining(false);
    BOOST_TEST(first.take() == std::vector<std::string>{"draining_ended"},
               boost::test_tools::per_element());
    BOOST_TEST(second.take().size() == 1u);
    BOOST_TEST(log->lines().size() == 2u);

    one.reset();
    app.queue().set_draining(true);
    BOOST_TEST(first.take().empty());
    BOOST_TEST(second.take().size() == 1u);
    BOOST_TEST(log->lines().size() == 3u);
}

LIFEGUARD_TEST(a_listener_that_throws_disturbs_nobody) {
    const auto log = std::make_shared<log_capture>();
    engine app(ctx.executor(), logging(ctx, log));
    const auto bad =
        app.on_log([](const log_record&) { throw std::runtime_error("not my business"); });
    heard good;
    const auto listening = app.on_log([&](const log_record& r) { good.add(r); });
    ctx.await(app.queue().pause("mail"));
    ctx.await(app.queue().resume("mail"));
    const std::vector<std::string> expected = {"queue_paused", "queue_resumed"};
    BOOST_TEST(good.take() == expected, boost::test_tools::per_element());
    BOOST_TEST(log->lines().size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
