// What is answered when something is wrong, and how the server is doing.
#include "http/answers.hpp"
#include "http/json_writer.hpp"
#include "rig.hpp"
#include "store/job_store.hpp"
#include <lifeguard/circuit_breaker.hpp>
#include <lifeguard/store.hpp>

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
namespace web = lifeguard::detail::web;

BOOST_AUTO_TEST_SUITE(http_answers)

namespace {

/// Refuses to store anything.
class refusing_store final : public detail::job_store {
  public:
    explicit refusing_store(errc why) : job_store({}), why_(why) {}

    std::string_view name() const noexcept override { return "refusing"; }
    void push(std::unique_ptr<detail::job_record> job, std::int64_t,
              detail::wake_list& wakes) override {
        listener().push_failed(*job, std::make_exception_ptr(error(why_, "the file")), wakes);
    }
    void push(std::vector<std::unique_ptr<detail::job_record>> jobs, std::int64_t wall_now,
              detail::wake_list& wakes) override {
        for (auto& job : jobs)
            push(std::move(job), wall_now, wakes);
    }
    void start(detail::job_record&) override {}
    void set_pause(std::shared_ptr<detail::pause_request>, detail::wake_list&) override {}
    void settle(detail::job_record&, detail::settlement&&, detail::wake_list&) override {}
    void remove(detail::job_record&, detail::wake_list&) override {}

  private:
    errc why_;
};

reply submit_to(test_context& ctx, errc why) {
    engine_options o;
    o.make_store = [why] { return store(std::make_unique<refusing_store>(why)); };
    reply got;
    {
        http_rig rig(ctx, http_options(), std::move(o));
        got = rig.post("/v1/jobs", {{"kind", "a"}});
    } // may throw, and clang forgets what a function was about to return
    return got;
}

} // namespace

LIFEGUARD_TEST(HTTP_15_what_the_store_refuses) {
    const reply full = submit_to(ctx, errc::store_full);
    BOOST_TEST(full.status == 507u);
    BOOST_TEST(full.code() == "store_full");
    for (const errc why : {errc::store_busy, errc::store_failed, errc::store_read_only}) {
        const reply r = submit_to(ctx, why);
        BOOST_TEST(r.status == 503u);
        BOOST_TEST(r.fields.at("retry-after") == "1");
    }
}

LIFEGUARD_TEST(HTTP_20_health_and_readiness) {
    http_rig rig(ctx);
    BOOST_TEST(rig.get("/healthz").status == 200u);
    BOOST_TEST(rig.get("/readyz").status == 200u);
    rig.app.request_stop();
    ctx.settle();
    BOOST_TEST(rig.get("/healthz").status == 200u);
    const reply r = rig.get("/readyz");
    BOOST_TEST(r.status == 503u);
    BOOST_TEST(r.code() == "not_ready");
}

BOOST_AUTO_TEST_CASE(HTTP_22_what_nobody_expected_is_told_without_its_text) {
    for (const auto& thrown :
         {std::make_exception_ptr(std::runtime_error("/etc/secret")), std::make_exception_ptr(42),
          std::make_exception_ptr(error(errc::start_failed, "secret"))}) {
        const web::answer a = web::to_answer(thrown);
        BOOST_TEST(a.status == 500u);
        BOOST_TEST(json::parse(a.body).at("code") == "internal");
        BOOST_TEST(a.body.find("secret") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(an_open_breaker_says_when_to_come_back) {
    const web::answer a =
        web::to_answer(std::make_exception_ptr(breaker_open_error("mail", {}, 2500ms, nullptr)));
    BOOST_TEST(a.status == 503u);
    BOOST_REQUIRE(a.fields.size() == 1u);
    BOOST_TEST(a.fields[0].second == "3");
}

LIFEGUARD_TEST(what_is_wrong_with_a_parameter_or_a_member_is_named) {
    http_rig rig(ctx);
    const auto where = [&](std::string_view method, std::string_view target, const char* body) {
        const reply r = rig.ask(method, target, body);
        BOOST_TEST(r.status == 422u);
        return r.where();
    };
    BOOST_TEST(where("POST", "/v1/jobs?wait=5", R"({"kind":"a"})") == "wait");
    BOOST_TEST(where("POST", "/v1/jobs?wait=61s", R"({"kind":"a"})") == "wait");
    BOOST_TEST(where("POST", "/v1/jobs?wiat=5s", R"({"kind":"a"})") == "wiat");
    BOOST_TEST(where("POST", "/v1/take", R"({"wait_ms":60001})") == "wait_ms");
    BOOST_TEST(where("POST", "/v1/take", R"({"kinds":"a"})") == "kinds");
    BOOST_TEST(where("POST", "/v1/take", R"({"more":1})") == "more");
    BOOST_TEST(rig.get("/v1/pools/none").status == 404u);
    BOOST_TEST(rig.get("/v1/workers/default/99").status == 404u);
    BOOST_TEST(rig.get("/v1/queues/%zz").status == 400u);
}

LIFEGUARD_TEST(pools_workers_and_the_tree) {
    http_rig rig(ctx);
    BOOST_TEST(rig.get("/v1/pools").value().at("pools").at(0).at("workers") == 10);
    BOOST_TEST(rig.get("/v1/workers").value().at("workers").size() == 10u);
    BOOST_TEST(rig.get("/v1/workers/default/3").value().at("incarnation") == 1);
    BOOST_TEST(rig.ask("POST", "/v1/workers/default/3/kill").status == 204u);
    BOOST_TEST(rig.get("/v1/workers/default/3").value().at("incarnation") == 2);
    const std::string tree = rig.get("/v1/tree").value().at("tree");
    BOOST_TEST(tree.find("default/3 (worker, running, incarnation 2)") != std::string::npos);
    const reply metrics = rig.get("/metrics");
    BOOST_TEST(metrics.fields.at("content-type") == "text/plain; version=0.0.4; charset=utf-8");
    BOOST_TEST(metrics.body.find("lifeguard_") != std::string::npos);
    client c = rig.connect();
    c.send(http_rig::request("HEAD", "/healthz"));
    ctx.settle();
    const std::string head = c.text();
    BOOST_TEST(head.starts_with("HTTP/1.1 200 OK\r\n"));
    BOOST_TEST(head.ends_with("\r\n\r\n"));
}

BOOST_AUTO_TEST_CASE(json_is_written_piece_by_piece) {
    web::json_writer w;
    w.begin_object().member("a", 1).member("b", "x\"\n\xff").key("c").begin_array();
    w.value(true).value(1.5).begin_object().end_object().text("[1]").end_array().end_object();
    BOOST_TEST(w.take() == R"({"a":1,"b":"x\"\n)"
                           "\xef\xbf\xbd"
                           R"(","c":[true,1.5,{},[1]]})");
}

BOOST_AUTO_TEST_SUITE_END()
