// What is JSON and what is not, as bodies and as payloads.
#include "json_documents.hpp"
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_json)

namespace {

/// One connection, on which everything must stay usable.
class talk {
  public:
    explicit talk(http_rig& rig) : rig_(rig), client_(rig.connect()) {}

    reply post(const std::string& body) {
        client_.send("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Type: application/json\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body);
        return answer();
    }
    reply get(const std::string& target) {
        client_.send(http_rig::request("GET", target));
        return answer();
    }

  private:
    reply answer() {
        rig_.ctx.settle();
        auto answers = client_.receive();
        BOOST_REQUIRE(answers.size() == 1u);
        return std::move(answers.front());
    }

    http_rig& rig_;
    client client_;
};

std::string with_payload(std::string_view text) {
    return R"({"kind":"a","payload":)" + std::string(text) + "}";
}

std::size_t stored(const http_rig& rig) { return rig.app.queue().counts("default").available; }

} // namespace

LIFEGUARD_TEST(HTTP_01_what_is_json_is_accepted_as_a_payload) {
    http_rig rig(ctx);
    talk c(rig);
    for (const json_document& d : well_formed()) {
        BOOST_TEST_CONTEXT(d.about) {
            const reply r = c.post(with_payload(d.text));
            BOOST_TEST(r.status == 201u);
            const reply job = c.get("/v1/jobs/" + r.value().at("id").get<std::string>());
            BOOST_TEST(job.value().at("payload") == json::parse(d.text));
            BOOST_TEST(c.post(std::string(d.text)).status == 422u);
        }
    }
    BOOST_TEST(stored(rig) == well_formed().size());
}

LIFEGUARD_TEST(HTTP_02_what_is_not_json_is_refused_with_its_place) {
    http_rig rig(ctx);
    talk c(rig);
    for (const json_document& d : malformed()) {
        BOOST_TEST_CONTEXT(d.about) {
            for (const std::string& body : {std::string(d.text), with_payload(d.text)}) {
                const reply r = c.post(body);
                BOOST_TEST(r.status == 400u);
                BOOST_TEST(r.value().at("position").get<std::size_t>() <= body.size());
            }
        }
    }
    BOOST_TEST(stored(rig) == 0u);
}

LIFEGUARD_TEST(HTTP_03_what_the_standard_leaves_open_has_a_fixed_answer) {
    http_rig rig(ctx);
    talk c(rig);
    for (const undecided_document& d : undecided()) {
        BOOST_TEST_CONTEXT(d.about) {
            BOOST_TEST(c.post(with_payload(d.text)).status == (d.accepted ? 201u : 400u));
            BOOST_TEST(c.post(std::string(d.text)).status == (d.accepted ? 422u : 400u));
        }
    }
}

LIFEGUARD_TEST(HTTP_04_depth_is_limited) {
    http_rig rig(ctx);
    talk c(rig);
    const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
    BOOST_TEST(c.post(with_payload(nested(500))).status == 201u);
    BOOST_TEST(c.post(with_payload(nested(512))).status == 201u);
    const reply deep = c.post(with_payload(nested(513)));
    BOOST_TEST(deep.status == 400u);
    BOOST_TEST(deep.code() == "too_deep");
    BOOST_TEST(c.post(with_payload(std::string(100'000, '['))).status == 400u);
    std::string objects;
    for (int i = 0; i < 50'000; ++i)
        objects += "[{\"\":";
    BOOST_TEST(c.post(with_payload(objects)).status == 400u);
    BOOST_TEST(c.post(std::string(100'000, '[')).status == 400u);
}

LIFEGUARD_TEST(HTTP_05_a_payload_comes_back_as_it_was_sent) {
    http_rig rig(ctx);
    talk c(rig);
    BOOST_TEST(c.post(R"({"kind":"a","payload":1,"payload":1})").status == 422u);
    const std::string payload =
        R"({"a":9223372036854775807, "a":9223372036854775808,"b":-9223372036854775808,)"
        R"("c":-9223372036854775809,"d":1e-999,"e":1.000000000000000005})";
    const std::string id = c.post(with_payload(payload)).value().at("id");
    BOOST_TEST(c.get("/v1/jobs/" + id).body.find(payload) != std::string::npos);
}

LIFEGUARD_TEST(HTTP_06_bodies_that_are_no_document) {
    http_rig rig(ctx);
    talk c(rig);
    const std::string job = R"({"kind":"a"})";
    for (const std::string& body : {std::string(), std::string(" \n"), "\xef\xbb\xbf" + job,
                                    job + "x", job + job, std::string("{\0\"\0}\0", 6)})
        BOOST_TEST(c.post(body).status == 400u);
    BOOST_TEST(stored(rig) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
