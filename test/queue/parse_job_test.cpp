#include "support/errors.hpp"
#include <lifeguard/job.hpp>
#include <lifeguard/json.hpp>

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(parse_job)

namespace {

constexpr const char* an_id = "0190a6f2-8c5e-7b3a-9f00-1234567890ab";

new_job accepted(std::string_view text, const job_limits& limits = job_limits()) {
    auto result = lifeguard::parse_job(text, limits);
    BOOST_TEST_CONTEXT(text) {
        if (!result)
            BOOST_ERROR(result.error().message);
    }
    return std::move(result).value();
}

job_parse_error refused(std::string_view text, const job_limits& limits = job_limits()) {
    const auto result = lifeguard::parse_job(text, limits);
    BOOST_TEST_CONTEXT(text) { BOOST_TEST_REQUIRE(result.has_error()); }
    return result.error();
}

/// The member at fault and the position.
void refuses(std::string_view text, errc code, std::string_view member, std::size_t position) {
    const job_parse_error e = refused(text);
    BOOST_TEST_CONTEXT(text << " -> " << e.message) {
        BOOST_TEST(e.code == code);
        BOOST_TEST(e.member == member);
        BOOST_TEST(e.position == position);
        BOOST_TEST(e.message.find(std::to_string(position)) != std::string::npos);
    }
}

std::string with_payload(std::string_view payload) {
    return R"({"kind":"k","payload":)" + std::string(payload) + "}";
}

std::string nested(std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
}

} // namespace

BOOST_AUTO_TEST_CASE(a_kind_is_enough) {
    const new_job job = accepted(R"({"kind":"resize"})");
    BOOST_TEST(job.kind == "resize");
    BOOST_TEST(job.payload_text() == "null");
    BOOST_TEST(job.queue.empty());
    BOOST_TEST(job.priority == 5);
    BOOST_TEST(job.max_attempts == 0u);
    BOOST_TEST(job.id.is_nil());
    BOOST_TEST(!job.run_at.has_value());
}

BOOST_AUTO_TEST_CASE(every_member_is_read) {
    const new_job job = accepted(std::string(R"( { "payload" : { "a" : 1 } , "kind":"k\u0069nd",
        "queue":"q", "priority":0, "max_attempts":4294967295, "timeout_ms":1500, "id":")") +
                                 an_id + R"(", "run_at":"2026-01-31T12:00:00Z" } )");
    BOOST_TEST(job.kind == "kind");
    BOOST_TEST(job.queue == "q");
    BOOST_TEST(job.priority == 0);
    BOOST_TEST(job.max_attempts == 4294967295u);
    BOOST_TEST((job.timeout == 1500ms));
    BOOST_TEST(job.id.to_string() == an_id);
    BOOST_TEST((job.run_at == wall_time(1769860800s)));
    BOOST_TEST(job.payload_text() == R"({ "a" : 1 })");
    BOOST_TEST((accepted(R"({"kind":"k","delay_ms":250})").delay == 250ms));
    BOOST_TEST((accepted(R"({"kind":"k","delay_ms":0})").delay == 0ms));
}

