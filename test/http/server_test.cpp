// The server itself: a service that listens, over TCP.
#include "base/time_limit.hpp"
#include "rig.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
using boost::asio::ip::tcp;

BOOST_AUTO_TEST_SUITE(http_server_)

namespace {

http_options any_port() {
    http_options o;
    o.port = 0;
    return o;
}

engine_options on_clock(const test_context& ctx) {
    engine_options o;
    o.time = ctx.time;
    return o;
}

client connect_to(test_context& ctx, const http_server& server) {
    tcp::socket s(ctx.executor());
    s.connect(tcp::endpoint(asio::ip::address_v4::loopback(), server.port()));
    s.native_non_blocking(false);
    ctx.settle();
    return client(s.release());
}

} // namespace

LIFEGUARD_TEST(it_serves_in_the_tree_of_its_engine_and_stops_with_it) {
    engine app(ctx.executor(), on_clock(ctx));
    http_server server(ctx.executor(), app, any_port());
    BOOST_TEST(server.url() == "http://127.0.0.1:" + std::to_string(server.port()));
    auto running = ctx.spawn(app.run());
    ctx.settle();
    supervisor root = app.root();
    ctx.await(root.start_child(server.spec()));

    client first = connect_to(ctx, server);
    client second = connect_to(ctx, server);
    BOOST_TEST(server.connections() == 2u);
    first.send(http_rig::request("GET", "/healthz"));
    ctx.settle();
    BOOST_TEST(first.receive().at(0).status == 200u);
    first.close();
    ctx.settle();
    BOOST_TEST(server.connections() == 1u);

    app.request_stop();
    ctx.settle();
    BOOST_TEST(running.ready());
    BOOST_TEST(second.closed());
    BOOST_TEST(server.connections() == 0u);
}

LIFEGUARD_TEST(a_served_server_answers_until_the_pools_have_drained) {
    engine app(ctx.executor(), on_clock(ctx));
    app.handle("slow", [time = ctx.time](job_context&) -> asio::awaitable<json> {
        const auto on = co_await asio::this_coro::executor;
        co_await detail::pause(detail::deadline_service::of(on, time), time->now() + 2s);
        co_return 1;
    });
    http_server server(ctx.executor(), app, any_port());
    app.serve(server.spec());
    auto running = ctx.spawn(app.run());
    ctx.settle();
    client c = connect_to(ctx, server);
    client stream = connect_to(ctx, server);
    stream.send(http_rig::request("GET", "/v1/events"));
    const auto ask = [&](const std::string& request) {
        c.send(request);
        ctx.settle();
        auto answers = c.receive();
        BOOST_REQUIRE(answers.size() == 1u);
        return answers.front();
    };
    BOOST_TEST(ask(http_rig::request("GET", "/readyz")).status == 200u);
    BOOST_TEST(ask(http_rig::request("POST", "/v1/jobs", R"({"kind":"slow"})")).status == 201u);

    app.request_stop();
    ctx.settle();
    ctx.advance(1s);
    BOOST_TEST(!running.ready());
    BOOST_TEST(ask(http_rig::request("GET", "/healthz")).status == 200u);
    const reply draining = ask(http_rig::request("GET", "/readyz"));
    BOOST_TEST(draining.status == 503u);
    BOOST_TEST(draining.code() == "not_ready");
    BOOST_TEST(!stream.closed());

    ctx.advance(1s);
    BOOST_TEST(running.ready());
    BOOST_TEST(stream.text().find("event: worker_stopped") != std::string::npos);
    BOOST_TEST(stream.closed());
    BOOST_TEST(server.connections() == 0u);
}

LIFEGUARD_TEST(an_engine_serves_before_it_runs_and_once) {
    engine app(ctx.executor(), on_clock(ctx));
    const http_server server(ctx.executor(), app, any_port());
    app.serve(server.spec());
    BOOST_CHECK_EXCEPTION(app.serve(server.spec()), error,
                          [](const error& e) { return e.code() == errc::already_present; });
    auto running = ctx.spawn(app.run());
    ctx.settle();
    child_spec late("late", []() -> asio::awaitable<void> { co_return; });
    BOOST_CHECK_EXCEPTION(app.serve(std::move(late)), error,
                          [](const error& e) { return e.code() == errc::already_started; });
    BOOST_TEST(!app.stopping());
    const std::string tree = ctx.await(app.tree());
    BOOST_TEST(tree.find("http (") < tree.find("queue ("));
    app.request_stop();
    BOOST_TEST(app.stopping());
    ctx.settle();
    BOOST_TEST(running.ready());
}

BOOST_AUTO_TEST_CASE(an_engine_that_never_runs_keeps_nothing_of_what_it_was_to_serve) {
    std::weak_ptr<int> seen;
    {
        test_context ctx(1);
        engine app(ctx.executor(), on_clock(ctx));
        const http_server server(ctx.executor(), app, any_port());
        auto held = std::make_shared<int>(1);
        seen = held;
        app.handle("holds", [held](job_context&) -> asio::awaitable<json> { co_return *held; });
        app.serve(server.spec());
    }
    BOOST_TEST(seen.expired());
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_its_options_is_named) {
    test_context ctx(1);
    const engine app(ctx.executor(), on_clock(ctx));
    const auto refuse = [&](const http_options& o, const char* field) {
        BOOST_CHECK_EXCEPTION(http_server(ctx.executor(), app, o), error, [&](const error& e) {
            return e.code() == errc::invalid_option && e.detail().find(field) != std::string::npos;
        });
    };
    http_options o = any_port();
    o.address = "0.0.0.0";
    refuse(o, "token");
    o = any_port();
    o.address = "nowhere";
    refuse(o, "address");
    o = any_port();
    o.connections_max = 0;
    refuse(o, "connections_max");
    o = any_port();
    o.idle_wait = 0s;
    refuse(o, "idle_wait");
}

BOOST_AUTO_TEST_SUITE_END()
