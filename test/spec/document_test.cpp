// Options as a document: where members stand, and hostile texts.
#include "engine/option_document.hpp"
#include "support/errors.hpp"

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace lifeguard;
using namespace lifeguard::detail;
using lifeguard::test::thrown_by;

BOOST_AUTO_TEST_SUITE(option_document_of_json)

BOOST_AUTO_TEST_CASE(each_member_has_its_line) {
    const option_document d = read_json_options("{\"a\":1,\n\"b\":[1\n,\n{\"c\":\n2}]\n}");
    BOOST_TEST(d.mistakes.empty());
    BOOST_TEST(d.line_of("a") == 1U);
    BOOST_TEST(d.line_of("b") == 2U);
    BOOST_TEST(d.line_of("b[0]") == 2U); // the parser sees its end on the next line
    BOOST_TEST(d.line_of("b[1]") == 4U);
    BOOST_TEST(d.line_of("b[1].c") == 4U);
    BOOST_TEST(d.line_of("b[1].missing") == 4U); // where it would stand
    BOOST_TEST(d.line_of("b[7]") == 2U);
    BOOST_TEST(d.line_of("nothing") == 1U);
    BOOST_TEST((d.value == json::parse(R"({"a":1,"b":[1,{"c":2}]})")));
}

BOOST_AUTO_TEST_CASE(values_are_found_by_path) {
    const option_document d = read_json_options(R"({"a.b":{"[":[1,{"":2}]},"a":3})");
    BOOST_TEST(*d.find("a.b.[[0]") == 1);
    BOOST_TEST(*d.find("a.b.[[1]") == json::parse(R"({"":2})"));
    BOOST_TEST(*d.find("a") == 3);
    for (const char* path :
         {"b", "[0]", "[", "a[0]", "a.b.[[9]", "a.b.[[x]", "a.b.[[99999999999999999999]"})
        BOOST_TEST(d.find(path) == nullptr, path);
}

BOOST_AUTO_TEST_CASE(all_of_the_document_is_as_the_usual_parser_has_it) {
    for (const char* text : {"7", "[]", "{}", "null", "[[],{},[1,2.5,-3,\"x\",true,null]]",
                             R"({"x":{"y":{"z":[{"a":[]}]}},"b":18446744073709551615})"}) {
        const option_document d = read_json_options(text);
        BOOST_TEST(d.mistakes.empty(), text);
        BOOST_TEST((d.value == json::parse(text)), text);
    }
}

BOOST_AUTO_TEST_CASE(hostile_texts_are_mistakes) {
    std::string deep(100'000, '[');
    std::string huge(option_bytes_max + 1, ' ');
    std::string zeros = "[0";
    for (std::size_t i = 0; i < option_values_max; ++i)
        zeros += ",0";
    // The path of each value would hold the name.
    const std::string long_name = "{\"" + std::string(2'000'000, 'x') + "\":" + zeros + "]}";
    const std::string texts[] = {
        "",       "{",  "{}}", "{\"a\":\"\xff\"}", std::string("{}\0", 3), "\xef\xbb\xbf{",
        "1e999",  deep, huge,  "{\"a\":" + deep,   "{\"a\":1,\"a\":2}",    zeros + "]",
        long_name};
    for (const std::string& text : texts) {
        const option_document d = read_json_options(text);
        BOOST_TEST(!d.mistakes.empty(), text.substr(0, 20));
        BOOST_TEST(!check_options(d).mistakes.empty(), text.substr(0, 20));
        BOOST_TEST((thrown_by([&] { parse_options(text); }).code != errc()), text.substr(0, 20));
    }
}

// `lifeguard check --json` could not print the mistake of a text that is not UTF-8.
BOOST_AUTO_TEST_CASE(mistakes_quote_any_text_as_utf8) {
    for (const char* text : {"\xde}!", "{\"a\":\"\xff\"}", "\"\xe2\x82"}) {
        const option_document d = read_json_options(text);
        BOOST_TEST_REQUIRE(d.mistakes.size() == 1U);
        BOOST_CHECK_NO_THROW(json(d.mistakes[0].expected).dump());
    }
}

BOOST_AUTO_TEST_CASE(what_was_checked_is_options_again) {
    const option_document d = read_json_options(
        R"({"name":"x","pools":[{"queues":["b","a"],"priority":3},{"name":"n"}],
            "commands":{"k":{"argv":["true"],"env":{"A":"b"}}},"store":{"completed_age_ms":5}})");
    const checked_options once = check_options(d);
    BOOST_TEST(once.mistakes.empty());
    const checked_options twice = check_options(read_json_options(once.values.dump()));
    BOOST_TEST(twice.mistakes.empty());
    BOOST_TEST((once.values == twice.values));
    BOOST_TEST(once.values["pools"][0]["priority"] == 3);
    BOOST_TEST(!once.values["pools"][1].contains("priority"));
    BOOST_TEST(once.values["commands"]["k"]["output_max"] == 1 << 20);
    BOOST_TEST(once.options.commands.at("k").env.at("A") == "b");
}

BOOST_AUTO_TEST_SUITE_END()
