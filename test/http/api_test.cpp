// The API without a server.
#include "rig.hpp"
#include <lifeguard/http_api.hpp>

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_api_)

namespace {

struct mounted {
    mounted(test_context& context, http_api_options o)
        : ctx(context),
          app(ctx.executor(), on_clock(ctx)),
          api(app, std::move(o)),
          running(ctx.spawn(app.run())) {
        ctx.settle();
    }
    ~mounted() noexcept(false) {
        if (ctx.is_cut())
            return;
        app.request_stop();
        ctx.settle();
        BOOST_TEST(running.ready());
    }

    static engine_options on_clock(const test_context& ctx) {
        engine_options o;
        o.time = ctx.time;
        return o;
    }

    http_answer ask(std::string method, std::string target, std::string body = {},
                    std::string authorization = {}) {
        http_request r;
        r.method = std::move(method);
        r.target = std::move(target);
        r.host = "localhost";
        r.content_type = "application/json";
        r.authorization = std::move(authorization);
        r.body = std::move(body);
        auto asked = ctx.spawn(api.respond(std::move(r)));
        ctx.settle();
        return asked.get();
    }

    test_context& ctx;
    engine app;
    http_api api;
    test_future<void> running;
};

http_api_options under(std::string path) {
    http_api_options o;
    o.path = std::move(path);
    return o;
}

} // namespace

LIFEGUARD_TEST(answers_under_its_path_and_nowhere_else) {
    mounted m(ctx, under("/some/where"));
    const http_answer made = m.ask("POST", "/some/where/v1/jobs", R"({"kind":"a"})");
    BOOST_TEST(made.status == 201u);
    BOOST_TEST(made.content_type == "application/json");
    BOOST_REQUIRE(made.fields.size() == 1u);
    BOOST_TEST(made.fields[0].first == "Location");
    BOOST_TEST(made.fields[0].second.starts_with("/some/where/v1/jobs/"));
    BOOST_TEST(m.ask("GET", made.fields[0].second).status == 200u);
    for (const char* other : {"/v1/jobs", "/some/wherev1/jobs", "/some/where", "/", ""})
        BOOST_TEST(m.ask("GET", other).status == 404u);
    BOOST_TEST(m.ask("PUT", "/some/where/v1/jobs").status == 405u);
    BOOST_TEST(m.ask("GET", "/some/where/").status == 404u); // no dashboard
}

LIFEGUARD_TEST(asks_for_its_token) {
    http_api_options o;
    o.token = "secret";
    mounted m(ctx, o);
    BOOST_TEST(m.ask("GET", "/v1/jobs").status == 401u);
    BOOST_TEST(m.ask("GET", "/v1/jobs", "", "Bearer secret").status == 200u);
}

LIFEGUARD_TEST(gives_back_jobs_whose_answer_was_not_delivered) {
    mounted m(ctx, http_api_options());
    m.ask("POST", "/v1/jobs", R"({"kind":"a","queue":"q"})");
    const http_answer taken = m.ask("POST", "/v1/take", R"({"queues":["q"]})");
    BOOST_TEST(json::parse(taken.body).at("jobs").size() == 1u);
    BOOST_TEST(
        m.app.metrics_value("lifeguard_jobs", {{"queue", "q"}, {"state", "executing"}}).value() ==
        1);
    BOOST_REQUIRE(taken.undelivered);
    taken.undelivered();
    ctx.settle();
    BOOST_TEST(
        m.app.metrics_value("lifeguard_jobs", {{"queue", "q"}, {"state", "available"}}).value() ==
        1);
}

LIFEGUARD_TEST(events_go_on) {
    mounted m(ctx, http_api_options());
    const http_answer events = m.ask("GET", "/v1/events");
    BOOST_TEST(events.status == 200u);
    BOOST_TEST(events.content_type.starts_with("text/event-stream"));
    BOOST_REQUIRE(events.more);
    auto next = ctx.spawn(events.more());
    ctx.settle();
    ctx.advance(16s); // something comes at least so often
    BOOST_REQUIRE(next.ready());
    BOOST_TEST(!next.get().empty());
}

BOOST_AUTO_TEST_CASE(a_path_must_be_one) {
    test_context ctx(1);
    const engine app(ctx.executor());
    for (const char* path : {"jobs", "/jobs/", "/"})
        BOOST_CHECK_THROW(http_api(app, under(path)), error);
}

BOOST_AUTO_TEST_SUITE_END()