BOOST_AUTO_TEST_CASE(the_payload_is_kept_byte_for_byte) {
    for (const std::string payload : {"null",
                                      "true",
                                      "false",
                                      "0",
                                      "-0",
                                      "-1.5E+3",
                                      "1e-999",
                                      "1.000000000000000005",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "-9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551616",
                                      "\"\"",
                                      R"("\u0041\n\/\"\\")",
                                      R"(",}] ")",
                                      "\"\xf0\x9f\x9b\x9f\"",
                                      "[]",
                                      "{}",
                                      "[ 1 ,\t2\n]",
                                      R"({"a":1,"a":2})",
                                      R"({"kind":"other","payload":{"priority":99}})",
                                      R"([{"x":[[],{}]},"]}"])"}) {
        BOOST_TEST(accepted(with_payload(payload)).payload_text() == payload);
        BOOST_TEST(accepted(with_payload(" \n" + payload + "\t ")).payload_text() == payload);
        BOOST_TEST(accepted(R"({"payload":)" + payload + R"(,"kind":"k"})").payload_text() ==
                   payload);
        check_payload(payload, job_limits());
    }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_member_is_named_with_its_place) {
    const auto invalid = errc::invalid_job;
    refuses(R"({"kind":7})", invalid, "kind", 8);
    refuses(R"({"kind": "" })", invalid, "kind", 9);
    refuses(R"({"kind":null})", invalid, "kind", 8);
    refuses(R"({"kind":[]})", invalid, "kind", 8);
    refuses(R"({"kind":{}})", invalid, "kind", 8);
    refuses(R"({})", invalid, "kind", 0);
    refuses(R"({"payload":1})", invalid, "kind", 0);
    refuses(R"({"kind":"k","queue":""})", invalid, "queue", 20);
    refuses(R"({"kind":"k","queue":false})", invalid, "queue", 20);
    for (const char* wrong : {"-1", "10", "1.0", "1e0", "\"1\"", "true", "null", "[]", "{}",
                              "18446744073709551615", "18446744073709551616"})
        refuses(R"({"kind":"k","priority":)" + std::string(wrong) + "}", invalid, "priority", 23);
    for (const char* wrong : {"0", "-1", "4294967296", "1.5"})
        refuses(R"({"kind":"k","max_attempts":)" + std::string(wrong) + "}", invalid,
                "max_attempts", 27);
    for (const char* wrong : {"-1", "3153600000001", "0.5", "\"1\""})
        refuses(R"({"kind":"k","delay_ms":)" + std::string(wrong) + "}", invalid, "delay_ms", 23);
    for (const char* wrong : {"0", "-1", "3153600000001"})
        refuses(R"({"kind":"k","timeout_ms":)" + std::string(wrong) + "}", invalid, "timeout_ms",
                25);
    for (const char* wrong : {"\"\"", "\"tomorrow\"", "1769860800", "\"2026-02-30T00:00:00Z\""})
        refuses(R"({"kind":"k","run_at":)" + std::string(wrong) + "}", invalid, "run_at", 21);
    for (const char* wrong :
         {"\"\"", "1", "\"0190a6f2-8c5e-7b3a-9f00-1234567890a\"",
          "\"0190a6f2-8c5e-7b3a-9f00-1234567890abc\"", "\"00000000-0000-0000-0000-000000000000\""})
        refuses(R"({"kind":"k","id":)" + std::string(wrong) + "}", invalid, "id", 17);
    refuses(R"({"kind":"k","delay_ms":0,"run_at":"2026-01-31T12:00:00Z"})", invalid, "delay_ms", 0);
}

