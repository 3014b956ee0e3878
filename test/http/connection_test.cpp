// What a connection bears with, and what it does not.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_connection)

namespace {

const std::string job = R"({"kind":"a"})";

std::string submission(std::string_view body, std::string_view more = "") {
    return http_rig::request("POST", "/v1/jobs", body, more);
}

} // namespace

LIFEGUARD_TEST(HTTP_09_a_body_as_long_as_the_limit_and_one_byte_more) {
    http_options o;
    o.body_max = 1000;
    http_rig rig(ctx, o);
    std::string body = R"({"kind":"a","payload":""})";
    body.insert(body.size() - 2, o.body_max - body.size(), 'x');
    client c = rig.connect();
    c.send(submission(body));
    ctx.settle();
    BOOST_TEST(c.receive().at(0).status == 201u);

    body.insert(body.size() - 2, 1, 'x');
    c.send("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
           "Content-Length: 1001\r\n\r\n"); // and not a byte of it
    ctx.settle();
    const auto declared = c.receive();
    BOOST_REQUIRE(declared.size() == 1u);
    BOOST_TEST(declared[0].status == 413u);

    client chunked = rig.connect();
    chunked.send("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                 body + "\r\n0\r\n\r\n");
    ctx.settle();
    BOOST_TEST(chunked.receive().at(0).status == 413u);
    ctx.advance(1s);
    BOOST_TEST(chunked.closed());
}

LIFEGUARD_TEST(HTTP_10_headers_that_are_too_long) {
    http_rig rig(ctx);
    const auto status = [&](const std::string& text) {
        client c = rig.connect();
        c.send(text);
        ctx.settle();
        const auto answers = c.receive();
        BOOST_REQUIRE(answers.size() == 1u);
        BOOST_TEST(answers[0].fields.at("connection") == "close");
        return answers[0].status;
    };
    const std::string first = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    BOOST_TEST(status(first + "X: " + std::string(17000, 'x') + "\r\n\r\n") == 431u);
    BOOST_TEST(status("GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n") ==
               414u);
    BOOST_TEST(status("GET /" + std::string(90000, 'x')) == 414u);
    std::string many = first;
    for (int i = 0; i < 100; ++i)
        many += "X-" + std::to_string(i) + ": 1\r\n";
    BOOST_TEST(status(many + "\r\n") == 431u);
}

LIFEGUARD_TEST(HTTP_11_many_requests_on_one_connection) {
    http_rig rig(ctx);
    client c = rig.connect();
    for (int i = 0; i < 1000; ++i) {
        c.send(http_rig::request("GET", "/healthz"));
        ctx.settle();
        BOOST_REQUIRE(c.receive().at(0).status == 200u);
    }
    std::string ten;
    for (int i = 0; i < 10; ++i)
        ten += submission(R"({"kind":"a","payload":)" + std::to_string(i) + "}");
    c.send(ten);
    ctx.settle();
    const auto answers = c.receive();
    BOOST_REQUIRE(answers.size() == 10u);
    for (int i = 0; i < 10; ++i) {
        const std::string id = answers[static_cast<std::size_t>(i)].value().at("id");
        BOOST_TEST(rig.get("/v1/jobs/" + id).value().at("payload") == i);
    }
    c.send(http_rig::request("GET", "/healthz", "", "Connection: close\r\n"));
    ctx.settle();
    BOOST_TEST(c.receive().at(0).fields.at("connection") == "close");
    BOOST_TEST(c.closed());

    client old = rig.connect();
    old.send("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n");
    ctx.settle();
    BOOST_TEST(old.receive().at(0).status == 200u);
    BOOST_TEST(old.closed());
}

LIFEGUARD_TEST(HTTP_12_a_chunked_body_split_anywhere) {
    http_rig rig(ctx);
    const std::string head =
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    const std::string chunks =
        "5;name=value\r\n{\"kin\r\n7\r\nd\":\"a\"}\r\n0\r\nX-Trailer: 1\r\n\r\n";
    client c = rig.connect();
    for (std::size_t at = 0; at <= chunks.size(); ++at) {
        c.send(head + chunks.substr(0, at));
        ctx.settle();
        c.send(chunks.substr(at));
        ctx.settle();
        const auto answers = c.receive();
        BOOST_REQUIRE(answers.size() == 1u);
        BOOST_REQUIRE(answers[0].status == 201u);
    }
}

LIFEGUARD_TEST(HTTP_13_who_expects_100_continue_is_told_to_go_on) {
    http_rig rig(ctx);
    client c = rig.connect();
    const std::string head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n"
                             "Expect: 100-continue\r\n";
    c.send(head + "Content-Type: application/json\r\n\r\n");
    ctx.settle();
    BOOST_TEST(c.receive().at(0).status == 100u);
    c.send(job);
    ctx.settle();
    BOOST_TEST(c.receive().at(0).status == 201u);

    c.send(head + "Content-Type: text/plain\r\n\r\n");
    ctx.settle();
    BOOST_TEST(c.receive().at(0).status == 415u);
}

LIFEGUARD_TEST(HTTP_14_slow_clients_are_not_waited_for) {
    http_rig rig(ctx);
    const auto after = [&](const std::string& text, duration wait) {
        client c = rig.connect();
        c.send(text);
        ctx.settle();
        ctx.advance(wait - 1ms);
        BOOST_TEST(c.receive().empty());
        BOOST_TEST(!c.closed());
        ctx.advance(1ms);
        auto answers = c.receive();
        ctx.advance(1s);
        BOOST_TEST(c.closed());
        return answers;
    };
    BOOST_TEST(after("GET /healthz HTTP/1.1\r\n", 10s).at(0).status == 408u);
    BOOST_TEST(after("", 10s).at(0).status == 408u);
    BOOST_TEST(
        after("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
              "Content-Length: 12\r\n\r\n{",
              30s)
            .at(0)
            .status == 408u);

    client idle = rig.connect();
    idle.send(http_rig::request("GET", "/healthz"));
    ctx.settle();
    BOOST_TEST(idle.receive().at(0).status == 200u);
    ctx.advance(60s - 1ms);
    BOOST_TEST(!idle.closed());
    ctx.advance(1ms);
    BOOST_TEST(idle.receive().empty());
    BOOST_TEST(idle.closed());
}

LIFEGUARD_TEST(a_client_that_does_not_read_its_answers_is_cut_off) {
    http_rig rig(ctx);
    const json large = {{"kind", "a"}, {"payload", std::string(500'000, 'x')}};
    const std::string id = rig.post("/v1/jobs", large).value().at("id");
    client c = rig.connect();
    for (int i = 0; i < 10; ++i) // more than the system keeps for it
        c.send(http_rig::request("GET", "/v1/jobs/" + id));
    ctx.settle();
    BOOST_TEST(rig.connections() == 1u);
    ctx.advance(29s);
    BOOST_TEST(rig.connections() == 1u);
    ctx.advance(2s);
    BOOST_TEST(rig.connections() == 0u);
}

LIFEGUARD_TEST(HTTP_18_a_client_that_goes_away_leaves_nothing_behind) {
    http_rig rig(ctx);
    client c = rig.connect();
    c.send(submission(job));
    c.close();
    ctx.settle();
    BOOST_TEST(rig.app.queue().counts("default").available == 1u);
    BOOST_TEST(rig.connections() == 0u);
}

LIFEGUARD_TEST(jobs_that_their_taker_did_not_get_are_given_back) {
    http_rig rig(ctx);
    rig.post("/v1/jobs", {{"kind", "a"}});
    client c = rig.connect();
    c.send(http_rig::request("POST", "/v1/take", R"({"jobs_max":5})"));
    c.close();
    ctx.settle();
    BOOST_TEST(rig.app.queue().counts("default").available == 1u);
    BOOST_TEST(rig.app.queue().counts("default").executing == 0u);
}

LIFEGUARD_TEST(who_has_gone_while_a_take_waited_gets_no_job) {
    http_rig rig(ctx);
    client gone = rig.connect();
    gone.send(http_rig::request("POST", "/v1/take", R"({"wait_ms":30000})"));
    ctx.settle();
    gone.finish(); // as a socket to another machine: what is written to it now is not refused
    rig.post("/v1/jobs", {{"kind", "a"}});
    BOOST_TEST(gone.text().empty());
    BOOST_TEST(rig.app.queue().counts("default").available == 1u);
    BOOST_TEST(rig.connections() == 0u);
}

LIFEGUARD_TEST(who_may_ask) {
    http_rig rig(ctx);
    client c = rig.connect();
    const auto with = [&](const std::string& fields) {
        c.send("GET /v1/queues HTTP/1.1\r\n" + fields + "\r\n");
        ctx.settle();
        return c.receive().at(0).status;
    };
    BOOST_TEST(with("Host: localhost:8080\r\n") == 200u);
    BOOST_TEST(with("Host: [::1]:8080\r\n") == 200u);
    BOOST_TEST(with("Host: evil.example\r\n") == 403u);
    BOOST_TEST(with("Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n") == 200u);
    BOOST_TEST(with("Host: localhost:8080\r\nOrigin: http://evil.example\r\n") == 403u);
    BOOST_TEST(with("Host: localhost:8080\r\nOrigin: null\r\n") == 403u);
}

LIFEGUARD_TEST(a_token_is_asked_for) {
    http_options o;
    o.token = "secret";
    http_rig rig(ctx, o);
    const reply none = rig.get("/v1/queues");
    BOOST_TEST(none.status == 401u);
    BOOST_TEST(none.fields.at("www-authenticate") == "Bearer");
    BOOST_TEST(rig.ask("GET", "/v1/queues", "", "Authorization: Bearer secreT\r\n").status == 401u);
    BOOST_TEST(rig.ask("GET", "/nowhere").status == 401u);
    BOOST_TEST(rig.ask("GET", "/v1/queues", "", "Authorization: Bearer secret\r\n").status == 200u);
    BOOST_TEST(rig.get("/healthz").status == 200u);
}

BOOST_AUTO_TEST_SUITE_END()
