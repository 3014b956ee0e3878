// The engine: what it wires together.
#include "support/gate.hpp"
#include "support/log_capture.hpp"
#include "support/test_context.hpp"
#include <lifeguard/lifeguard.hpp>

#include <map>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

struct resize_args {
    int width = 0;
    std::string mode;
};
void from_json(const json& j, resize_args& a) {
    j.at("mode").get_to(a.mode);
    j.at("width").get_to(a.width);
}

struct patient_args {
    int width = 7;
    std::string mode = "plain";
};
void from_json(const json& j, patient_args& a) {
    a.mode = j.value("mode", a.mode);
    a.width = j.value("width", a.width);
    if (a.width < 0)
        throw std::invalid_argument("width must not be negative");
}

worker_pool_options named(std::string name, unsigned size = 1) {
    worker_pool_options pool;
    pool.queues = {name};
    pool.name = std::move(name);
    pool.size = size;
    pool.max_overflow = 0;
    return pool;
}

/// An engine that runs as long as its fixture lives.
struct running {
    explicit running(test_context& context, std::vector<worker_pool_options> pools = {})
        : ctx(context), app(ctx.executor(), options(std::move(pools))), run(ctx.spawn(app.run())) {
        ctx.settle();
    }
    ~running() noexcept(false) { // what it settles may be cut
        if (ctx.is_cut())
            return;
        app.request_stop();
        ctx.settle();
        BOOST_TEST(run.ready());
    }

    engine_options options(std::vector<worker_pool_options> pools) const {
        engine_options o;
        o.time = ctx.time;
        o.log = log;
        o.pools = std::move(pools);
        return o;
    }

    test_future<json> execute(std::string kind, json payload = nullptr,
                              std::string_view pool = "default") {
        auto f = ctx.spawn(app.pool(pool).execute(new_job(std::move(kind), payload)));
        ctx.settle();
        return f;
    }

    test_context& ctx;
    std::shared_ptr<log_capture> log = std::make_shared<log_capture>();
    engine app;
    test_future<void> run;
};

std::string message_of(const test_future<json>& f) {
    return f.ready() && f.exception() ? describe(f.exception()) : std::string("nothing thrown");
}

} // namespace

BOOST_AUTO_TEST_SUITE(engines)

LIFEGUARD_TEST(runs_its_handlers_and_stops) {
    engine_options o;
    o.time = ctx.time;
    engine app(ctx.executor(), o);
    app.handle("double", [](job_context& job) -> asio::awaitable<int> {
        co_return job.payload().get<int>() * 2;
    });
    const auto run = ctx.spawn(app.run());
    BOOST_TEST(ctx.await(app.pool("default").execute(new_job("double", 4))) == json(8));
    BOOST_TEST(app.pool("default").status().workers == 10U);
    ctx.await(app.stop());
    BOOST_TEST(run.ready());
    BOOST_TEST(app.pool("default").status().workers == 0U);
    BOOST_TEST(ctx.time->alarms() == 0U);
    ctx.await(app.stop()); // again, after the end
}

LIFEGUARD_TEST(stop_before_run_ends_it_at_once) {
    engine_options o;
    o.time = ctx.time;
    engine app(ctx.executor(), o);
    app.request_stop();
    const auto run = ctx.spawn(app.run());
    ctx.settle();
    BOOST_TEST(run.ready());
}

LIFEGUARD_TEST(handle_may_be_gone_before_run_begins) {
    engine_options o;
    o.time = ctx.time;
    auto app = std::make_unique<engine>(ctx.executor(), o);
    const worker_pool pool = app->pool("default");
    auto run = ctx.spawn(app->run());
    const auto tree = ctx.spawn(app->tree());
    app.reset();
    ctx.settle();
    BOOST_TEST(pool.status().workers == 10U);
    BOOST_TEST(tree.ready());
    run.cancel(asio::cancellation_type::total);
    ctx.settle();
    BOOST_TEST(run.ready());
}

LIFEGUARD_TEST(tree_shows_who_runs) {
    running r(ctx, {named("images", 2), named("mail")});
    const std::string tree = ctx.await(r.app.tree());
    for (const char* name : {"lifeguard", "queue", "images", "images/1", "images/2", "mail/1"})
        BOOST_TEST(tree.find(name) != std::string::npos, tree);
    BOOST_TEST(tree.find("mail/2") == std::string::npos, tree);
}

