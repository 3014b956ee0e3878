// Jobs over HTTP: submitted, awaited, looked at, removed.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_jobs)

LIFEGUARD_TEST(a_job_is_created_and_can_be_looked_at) {
    http_rig rig(ctx);
    const reply r = rig.post("/v1/jobs", {{"kind", "mail"}, {"payload", {{"to", "a"}}}});
    BOOST_TEST(r.status == 201u);
    const std::string id = r.value().at("id");
    BOOST_TEST(r.value().at("state") == "available");
    BOOST_TEST(r.fields.at("location") == "/v1/jobs/" + id);
    BOOST_TEST(r.fields.at("content-type") == "application/json");

    const reply job = rig.get("/v1/jobs/" + id);
    BOOST_TEST(job.status == 200u);
    BOOST_TEST(job.value().at("kind") == "mail");
    BOOST_TEST(job.value().at("payload").at("to") == "a");
    BOOST_TEST(job.value().at("timeout_ms").is_null());
    BOOST_TEST(job.value().at("unique") == false);
    BOOST_TEST(job.value().at("unique_key").is_null());
    BOOST_TEST(job.value().at("waits_for_handler") == true);

    BOOST_TEST(rig.ask("DELETE", "/v1/jobs/" + id).status == 204u);
    BOOST_TEST(rig.get("/v1/jobs/" + id).status == 404u);
}

LIFEGUARD_TEST(a_result_is_awaited) {
    http_rig rig(ctx);
    rig.app.handle("double", [](job_context& job) -> asio::awaitable<json> {
        co_return 2 * job.payload().get<int>();
    });
    const reply r = rig.ask("POST", "/v1/jobs?wait=5s", R"({"kind":"double","payload":21})");
    BOOST_TEST(r.status == 200u);
    BOOST_TEST(r.value().at("state") == "completed");
    BOOST_TEST(r.value().at("result") == 42);
}

LIFEGUARD_TEST(a_wait_that_is_over_answers_202_and_changes_nothing) {
    http_rig rig(ctx);
    client c = rig.connect();
    c.send(http_rig::request("POST", "/v1/jobs?wait=5s", R"({"kind":"later"})"));
    ctx.settle();
    BOOST_TEST(c.receive().empty());
    ctx.advance(5s);
    const auto answers = c.receive();
    BOOST_REQUIRE(answers.size() == 1u);
    BOOST_TEST(answers[0].status == 202u);
    BOOST_TEST(answers[0].value().at("state") == "available");
    // The connection goes on.
    c.send(http_rig::request("GET", "/healthz"));
    ctx.settle();
    BOOST_TEST(c.receive().at(0).status == 200u);
}

LIFEGUARD_TEST(HTTP_07_what_is_not_asked_for_in_the_right_way) {
    http_rig rig(ctx);
    client c = rig.connect();
    const auto one = [&](const std::string& text) {
        c.send(text);
        ctx.settle();
        auto answers = c.receive();
        BOOST_REQUIRE(answers.size() == 1u);
        return answers.front();
    };
    const std::string head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n";
    const std::string body = R"({"kind":"a"})";
    BOOST_TEST(one(head + "\r\n" + body).status == 415u);
    BOOST_TEST(one(head + "Content-Type: text/plain\r\n\r\n" + body).status == 415u);
    BOOST_TEST(one(head + "Content-Type: application/json; charset=utf-16\r\n\r\n" + body).status ==
               415u);
    BOOST_TEST(one(head + "Content-Type: application/json; charset=utf-8\r\n\r\n" + body).status ==
               201u);
    BOOST_TEST(one(http_rig::request("GET", "/nowhere")).status == 404u);
    const reply wrong = one(http_rig::request("PUT", "/v1/jobs"));
    BOOST_TEST(wrong.status == 405u);
    BOOST_TEST(wrong.fields.at("allow") == "POST, GET, HEAD, DELETE");
    BOOST_TEST(wrong.code() == "method_not_allowed");
}