BOOST_AUTO_TEST_CASE(unknown_and_repeated_members_are_errors) {
    refuses(R"({"kind":"k","colour":"red"})", errc::invalid_job, "colour", 21);
    refuses(R"({"kind":"k","":1})", errc::invalid_job, "", 15);
    refuses(R"({"kind":"k","colour":[1,{}]})", errc::invalid_job, "colour", 21);
    refuses(R"({"kind":"k","kind":"k"})", errc::invalid_job, "kind", 19);
    refuses(R"({"kind":"k","k\u0069nd":"k"})", errc::invalid_job, "kind", 24);
    refuses(R"({"kind":"k","payload":1,"payload":1})", errc::invalid_job, "payload", 34);
    const job_parse_error long_name = refused("{\"" + std::string(100'000, 'x') + "\":1}");
    BOOST_TEST(long_name.message.size() < 200u);
}

BOOST_AUTO_TEST_CASE(the_text_must_be_an_object) {
    for (const char* wrong : {"1", "null", "\"kind\"", "true", "[]", "[{\"kind\":\"k\"}]", "1.5"})
        BOOST_TEST(refused(wrong).code == errc::invalid_job);
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_refused_with_its_place) {
    const auto malformed = errc::malformed_json;
    refuses("", malformed, "", 0);
    refuses("  ", malformed, "", 2);
    refuses("{", malformed, "", 1);
    refuses(R"({"kind":"k")", malformed, "kind", 11);
    refuses(R"({"kind":"k"}x)", malformed, "kind", 12);
    refuses(R"({"kind":"k"} {"kind":"k"})", malformed, "kind", 13);
    refuses(R"({"kind":"k",})", malformed, "kind", 12);
    refuses(R"({kind:"k"})", malformed, "", 1);
    refuses(R"({"kind":"k","payload":[1,]})", malformed, "payload", 25);
    refuses(R"({"kind":"k","payload":+1})", malformed, "payload", 22);
    refuses(R"({"kind":"k"}/**/)", malformed, "kind", 12);
    refuses("\xef\xbb\xbf{\"kind\":\"k\"}", malformed, "", 0);
    refuses(std::string_view("{\0\"\0k\0", 6), malformed, "", 1);  // UTF-16, little endian
    refuses(std::string_view("\xff\xfe{\0", 4), malformed, "", 3); // with its mark
    refuses(std::string_view("{\"kind\":\"k\"}\0{", 14), malformed, "", 12); // behind a zero byte
    for (const char* bad : {R"("\ud800")", R"("\udc00")", R"("\ud800\u0041")", "\"\xff\"",
                            "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\t\"", R"("\x")", "1e999", "01",
                            "NaN", "Infinity", "'a'", "tru", "[1", "{\"a\"}"}) {
        BOOST_TEST_CONTEXT(bad) {
            const job_parse_error e = refused(with_payload(bad));
            BOOST_TEST(e.code == malformed);
            BOOST_TEST(e.member == "payload");
            BOOST_TEST(thrown_by([&] { check_payload(bad, job_limits()); }).code == malformed);
        }
    }
}

BOOST_AUTO_TEST_CASE(size_limits) {
    job_limits limits;
    limits.payload_max = 10;
    BOOST_TEST(accepted(with_payload("\"12345678\""), limits).payload_text().size() == 10u);
    BOOST_TEST(accepted(with_payload("  [1,2,3,44]  "), limits).payload_text().size() == 10u);
    for (const char* over : {"\"123456789\"", "[1,2,33,44]", "12345678901"}) {
        const job_parse_error e = refused(with_payload(over), limits);
        BOOST_TEST(e.code == errc::payload_too_large);
        BOOST_TEST(e.member == "payload");
        BOOST_TEST(e.position == 22u);
        BOOST_TEST(thrown_by([&] { check_payload(over, limits); }).code == errc::payload_too_large);
    }
    check_payload("\"12345678\"", limits);
}

BOOST_AUTO_TEST_CASE(depth_limits) {
    const job_limits limits;
    BOOST_TEST(accepted(with_payload(nested(512))).payload_text() == nested(512));
    check_payload(nested(512), limits);
    for (const std::size_t levels : {513u, 100'000u}) {
        const job_parse_error e = refused(with_payload(nested(levels)));
        BOOST_TEST(e.code == errc::too_deep);
        BOOST_TEST(e.member == "payload");
        BOOST_TEST(thrown_by([&] { check_payload(nested(levels), limits); }).code ==
                   errc::too_deep);
        std::string open = std::string(levels, '[');
        BOOST_TEST(refused(with_payload(open)).code == errc::too_deep);
        std::string objects;
        for (std::size_t i = 0; i < levels; ++i)
            objects += "{\"a\":";
        BOOST_TEST(refused(with_payload(objects)).code == errc::too_deep);
    }
    job_limits none;
    none.depth_max = 0;
    BOOST_TEST(accepted(with_payload("1"), none).payload_text() == "1");
    BOOST_TEST(refused(with_payload("[]"), none).code == errc::too_deep);
}

BOOST_AUTO_TEST_CASE(a_payload_is_checked_again_under_narrower_limits) {
    job_limits wide, narrow;
    wide.depth_max = 600;
    const new_job deep = accepted(with_payload(nested(600)), wide);
    BOOST_TEST(deep.payload_checked(wide));
    BOOST_TEST(!deep.payload_checked(job_limits()));
    narrow.depth_max = 2;
    const new_job value("k", json::parse(nested(3)));
    BOOST_TEST(value.payload_checked(job_limits()));
    BOOST_TEST(!value.payload_checked(narrow));
    narrow = job_limits();
    narrow.payload_max = 3;
    BOOST_TEST(!new_job("k").payload_checked(narrow));
    BOOST_TEST(!new_job::from_text("k", "null").payload_checked(job_limits()));
}

BOOST_AUTO_TEST_CASE(a_payload_given_as_a_value) {
    BOOST_TEST(new_job("k", json::parse(R"({"a":[1]})")).payload_text() == R"({"a":[1]})");
    BOOST_TEST(thrown_by([] { new_job("k", json("\xff")); }).code == errc::malformed_json);
    BOOST_TEST(thrown_by([] { new_job("k", json::parse("{", nullptr, false)); }).code ==
               errc::malformed_json);
    BOOST_TEST(new_job("k", json::parse(nested(512))).payload_text() == nested(512));
    BOOST_TEST(thrown_by([] { new_job("k", json::parse(nested(513))); }).code == errc::too_deep);
}

BOOST_AUTO_TEST_CASE(a_failed_parse_throws_an_error_when_asked_for_its_value) {
    const thrown t = thrown_by([] { lifeguard::parse_job(R"({"kind":7})").value(); });
    BOOST_TEST(t.code == errc::invalid_job);
    BOOST_TEST(t.text.find("member 'kind' at byte 8: must be a string, is number") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
