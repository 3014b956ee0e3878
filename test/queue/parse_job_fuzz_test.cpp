// Random changes to texts of jobs: nothing crashes, and nothing is accepted that is not JSON.
#include "queue/random.hpp"
#include <lifeguard/job.hpp>
#include <lifeguard/json.hpp>

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(parse_job_fuzz)

namespace {

const std::vector<std::string> seeds{
    R"({"kind":"resize","payload":{"width":640,"tags":["a","b"],"x":null}})",
    R"({"id":"0190a6f2-8c5e-7b3a-9f00-1234567890ab","kind":"k","queue":"q","priority":3})",
    R"({"kind":"k","run_at":"2026-01-31T12:00:00.250+01:00","max_attempts":7,"timeout_ms":1000})",
    R"({ "payload" : [1, -2.5e-3, "\u00e9\ud83d\ude00", true] , "delay_ms": 10, "kind" : "k" })",
};

const std::vector<std::string> pieces{"\"",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      ",",
                                      ":",
                                      "\\",
                                      "\\u",
                                      "\xff",
                                      "0",
                                      "-",
                                      "1e999",
                                      "e",
                                      ".",
                                      " ",
                                      "\n",
                                      "null",
                                      "\"kind\":",
                                      "\"payload\":",
                                      "\xef\xbb\xbf",
                                      std::string(1, '\0')};

void mutate(std::string& text, random_numbers& random) {
    for (std::size_t n = 1 + random.below(4); n != 0; --n) {
        const std::size_t at = random.below(text.size() + 1);
        switch (random.below(5)) {
        case 0:
            text.insert(at, pieces[random.below(pieces.size())]);
            break;
        case 1:
            text.erase(at, 1 + random.below(8));
            break;
        case 2:
            if (at < text.size())
                text[at] = static_cast<char>(random.below(256));
            break;
        case 3:
            text.insert(at, text.substr(random.below(text.size() + 1), random.below(16)));
            break;
        default:
            text.resize(at);
        }
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(mutated_jobs) {
    const std::uint64_t seed = test_seed();
    BOOST_TEST_CONTEXT("LIFEGUARD_SEED=" << seed) {
        random_numbers random(seed);
        std::size_t accepted = 0;
        for (int i = 0; i < 100'000; ++i) {
            std::string text = seeds[random.below(seeds.size())];
            mutate(text, random);
            const auto result = lifeguard::parse_job(text);
            if (result.has_error()) {
                if (result.error().position > text.size() || result.error().message.empty())
                    BOOST_ERROR("a strange error for " + text);
                continue;
            }
            ++accepted;
            const bool is_json = json::accept(text) && json::accept(result->payload_text());
            if (!is_json || text.find(result->payload_text()) == std::string::npos) {
                // "null" stands for a payload that is not given.
                if (!is_json || result->payload_text() != "null")
                    BOOST_ERROR("accepted: " + text);
            }
            const json whole = json::parse(text);
            if (whole.contains("payload") &&
                whole.at("payload") != json::parse(result->payload_text()))
                BOOST_ERROR("another payload: " + text);
            if (whole.at("kind") != result->kind)
                BOOST_ERROR("another kind: " + text);
        }
        BOOST_TEST(accepted > 100u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