LIFEGUARD_TEST(HTTP_08_a_wrong_job_is_refused_naming_the_member) {
    http_rig rig(ctx);
    const auto where = [&](const char* body) {
        const reply r = rig.ask("POST", "/v1/jobs", body);
        BOOST_TEST(r.status == 422u);
        return r.where();
    };
    BOOST_TEST(where("{}") == "kind");
    BOOST_TEST(where(R"({"kind":7})") == "kind");
    BOOST_TEST(where(R"({"kind":"a","priority":10})") == "priority");
    BOOST_TEST(where(R"({"kind":"a","prio":1})") == "prio");
    BOOST_TEST(where(R"({"kind":"a","kind":"b"})") == "kind");
    BOOST_TEST(rig.app.queue().counts("default").available == 0u);
}

LIFEGUARD_TEST(a_job_tells_what_was_asked_for_it) {
    http_rig rig(ctx);
    const auto asked = [&](json of_job) {
        of_job["kind"] = "a";
        const std::string id = rig.post("/v1/jobs", of_job).value().at("id");
        const json job = rig.get("/v1/jobs/" + id).value();
        return json({job.at("timeout_ms"), job.at("unique"), job.at("unique_key")});
    };
    BOOST_TEST(asked({{"timeout_ms", 1500}}) == json({1500, false, nullptr}));
    BOOST_TEST(asked({{"unique_key", "k"}}) == json({nullptr, true, "k"}));
    BOOST_TEST(asked({{"unique", true}}) == json({nullptr, true, nullptr}));
}

LIFEGUARD_TEST(HTTP_16_a_full_queue_answers_429_until_there_is_space) {
    engine_options o;
    o.queue.jobs_max = 1;
    http_rig rig(ctx, http_options(), std::move(o));
    const reply first = rig.post("/v1/jobs", {{"kind", "a"}});
    BOOST_TEST(first.status == 201u);
    const reply refused = rig.post("/v1/jobs", {{"kind", "a"}});
    BOOST_TEST(refused.status == 429u);
    BOOST_TEST(refused.code() == "queue_full");
    BOOST_TEST(!refused.fields.at("retry-after").empty());
    BOOST_TEST(rig.app.queue().counts("default").available == 1u);
    rig.ask("DELETE", "/v1/jobs/" + first.value().at("id").get<std::string>());
    BOOST_TEST(rig.post("/v1/jobs", {{"kind", "a"}}).status == 201u);
}

LIFEGUARD_TEST(HTTP_17_a_submission_may_be_repeated) {
    http_rig rig(ctx);
    const std::string id = "0190a6f2-8c5e-7b3a-9f00-1234567890ab";
    const std::string key = "Idempotency-Key: " + id + "\r\n";
    const auto submit = [&](const char* body) { return rig.ask("POST", "/v1/jobs", body, key); };
    const reply first = submit(R"({"kind":"a","payload":1})");
    BOOST_TEST(first.status == 201u);
    BOOST_TEST(first.value().at("id") == id);
    const reply again = submit(R"({"kind":"a","payload":1})");
    BOOST_TEST(again.status == 200u);
    BOOST_TEST(again.value().at("id") == id);
    BOOST_TEST(submit(R"({"kind":"a","payload":2})").status == 409u);
    BOOST_TEST(rig.app.queue().counts("default").available == 1u);
}

LIFEGUARD_TEST(HTTP_17_a_key_may_be_any_text) {
    http_rig rig(ctx);
    const auto submit = [&](const char* body, const char* key) {
        return rig.ask("POST", "/v1/jobs", body, "Idempotency-Key: " + std::string(key) + "\r\n");
    };
    const reply first = submit(R"({"kind":"a"})", "order 17");
    BOOST_TEST(first.status == 201u);
    const reply again = submit(R"({"kind":"a"})", "order 17");
    BOOST_TEST(again.status == 200u);
    BOOST_TEST(again.value().at("id") == first.value().at("id"));
    BOOST_TEST(submit(R"({"kind":"b"})", "order 17").status == 409u);
    BOOST_TEST(submit(R"({"kind":"a"})", "order 18").status == 201u);
}

