#include "support/errors.hpp"
#include <lifeguard/error.hpp>

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace lifeguard;

namespace {

std::string text_of_file(const std::string& path) {
    std::ifstream file(LIFEGUARD_SOURCE_DIR "/" + path);
    BOOST_REQUIRE_MESSAGE(file, "cannot read " << path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

/// The enumerators of errc, as the header lists them, one to a line; the first has the value 1.
std::vector<std::string> enumerators() {
    const std::string header = text_of_file("include/lifeguard/error.hpp");
    const auto begin = header.find("enum class errc {");
    BOOST_REQUIRE(begin != std::string::npos);
    std::vector<std::string> names;
    for (const std::string& line :
         lines_of(header.substr(begin, header.find('}', begin) - begin))) {
        const auto from = line.find_first_not_of(' ');
        const auto to = line.find_first_of(" =,", from);
        if (from == 4 && line[from] != '/' && to != std::string::npos)
            names.push_back(line.substr(from, to - from));
    }
    return names;
}

} // namespace

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(every_errc_has_its_name_and_a_message) {
    const auto expected = enumerators();
    BOOST_TEST(expected.size() >= 28u);
    std::set<std::string> messages;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto e = static_cast<errc>(i + 1);
        BOOST_TEST(name_of(e) == expected[i]);
        const std::string message = make_error_code(e).message();
        BOOST_TEST(!message.empty());
        BOOST_TEST(messages.insert(message).second, "message used twice: " << message);
    }
    // So that none is missing from the list above.
    BOOST_TEST(name_of(static_cast<errc>(expected.size() + 1)) == "unknown");
}

BOOST_AUTO_TEST_CASE(other_values_are_unknown) {
    for (const int value : {-1, 0, 1000}) {
        BOOST_TEST(name_of(static_cast<errc>(value)) == "unknown");
        BOOST_TEST(!lifeguard_category().message(value).empty());
    }
}

BOOST_AUTO_TEST_CASE(codes_compare_with_errc) {
    const error_code code = errc::queue_full;
    BOOST_TEST(code == errc::queue_full);
    BOOST_TEST(code != errc::timeout);
    BOOST_TEST(code.failed());
    BOOST_TEST(&code.category() == &lifeguard_category());
    BOOST_TEST(code.category().name() == "lifeguard");
}

BOOST_AUTO_TEST_CASE(an_error_carries_code_and_text) {
    const error e(errc::pool_exhausted, "pool 'images'");
    BOOST_TEST(e.code() == errc::pool_exhausted);
    BOOST_TEST(e.detail() == "pool 'images'");
    const std::string what = e.what();
    BOOST_TEST(what.find("pool 'images'") != std::string::npos);
    BOOST_TEST(what.find(e.code().message()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_errc_has_its_paragraph_in_the_documentation) {
    const std::string page = text_of_file("docs/errors.md");
    std::set<std::string> headings;
    const auto lines = lines_of(page);
    for (std::size_t i = 0; i + 2 < lines.size(); ++i) {
        if (!lines[i].starts_with("### "))
            continue;
        const std::string name = lines[i].substr(5, lines[i].size() - 6); // without the backticks
        BOOST_TEST(headings.insert(name).second, "described twice: " << name);
        BOOST_TEST(lines[i + 2].size() > 20u, "not described: " << name);
    }
    const auto names = enumerators();
    const std::set<std::string> expected(names.begin(), names.end());
    BOOST_TEST(headings == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
