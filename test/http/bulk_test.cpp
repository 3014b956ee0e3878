// Many jobs at once, and jobs that say how far they are.
#include "base/time_limit.hpp"
#include "rig.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_bulk)

namespace {

void submit(http_rig& rig, int count, const json& job) {
    json all = json::array();
    for (int i = 0; i < count; ++i)
        all.push_back(job);
    BOOST_REQUIRE(rig.post("/v1/jobs", all).status == 201u);
}

json ask(http_rig& rig, std::string_view method, const std::string& target,
         std::string_view body = "") {
    const reply r = rig.ask(method, target, body);
    BOOST_TEST_CONTEXT(target) { BOOST_REQUIRE(r.status == 200u); }
    return r.value();
}

std::string take_one(http_rig& rig, std::uint32_t& token) {
    const json job = rig.post("/v1/take", json::object()).value().at("jobs").at(0);
    token = job.at("token");
    return job.at("id");
}

} // namespace

LIFEGUARD_TEST(jobs_are_retried_cancelled_and_removed_by_what_they_are) {
    http_rig rig(ctx);
    submit(rig, 30, {{"kind", "a"}, {"queue", "q"}});
    submit(rig, 5, {{"kind", "b"}, {"queue", "q"}});
    submit(rig, 7, {{"kind", "a"}, {"queue", "other"}});
    BOOST_TEST(ask(rig, "POST", "/v1/jobs/cancel?queue=q&kind=a&count_only=true").at("count") ==
               30);
    const json part = ask(rig, "POST", "/v1/jobs/cancel?queue=q&kind=a&limit=20");
    BOOST_TEST(part.at("cancelled") == 20);
    BOOST_TEST(part.at("left") == 10);
    const json rest = ask(rig, "POST", "/v1/jobs/cancel", R"({"queue":"q","kind":"a"})");
    BOOST_TEST(rest.at("cancelled") == 10);
    BOOST_TEST(rest.at("left") == 0);
    BOOST_TEST(rig.get("/v1/queues/q").value().at("available") == 5);
    BOOST_TEST(rig.get("/v1/queues/other").value().at("available") == 7);

    // Unless it is said, what is cancelled stays so.
    BOOST_TEST(ask(rig, "POST", "/v1/jobs/retry?queue=q").at("retried") == 0);
    BOOST_TEST(ask(rig, "POST", "/v1/jobs/retry?queue=q&state=cancelled,completed").at("retried") ==
               30);
    BOOST_TEST(rig.get("/v1/queues/q").value().at("available") == 35);

    BOOST_TEST(ask(rig, "DELETE", "/v1/jobs?kind=a&count_only=true").at("count") == 37);
    BOOST_TEST(ask(rig, "DELETE", "/v1/jobs?kind=a").at("removed") == 37);
    BOOST_TEST(ask(rig, "DELETE", "/v1/jobs?queue=q&state=available").at("removed") == 5);

    BOOST_TEST(rig.ask("POST", "/v1/jobs/retry").status == 422u); // all of them? surely not
    BOOST_TEST(rig.ask("POST", "/v1/jobs/retry?state=nonsense").where() == "state");
    BOOST_TEST(rig.ask("POST", "/v1/jobs/retry?queue=q&limit=10001").status == 422u);
    BOOST_TEST(rig.ask("POST", "/v1/jobs/retry?queue=q&count_only=1").where() == "count_only");
}

LIFEGUARD_TEST(a_job_that_executes_is_asked_to_stop_and_not_removed) {
    http_rig rig(ctx);
    submit(rig, 2, {{"kind", "a"}});
    std::uint32_t token = 0;
    const std::string id = take_one(rig, token);
    const json removed = ask(rig, "DELETE", "/v1/jobs?queue=default");
    BOOST_TEST(removed.at("removed") == 1);
    BOOST_TEST(removed.at("skipped") == 1);
    BOOST_TEST(ask(rig, "POST", "/v1/jobs/cancel?queue=default").at("cancelled") == 1);
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("cancel_asked") == true);
    BOOST_TEST(ask(rig, "POST", "/v1/jobs/cancel?queue=default").at("skipped") == 1);
}

LIFEGUARD_TEST(jobs_are_found_by_how_their_id_begins) {
    http_rig rig(ctx);
    for (const char* id :
         {"0190a6f2-8c5e-7b3a-9f00-1234567890ab", "0190a6f2-8c5e-7b3a-9f00-1234567890ac",
          "1190a6f2-8c5e-7b3a-9f00-1234567890ab"})
        BOOST_REQUIRE(rig.post("/v1/jobs", {{"kind", "a"}, {"id", id}}).status == 201u);
    const auto found = [&](const std::string& prefix) {
        return rig.get("/v1/jobs?id_prefix=" + prefix).value().at("jobs").size();
    };
    BOOST_TEST(found("0") == 2u);
    BOOST_TEST(found("0190A6F2-8c5e-") == 2u);
    BOOST_TEST(found("0190a6f2-8c5e-7b3a-9f00-1234567890ab") == 1u);
    BOOST_TEST(found("2") == 0u);
    BOOST_TEST(rig.get("/v1/jobs?id_prefix=xyz").where() == "id_prefix");
    BOOST_TEST(rig.get("/v1/jobs?id_prefix=0190a6f28").status == 422u); // no dash
}

LIFEGUARD_TEST(a_taken_job_says_how_far_it_is) {
    http_rig rig(ctx);
    submit(rig, 1, {{"kind", "a"}});
    std::uint32_t token = 0;
    const std::string id = take_one(rig, token);
    const std::string at = "/v1/jobs/" + id + "/progress";
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("progress").is_null());
    BOOST_TEST(rig.post(at, {{"token", token}, {"progress", 0.5}}).status == 204u);
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("progress") == 0.5);
    BOOST_TEST(rig.post(at, {{"progress", {{"rows", 7}}}}).status == 204u);
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("progress").at("rows") == 7);

    const json late = {{"token", token + 1}, {"progress", 1}};
    BOOST_TEST(rig.post(at, late).code() == "lease_lost");
    BOOST_TEST(rig.post(at, {{"token", token}}).where() == "progress");
    const json long_one = {{"progress", std::string(4096, 'x')}};
    BOOST_TEST(rig.post(at, long_one).status == 422u);

    rig.post("/v1/jobs/" + id + "/finish", {{"token", token}, {"outcome", "done"}});
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("progress").is_null());
    BOOST_TEST(rig.post(at, {{"progress", 1}}).status == 409u);
    BOOST_TEST(rig.post("/v1/jobs/0190a6f2-8c5e-7b3a-9f00-1234567890ab/progress", {{"progress", 1}})
                   .status == 404u);
}

LIFEGUARD_TEST(a_handler_says_how_far_it_is_and_streams_tell) {
    http_rig rig(ctx);
    rig.app.handle("copy", [time = ctx.time](job_context& job) -> asio::awaitable<json> {
        job.progress(0.25);
        const auto on = co_await asio::this_coro::executor;
        co_await detail::pause(detail::deadline_service::of(on, time), time->now() + 1s);
        job.progress(1);
        co_return nullptr;
    });
    client c = rig.connect();
    c.send(http_rig::request("GET", "/v1/events?topics=job_progress"));
    const std::string id = rig.post("/v1/jobs", {{"kind", "copy"}}).value().at("id");
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("progress") == 0.25);
    ctx.advance(2s);
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("progress").is_null());
    const std::string text = c.text();
    BOOST_TEST(text.find(R"("progress":0.25)") != std::string::npos);
    BOOST_TEST(text.find(R"("progress":1)") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