LIFEGUARD_TEST(two_pools_take_from_their_own_queues) {
    running r(ctx, {named("images"), named("mail")});
    std::map<std::string, std::string> worker;
    r.app.handle("who", [](job_context& job) -> asio::awaitable<std::string> {
        co_return std::string(job.queue()) + " by " + std::string(job.worker());
    });
    BOOST_TEST(r.execute("who", nullptr, "images").get() == json("images by images/1"));
    BOOST_TEST(r.execute("who", nullptr, "mail").get() == json("mail by mail/1"));
    const std::vector<std::string> names{"images", "mail"};
    BOOST_TEST(r.app.pools() == names, boost::test_tools::per_element());
    BOOST_TEST((thrown_by([&] { r.app.pool("music"); }).code == errc::no_such_pool));
}

LIFEGUARD_TEST(two_pools_may_share_a_queue) {
    worker_pool_options one = named("one"), two = named("two");
    one.queues = two.queues = {"shared"};
    running r(ctx, {one, two});
    const gate doors;
    r.app.handle("wait", [&](job_context& job) -> asio::awaitable<std::string> {
        co_await doors.pass();
        co_return std::string(job.worker());
    });
    const auto first = r.execute("wait", nullptr, "one");
    const auto second = r.execute("wait", nullptr, "one");
    BOOST_TEST(r.app.pool("one").status().busy + r.app.pool("two").status().busy == 2U);
    doors.open();
    ctx.settle();
    BOOST_TEST((test_future(first).get() != test_future(second).get()));
}

LIFEGUARD_TEST(names_are_given_once) {
    engine_options o;
    o.time = ctx.time;
    o.pools = {named("a"), named("a")};
    const auto pools = thrown_by([&] { engine(ctx.executor(), o); });
    BOOST_TEST((pools.code == errc::duplicate_id));
    BOOST_TEST(pools.text.find("'a'") != std::string::npos);
    o.pools.pop_back();
    engine app(ctx.executor(), o);
    const auto nothing = [](job_context&) -> asio::awaitable<void> { co_return; };
    app.handle("k", nothing);
    BOOST_TEST((thrown_by([&] { app.handle("k", nothing); }).code == errc::duplicate_id));
}

LIFEGUARD_TEST(options_are_checked_and_name_the_field) {
    const auto refused = [&](auto change) {
        engine_options o;
        o.time = ctx.time;
        o.pools = {named("a")};
        change(o);
        const auto t = thrown_by([&] { engine(ctx.executor(), o); });
        return t.code == errc::invalid_option ? t.text : std::string("accepted");
    };
    const auto names = [](const std::string& text, const char* field) {
        return text.find(field) != std::string::npos;
    };
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].name = ""; }), "name"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].size = 0; }), "size"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].pull_size = 0; }), "pull_size"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].concurrency = 0; }), "concurrency"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].process_timeout = 0s; }), "process_timeout"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].checkout_wait = -1s; }), "checkout_wait"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].drain_wait = -1s; }), "drain_wait"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].cancel_grace = -1s; }), "cancel_grace"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].stuck_threshold = -1s; }), "stuck_thresh"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].priority = 10; }), "priority"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].period = 0s; }), "period"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].queues = {"a", "a"}; }), "queues"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].queues = {""}; }), "queues"));
    BOOST_TEST(names(refused([](auto& o) { o.pools[0].breaker.permits = 0; }), "permits"));
    BOOST_TEST(names(refused([](auto& o) { o.queue.retry.factor = 0; }), "factor"));
    BOOST_TEST(names(refused([](auto& o) { o.period = 0s; }), "period"));
}

LIFEGUARD_TEST(typed_handler_gets_its_arguments) {
    running r(ctx);
    r.app.handle<resize_args>("resize", [](resize_args& a) -> asio::awaitable<std::string> {
        co_return a.mode + std::to_string(a.width);
    });
    r.app.handle<int>("twice", [](int n, job_context& job) -> asio::awaitable<json> {
        co_return json{n * 2, job.attempt()};
    });
    r.app.handle<resize_args>("nothing",
                              [](const resize_args&) -> asio::awaitable<void> { co_return; });
    BOOST_TEST(r.execute("resize", {{"width", 640}, {"mode", "fit"}}).get() == json("fit640"));
    BOOST_TEST(r.execute("twice", 21).get() == json({42, 1}));
    BOOST_TEST(r.execute("nothing", {{"width", 1}, {"mode", ""}}).get() == json());
}

