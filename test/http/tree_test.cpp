// The tree, its workers and breakers: shown, and worked on by hand.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_tree)

namespace {

engine_options small_pool(breaker_scope scope = breaker_scope::worker) {
    engine_options o;
    o.pools.emplace_back();
    o.pools.back().size = 2;
    o.pools.back().max_overflow = 0;
    o.pools.back().breaker_scope = scope;
    return o;
}

json root(http_rig& rig) { return rig.get("/v1/tree").value().at("root"); }

const json& child(const json& of, const std::string& name) {
    for (const json& c : of.at("children"))
        if (c.at("name") == name)
            return c;
    throw std::runtime_error("no child " + name);
}

json breaker(http_rig& rig, const std::string& id) {
    const json all = rig.get("/v1/breakers").value().at("breakers");
    for (const json& b : all)
        if (b.at("id") == id)
            return b;
    throw std::runtime_error("no breaker " + id);
}

json worker(http_rig& rig, const std::string& id) { return rig.get("/v1/workers/" + id).value(); }

} // namespace

LIFEGUARD_TEST(the_tree_is_text_and_objects) {
    http_rig rig(ctx, http_options(), small_pool());
    const json answer = rig.get("/v1/tree").value();
    BOOST_TEST(answer.at("tree").get<std::string>().starts_with("lifeguard (one_for_one"));
    const json& top = answer.at("root");
    BOOST_TEST(top.at("name") == "lifeguard");
    BOOST_TEST(top.at("type") == "supervisor");
    BOOST_TEST(top.at("strategy") == "one_for_one");
    BOOST_TEST(top.at("intensity") == 5);
    BOOST_TEST(top.at("period_ms") == 10'000);
    BOOST_TEST(top.at("restarts_left") == 5);
    const json& pool = child(top, "default");
    BOOST_TEST(pool.at("kind") == "pool");
    BOOST_TEST(pool.at("pool") == "default");
    BOOST_TEST(pool.at("state") == "running");
    BOOST_TEST(pool.at("children").size() == 2u);
    const json& one = child(pool, "default/1");
    BOOST_TEST(one.at("type") == "worker");
    BOOST_TEST(one.at("worker") == "default/1");
    BOOST_TEST(one.at("incarnation") == 1);
    BOOST_TEST(child(top, "queue").at("kind") == "queue");
}

LIFEGUARD_TEST(the_tree_is_drawn_once_for_all_who_ask_within_a_moment) {
    http_rig rig(ctx, http_options(), small_pool());
    root(rig);
    rig.ask("POST", "/v1/workers/default/1/kill");
    BOOST_TEST(child(child(root(rig), "default"), "default/1").at("incarnation") == 1);
    ctx.advance(250ms);
    const json now = root(rig);
    BOOST_TEST(child(child(now, "default"), "default/1").at("incarnation") == 2);
    BOOST_TEST(child(child(now, "default"), "default/1").at("restarts") == 1);
    BOOST_TEST(child(now, "default").at("restarts_left") == 4);
}

LIFEGUARD_TEST(children_are_restarted_and_killed_by_their_path) {
    http_rig rig(ctx, http_options(), small_pool());
    rig.app.handle("one", [](job_context&) -> asio::awaitable<json> { co_return 1; });
    const auto at = [](const std::vector<std::string>& path) { return json{{"path", path}}; };
    BOOST_TEST(rig.post("/v1/tree/kill", at({"lifeguard", "default", "default/2"})).status == 204u);
    BOOST_TEST(rig.post("/v1/tree/restart", at({"lifeguard", "default", "default/2"})).status ==
               204u);
    ctx.settle();
    BOOST_TEST(worker(rig, "default/2").at("incarnation") == 3);
    BOOST_TEST(rig.post("/v1/tree/restart", at({"lifeguard", "default"})).status == 204u);
    BOOST_TEST(rig.post("/v1/tree/restart", at({"lifeguard", "queue"})).status == 204u);
    ctx.settle();
    BOOST_TEST(child(root(rig), "default").at("incarnation") == 2);
    BOOST_TEST(child(root(rig), "queue").at("incarnation") == 2);
    BOOST_TEST(rig.post("/v1/tree/kill", at({"lifeguard", "queue"})).status == 204u);
    ctx.settle();
    BOOST_TEST(child(root(rig), "queue").at("incarnation") == 3);
    // The pool works on.
    BOOST_TEST(rig.ask("POST", "/v1/jobs?wait=5s", R"({"kind":"one"})").status == 200u);

    BOOST_TEST(rig.post("/v1/tree/kill", at({"lifeguard", "nobody"})).status == 404u);
    BOOST_TEST(rig.post("/v1/tree/kill", at({"lifeguard", "queue", "x"})).status == 404u);
    BOOST_TEST(rig.post("/v1/tree/kill", at({"other", "queue"})).status == 422u);
    BOOST_TEST(rig.post("/v1/tree/kill", at({})).status == 422u);
    BOOST_TEST(rig.post("/v1/tree/restart", at({"lifeguard", "http"})).status == 409u);
}

LIFEGUARD_TEST(breakers_are_shown_and_worked_by_hand) {
    http_rig rig(ctx, http_options(), small_pool());
    const json closed = breaker(rig, "default/1");
    BOOST_TEST(closed.at("scope") == "worker");
    BOOST_TEST(closed.at("worker") == "default/1");
    BOOST_TEST(closed.at("kind").is_null());
    BOOST_TEST(closed.at("state") == "closed");
    BOOST_TEST(closed.at("retry_after_ms") == 0);

    const auto tell = [&](const std::string& command) {
        return rig.ask("POST", "/v1/breakers/default%2F1/" + command).status;
    };
    BOOST_TEST(tell("open") == 204u);
    BOOST_TEST(breaker(rig, "default/1").at("state") == "forced_open");
    BOOST_TEST(breaker(rig, "default/1").at("retry_after_ms").is_null());
    BOOST_TEST(worker(rig, "default/1").at("state") == "breaker_open");
    BOOST_TEST(worker(rig, "default/2").at("state") == "idle");
    BOOST_TEST(tell("trip") == 409u); // forced open is not for it to change
    BOOST_TEST(tell("close") == 204u);
    BOOST_TEST(tell("trip") == 204u);
    BOOST_TEST(breaker(rig, "default/1").at("state") == "open");
    BOOST_TEST(breaker(rig, "default/1").at("retry_after_ms") == 10'000);
    BOOST_TEST(tell("half_open") == 204u);
    BOOST_TEST(tell("disable") == 204u);
    BOOST_TEST(breaker(rig, "default/1").at("state") == "disabled");
    BOOST_TEST(tell("enable") == 204u);
    BOOST_TEST(tell("reset") == 204u);
    BOOST_TEST(tell("burn") == 404u);
    BOOST_TEST(rig.ask("POST", "/v1/breakers/nobody/open").status == 404u);
}

LIFEGUARD_TEST(breakers_of_pools_and_kinds_say_whose_they_are) {
    {
        http_rig rig(ctx, http_options(), small_pool(breaker_scope::pool));
        const json one = breaker(rig, "default");
        BOOST_TEST(one.at("scope") == "pool");
        BOOST_TEST(one.at("worker").is_null());
    }
    http_rig rig(ctx, http_options(), small_pool(breaker_scope::kind));
    rig.app.handle("mail", [](job_context&) -> asio::awaitable<json> { co_return 1; });
    rig.ask("POST", "/v1/jobs?wait=5s", R"({"kind":"mail"})");
    BOOST_TEST(breaker(rig, "default:mail").at("scope") == "kind");
    BOOST_TEST(breaker(rig, "default:mail").at("kind") == "mail");
    BOOST_TEST(rig.ask("POST", "/v1/breakers/default:mail/open").status == 204u);
    BOOST_TEST(breaker(rig, "default:mail").at("state") == "forced_open");
}

LIFEGUARD_TEST(a_worker_remembers_its_last_error) {
    engine_options o = small_pool();
    o.pools.back().size = 1;
    http_rig rig(ctx, http_options(), std::move(o));
    rig.app.handle("bad", [](job_context&) -> asio::awaitable<json> {
        throw std::runtime_error("told to fail");
        co_return 1;
    });
    BOOST_TEST(worker(rig, "default/1").at("last_error").is_null());
    rig.ask("POST", "/v1/jobs?wait=5s", R"({"kind":"bad","max_attempts":1})");
    BOOST_TEST(worker(rig, "default/1").at("last_error") == "told to fail");
    BOOST_TEST(worker(rig, "default/1").at("last_error_at").is_string());
}

BOOST_AUTO_TEST_SUITE_END()