LIFEGUARD_TEST(HTTP_21_many_jobs_are_submitted_at_once_or_not_at_all) {
    http_rig rig(ctx);
    json jobs = json::array();
    for (int i = 0; i < 1000; ++i)
        jobs.push_back({{"kind", "a"}, {"payload", i}});
    const reply r = rig.post("/v1/jobs", jobs);
    BOOST_TEST(r.status == 201u);
    BOOST_TEST(r.value().at("jobs").size() == 1000u);
    BOOST_TEST(rig.app.queue().counts("default").available == 1000u);

    jobs[700]["priority"] = 99;
    const reply wrong = rig.post("/v1/jobs", jobs);
    BOOST_TEST(wrong.status == 422u);
    BOOST_TEST(wrong.where() == "jobs[700].priority");
    BOOST_TEST(rig.post("/v1/jobs", json::array()).status == 422u);
    BOOST_TEST(rig.ask("POST", "/v1/jobs?wait=1s", "[]").status == 422u);
    BOOST_TEST(rig.app.queue().counts("default").available == 1000u);
}

LIFEGUARD_TEST(jobs_are_listed_explained_cancelled_and_retried) {
    http_rig rig(ctx);
    for (int i = 0; i < 5; ++i)
        rig.post("/v1/jobs", {{"kind", i == 3 ? "odd" : "a"}});
    const reply page = rig.get("/v1/jobs?limit=2");
    BOOST_TEST(page.value().at("jobs").size() == 2u);
    const reply rest = rig.get("/v1/jobs?limit=10&after=" + page.value().at("next").dump());
    BOOST_TEST(rest.value().at("jobs").size() == 3u);
    BOOST_TEST(rest.value().at("next").is_null());
    const reply newest = rig.get("/v1/jobs?limit=2&order=desc");
    BOOST_TEST(newest.value().at("jobs").at(1).at("kind") == "odd");
    const reply older =
        rig.get("/v1/jobs?order=desc&limit=10&after=" + newest.value().at("next").dump());
    BOOST_TEST(older.value().at("jobs").size() == 3u);
    BOOST_TEST(older.value().at("jobs").at(2) == page.value().at("jobs").at(0));
    BOOST_TEST(older.value().at("next").is_null());
    BOOST_TEST(rig.get("/v1/jobs?order=asc&limit=2").body == page.body);
    BOOST_TEST(rig.get("/v1/jobs?order=newest").where() == "order");
    const json odd = rig.get("/v1/jobs?kind=odd").value().at("jobs");
    BOOST_REQUIRE(odd.size() == 1u);
    const std::string at = "/v1/jobs/" + odd[0].at("id").get<std::string>();

    BOOST_TEST(rig.get(at + "/explain").value().at("why") == "no_handler");
    BOOST_TEST(rig.ask("POST", at + "/cancel").value().at("state") == "cancelled");
    BOOST_TEST(rig.get("/v1/jobs?state=cancelled").value().at("jobs").size() == 1u);
    BOOST_TEST(rig.ask("POST", at + "/retry").value().at("state") == "available");
    BOOST_TEST(rig.get("/v1/jobs?state=none").where() == "state");
    const reply gone = rig.ask("DELETE", "/v1/jobs?state=available");
    BOOST_TEST(gone.value().at("removed") == 5);
}

LIFEGUARD_TEST(queues_are_paused_and_drained) {
    http_rig rig(ctx);
    rig.post("/v1/jobs", {{"kind", "a"}});
    BOOST_TEST(rig.ask("POST", "/v1/queues/default/pause").status == 204u);
    BOOST_TEST(rig.get("/v1/queues/default").value().at("paused") == true);
    BOOST_TEST(rig.post("/v1/take", json::object()).value().at("jobs").empty());
    BOOST_TEST(rig.ask("POST", "/v1/queues/default/resume").status == 204u);
    BOOST_TEST(rig.post("/v1/take", json::object()).value().at("jobs").size() == 1u);

    BOOST_TEST(rig.post("/v1/drain", {{"draining", true}}).status == 204u);
    const reply refused = rig.post("/v1/jobs", {{"kind", "a"}});
    BOOST_TEST(refused.status == 503u);
    BOOST_TEST(refused.code() == "draining");
    BOOST_TEST(rig.get("/readyz").status == 503u);
    BOOST_TEST(rig.post("/v1/drain", {{"draining", false}}).status == 204u);
    BOOST_TEST(rig.post("/v1/jobs", {{"kind", "a"}}).status == 201u);

    BOOST_TEST(rig.post("/v1/pools/default/resize", {{"size", 3}}).status == 204u);
    ctx.settle();
    BOOST_TEST(rig.get("/v1/pools/default").value().at("workers") == 3);
    BOOST_TEST(rig.post("/v1/pools/default/resize", {{"size", 0}}).status == 422u);
}

