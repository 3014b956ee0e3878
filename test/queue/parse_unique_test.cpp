// The members of a job's JSON that are about uniqueness, and arrays of jobs.
#include "support/errors.hpp"
#include <lifeguard/job.hpp>
#include <lifeguard/json.hpp>

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(parse_unique)

namespace {

std::string with(std::string_view members) {
    return R"({"kind":"k",)" + std::string(members) + "}";
}

unique_options accepted(std::string_view members) {
    const auto job = lifeguard::parse_job(with(members));
    BOOST_TEST_CONTEXT(members) {
        BOOST_TEST_REQUIRE(job.has_value());
        BOOST_TEST_REQUIRE(job->unique.has_value());
    }
    return *job->unique;
}

void refuses(std::string_view members, std::string_view member) {
    const auto job = lifeguard::parse_job(with(members));
    BOOST_TEST_CONTEXT(members) {
        BOOST_TEST_REQUIRE(job.has_error());
        BOOST_TEST_CONTEXT(job.error().message) {
            BOOST_TEST(job.error().code == errc::invalid_job);
            BOOST_TEST(job.error().member == member);
        }
    }
}

/// The member at fault and the position.
void refuses_all(std::string_view text, errc code, std::string_view member, std::size_t position) {
    const auto jobs = parse_jobs(text);
    BOOST_TEST_CONTEXT(text) {
        BOOST_TEST_REQUIRE(jobs.has_error());
        const job_parse_error& e = jobs.error();
        BOOST_TEST_CONTEXT(e.message) {
            BOOST_TEST(e.code == code);
            BOOST_TEST(e.member == member);
            BOOST_TEST(e.position == position);
            BOOST_TEST(e.message.find("at byte " + std::to_string(position)) != std::string::npos);
        }
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(unique_jobs) {
    unique_options u = accepted(R"("unique":true)");
    BOOST_TEST(u.key.empty());
    BOOST_TEST((u.period == 0ms));
    BOOST_TEST((u.states == job_states::unfinished()));
    u = accepted(R"("unique_key":"order 17","unique":false,"payload":["unique"])");
    BOOST_TEST(u.key == "order 17");
    u = accepted(R"("unique_states":["available", "completed"],"payload":[1,[2]],)"
                 R"("unique_period_ms":1500,"unique_key":"a")");
    BOOST_TEST((u.period == 1500ms));
    BOOST_TEST((u.states == job_states(job_state::available, job_state::completed)));
    for (const char* none : {R"("unique":false)", R"("payload":{"unique_key":"a"})"})
        BOOST_TEST(!lifeguard::parse_job(with(none))->unique);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_them_is_named) {
    for (const char* wrong : {"1", "\"true\"", "null", "[]", "{}"})
        refuses(R"("unique":)" + std::string(wrong), "unique");
    for (const char* wrong : {"\"\"", "1", "null", "[\"a\"]", "{}"})
        refuses(R"("unique_key":)" + std::string(wrong), "unique_key");
    for (const char* wrong : {"0", "-1", "1.5", "\"1\"", "[]"})
        refuses(R"("unique":true,"unique_period_ms":)" + std::string(wrong), "unique_period_ms");
    for (const char* wrong : {"\"available\"", "[]", "{}", "null", "[1]", "[\"done\"]",
                              "[[\"available\"]]", "[\"available\",null]", "[{}]", "[\"\"]"})
        refuses(R"("unique":true,"unique_states":)" + std::string(wrong), "unique_states");
    refuses(R"("unique":true,"unique_key":"a")", "unique");
    refuses(R"("unique_period_ms":1)", "unique_period_ms");
    refuses(R"("unique":false,"unique_states":["available"])", "unique_states");
    refuses(R"("uniqueness":true)", "uniqueness");
    refuses(R"("unique_states":["available"],"unique_states":["available"],"unique":true)",
            "unique_states");
}

BOOST_AUTO_TEST_CASE(arrays_of_jobs) {
    const auto jobs = parse_jobs("\n [ {\"kind\":\"a\"} , {\"kind\":\"b\",\"payload\":\"],[\\\"\"}"
                                 ",{\"kind\":\"c\",\"payload\":[[{}],[]]}\t]\n");
    BOOST_TEST_REQUIRE(jobs.has_value());
    BOOST_TEST_REQUIRE(jobs->size() == 3u);
    BOOST_TEST((*jobs)[0].kind == "a");
    BOOST_TEST((*jobs)[1].payload_text() == R"("],[\"")");
    BOOST_TEST((*jobs)[2].payload_text() == "[[{}],[]]");
    BOOST_TEST((*jobs)[2].payload_checked(job_limits()));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_an_array_is_named_with_its_place) {
    const auto invalid = errc::invalid_job;
    const auto malformed = errc::malformed_json;
    refuses_all(R"([{"kind":"k"}, {"kind":7}])", invalid, "jobs[1].kind", 23);
    refuses_all(R"([{"kind":"k"},1])", invalid, "jobs[1]", 14);
    refuses_all(R"([{"kind":"k"},[]])", invalid, "jobs[1]", 14);
    refuses_all(R"([{"kind":"k"},{}])", invalid, "jobs[1].kind", 14);
    refuses_all("[]", invalid, "", 1);
    refuses_all("{}", invalid, "", 0);
    refuses_all("", invalid, "", 0);
    refuses_all("[", malformed, "jobs[0]", 1);
    refuses_all(R"([{"kind":"k"})", malformed, "", 13);
    refuses_all(R"([{"kind":"k"},)", malformed, "jobs[1]", 14);
    refuses_all(R"([{"kind":"k"},])", malformed, "jobs[1]", 14);
    refuses_all(R"([{"kind":"k"}],)", malformed, "", 14);
    refuses_all(R"([{"kind":"k"} {"kind":"k"}])", malformed, "jobs[0].kind", 14);
    refuses_all(R"([{"kind":"k)", malformed, "jobs[0].kind", 11);
    refuses_all("[{\"kind\":\"k\"}]\xef\xbb\xbf", malformed, "", 14);
    refuses_all(std::string_view("[{\"kind\":\"k\"}]\0", 15), malformed, "", 14);
    std::string many = "[{\"kind\":\"k\"}";
    for (std::size_t i = 1; i < batch_max; ++i)
        many += ",{\"kind\":\"k\"}";
    BOOST_TEST(parse_jobs(many + "]")->size() == batch_max);
    refuses_all(many + ",{\"kind\":\"k\"}]", errc::limit_reached, "", many.size() + 1);
}

BOOST_AUTO_TEST_CASE(what_is_cut_off_is_refused) {
    const std::string text = R"( [{"kind":"k","payload":["]","\""]},{"kind":"k","unique":true}] )";
    BOOST_TEST(parse_jobs(text).has_value());
    for (std::size_t n = 0; n + 2 < text.size(); ++n)
        BOOST_TEST_CONTEXT(text.substr(0, n)) {
            BOOST_TEST(parse_jobs(std::string_view(text).substr(0, n)).has_error());
        }
}

BOOST_AUTO_TEST_SUITE_END()