LIFEGUARD_TEST(payload_that_does_not_convert_discards_the_job_and_names_the_member) {
    running r(ctx);
    r.app.handle<resize_args>("resize",
                              [](resize_args&) -> asio::awaitable<json> { co_return nullptr; });
    r.app.handle<patient_args>("patient",
                               [](patient_args&) -> asio::awaitable<json> { co_return nullptr; });
    const auto says = [&](const char* kind, json payload, const char* text) {
        new_job job(kind, payload);
        const job_id id = ctx.await(r.app.pool("default").submit(std::move(job)));
        ctx.settle();
        const auto info = r.app.queue().find(id);
        BOOST_TEST(name_of(info->state) == "discarded"); // another attempt would not help
        BOOST_TEST(info->attempt == 1U);
        const std::string why = info->errors.at(0).text;
        const bool found = why.find(text) != std::string::npos;
        if (!found)
            BOOST_TEST_MESSAGE(why);
        return found;
    };
    BOOST_TEST(says("resize", {{"mode", "fit"}}, "'width'"));
    BOOST_TEST(says("resize", {{"width", "x"}, {"mode", "fit"}}, "member 'width'"));
    BOOST_TEST(says("resize", {{"width", 1}, {"mode", 2}}, "member 'mode'"));
    BOOST_TEST(says("resize", {{"width", "x"}, {"mode", 2}}, "member 'mode'")); // read first
    BOOST_TEST(says("resize", {{"other", 1}, {"width", nullptr}, {"mode", "a"}}, "member 'width'"));
    BOOST_TEST(says("resize", 7, "payload"));
    BOOST_TEST(says("patient", {{"width", "x"}}, "member 'width'"));
    BOOST_TEST(says("patient", {{"width", -1}}, "width must not be negative"));
}

LIFEGUARD_TEST(validator_sees_the_payload_at_submission) {
    running r(ctx);
    r.app.handle("k", [](job_context&) -> asio::awaitable<void> { co_return; });
    r.app.validate("k", [](const json& payload) {
        if (!payload.contains("to"))
            throw std::invalid_argument("to is missing");
    });
    BOOST_TEST(r.execute("k", {{"to", "x"}}).ready());
    const auto refused = r.execute("k", json::object());
    BOOST_TEST((refused.error() == errc::invalid_job));
    BOOST_TEST(message_of(refused).find("to is missing") != std::string::npos);
    BOOST_TEST(r.app.queue().counts("default").discarded == 0U);
}

LIFEGUARD_TEST(retries_come_back_when_they_are_due) {
    running r(ctx);
    r.app.handle("second", [](job_context& job) -> asio::awaitable<unsigned> {
        if (job.attempt() == 1)
            throw std::runtime_error("first");
        co_return job.attempt();
    });
    const job_id id = ctx.await(r.app.pool("default").submit(new_job("second")));
    ctx.settle();
    BOOST_TEST(name_of(r.app.queue().find(id)->state) == "retryable");
    ctx.advance(20s); // 17 s and a tenth more or less
    BOOST_TEST(name_of(r.app.queue().find(id)->state) == "completed");
}

LIFEGUARD_TEST(idle_engine_arms_no_timer) {
    std::vector<worker_pool_options> pools;
    for (int n = 0; n < 100; ++n)
        pools.push_back(named("pool" + std::to_string(n), 3));
    running r(ctx, pools);
    BOOST_TEST(r.app.pool("pool99").status().workers == 3U);
    BOOST_TEST(ctx.time->alarms() == 0U);
    const std::size_t before = ctx.handlers_run(0) + ctx.handlers_run(1);
    ctx.advance(1h);
    BOOST_TEST(ctx.handlers_run(0) + ctx.handlers_run(1) == before);
}

BOOST_AUTO_TEST_CASE(log_sink_that_throws_does_no_harm) {
    struct broken final : log_sink {
        void write(const log_record&) override { throw std::runtime_error("disk full"); }
    };
    test_context ctx;
    engine_options o;
    o.time = ctx.time;
    o.log = std::make_shared<broken>();
    engine app(ctx.executor(), o);
    app.handle("fail", [](job_context&) -> asio::awaitable<void> {
        throw std::runtime_error("no");
        co_return;
    });
    const auto run = ctx.spawn(app.run());
    const auto f = ctx.spawn(app.pool("default").execute(new_job("fail")));
    ctx.settle();
    BOOST_TEST(message_of(f) == "no");
    ctx.await(app.stop());
    BOOST_TEST(run.ready());
}

BOOST_AUTO_TEST_SUITE_END()