LIFEGUARD_TEST(HTTP_19_what_a_job_failed_with_is_valid_json) {
    http_rig rig(ctx);
    rig.app.handle("zany", [](job_context&) -> asio::awaitable<json> {
        throw std::runtime_error("\"quoted\" \x01\x7f\n \xff\xfe \xe2\x80\xae");
        co_return nullptr;
    });
    const reply r = rig.ask("POST", "/v1/jobs?wait=1s", R"({"kind":"zany","max_attempts":1})");
    BOOST_TEST(r.status == 200u);
    BOOST_TEST(r.value().at("state") == "discarded");
    const std::string text = r.value().at("errors").at(0).at("text");
    BOOST_TEST(text.find("\"quoted\" \x01") != std::string::npos);
    BOOST_TEST(text.find("\xff") == std::string::npos);
    BOOST_TEST(rig.get("/v1/jobs/0190a6f2-8c5e-7b3a-9f00-000000000000").status == 404u);
    BOOST_TEST(rig.get("/v1/jobs/no-id").status == 404u);
}

LIFEGUARD_TEST(a_remote_worker_that_extends_is_told_of_a_cancellation) {
    http_rig rig(ctx);
    const std::string id = rig.post("/v1/jobs", {{"kind", "far"}}).value().at("id");
    const json job = rig.post("/v1/take", json::object()).value().at("jobs").at(0);
    BOOST_TEST(rig.post("/v1/jobs/" + id + "/cancel", json::object()).status == 200u);
    const json lease = {{"token", job.at("token")}, {"lease_ms", 60'000}};
    const reply r = rig.post("/v1/jobs/" + id + "/extend", lease);
    BOOST_TEST(r.status == 409u);
    BOOST_TEST(r.code() == "job_cancelled");
}

LIFEGUARD_TEST(a_remote_worker_takes_extends_and_finishes) {
    http_rig rig(ctx);
    const std::string id = rig.post("/v1/jobs", {{"kind", "far"}, {"payload", 1}}).value().at("id");
    const reply taken = rig.post("/v1/take", {{"kinds", {"far"}}, {"lease_ms", 60'000}});
    BOOST_TEST(taken.status == 200u);
    const json job = taken.value().at("jobs").at(0);
    BOOST_TEST(job.at("id") == id);
    BOOST_TEST(job.at("lease_ms") == 60'000);
    BOOST_TEST(job.at("payload") == 1);
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("state") == "executing");

    ctx.advance(50s);
    const reply longer =
        rig.post("/v1/jobs/" + id + "/extend", {{"token", job.at("token")}, {"lease_ms", 60'000}});
    BOOST_TEST(longer.value().at("lease_ms") == 60'000);
    ctx.advance(50s);
    const json done = {{"token", job.at("token")}, {"outcome", "done"}, {"result", {{"n", 2}}}};
    BOOST_TEST(rig.post("/v1/jobs/" + id + "/finish", done).status == 204u);
    BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("result").at("n") == 2);
    const reply again = rig.post("/v1/jobs/" + id + "/finish", done);
    BOOST_TEST(again.status == 409u);
    BOOST_TEST(again.code() == "already_done");
}

LIFEGUARD_TEST(a_take_waits_for_a_job) {
    http_rig rig(ctx);
    client c = rig.connect();
    c.send(http_rig::request("POST", "/v1/take", R"({"wait_ms":1000})"));
    ctx.settle();
    BOOST_TEST(c.receive().empty());
    rig.post("/v1/jobs", {{"kind", "a"}});
    const auto answers = c.receive();
    BOOST_REQUIRE(answers.size() == 1u);
    BOOST_TEST(answers[0].value().at("jobs").size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
