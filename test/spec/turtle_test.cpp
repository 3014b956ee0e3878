// Options in Turtle.
#include "engine/option_document.hpp"
#include "support/errors.hpp"
#include "support/seed.hpp"
#include <lifeguard/engine.hpp>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::detail;
using lifeguard::test::thrown_by;

namespace {

const std::string prefixes = "@prefix jobs: <http://ggen.dev/ontology/jobs#> .\n"
                             "@prefix ex: <http://example.org/> .\n";

/// A text in a file that is called *.ttl.
class turtle_file {
  public:
    explicit turtle_file(const std::string& text)
        : path_(std::filesystem::temp_directory_path() /
                ("lifeguard-spec-" + std::to_string(::getpid()) + ".ttl")) {
        std::ofstream(path_, std::ios::binary) << text;
    }
    ~turtle_file() { std::filesystem::remove(path_); }
    turtle_file(const turtle_file&) = delete;
    turtle_file& operator=(const turtle_file&) = delete;
    std::string path() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

checked_options checked(const std::string& text) {
    return check_options(load_document(turtle_file(text).path()));
}

std::string first_mistake(const std::string& text) {
    const checked_options c = checked(text);
    if (c.mistakes.empty())
        return "none";
    const option_mistake& m = c.mistakes.front();
    return std::to_string(m.line) + " " + m.path + ": " + m.expected + "; " + m.found;
}

bool complains(const std::string& text, const std::string& part) {
    const std::string said = first_mistake(text);
    const bool found = said.find(part) != std::string::npos;
    if (!found)
        BOOST_TEST_MESSAGE(text << " -> " << said);
    return found;
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i)
        all += text;
    return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(turtle)

BOOST_AUTO_TEST_CASE(tutorial_is_one_pool_with_its_values) {
    const engine_options o = load_options(LIFEGUARD_SPECS "/tutorial.ttl");
    BOOST_TEST(o.pools.size() == 1U);
    BOOST_TEST(o.pools[0].name == "default");
    BOOST_TEST(o.pools[0].size == 10U);
    BOOST_TEST(o.pools[0].max_overflow == 5U);
    BOOST_TEST(o.pools[0].pull_size == 5U);
    BOOST_TEST((o.pools[0].process_timeout == 30s));
}

BOOST_AUTO_TEST_CASE(declared_values_count) {
    std::ifstream file(LIFEGUARD_SPECS "/tutorial.ttl");
    std::ostringstream text;
    text << file.rdbuf();
    std::string changed = text.str();
    const auto replace = [&](const std::string& from, const std::string& to) {
        changed.replace(changed.find(from), from.size(), to);
    };
    replace("defaultValue 10 ", "defaultValue 7 ");
    replace("defaultValue 30000 ", "defaultValue 1500 ");
    const engine_options o = load_options(turtle_file(changed).path());
    BOOST_TEST(o.pools.at(0).size == 7U);
    BOOST_TEST((o.pools.at(0).process_timeout == 1500ms));
}

BOOST_AUTO_TEST_CASE(instances_are_pools) {
    const engine_options o = load_options(LIFEGUARD_SPECS "/pools.ttl");
    BOOST_TEST(o.pools.size() == 3U);
    BOOST_TEST(o.pools[0].name == "images");
    BOOST_TEST(o.pools[0].pull_size == 3U);
    BOOST_TEST(o.pools[1].queues == (std::vector<std::string>{"urgent", "mail"}),
               boost::test_tools::per_element());
    BOOST_TEST(o.pools[2].name == "billing-1");
    BOOST_TEST(o.pools[2].size == 1U);
    BOOST_TEST(o.pools[2].max_overflow == 0U);
    BOOST_TEST(o.pools[2].priority.value_or(-1) == 0);
}

BOOST_AUTO_TEST_CASE(mistakes_are_told_with_their_lines) {
    BOOST_TEST(complains(prefixes + "ex:p a jobs:WorkerPool ;\n jobs:poolSize 0 .",
                         "4 pools[0].size: must be 1 to 10000; 0"));
    BOOST_TEST(complains(prefixes + "ex:p a jobs:WorkerPool ; jobs:poolSize 3.5 .",
                         "must be an xsd:integer"));
    BOOST_TEST(complains(prefixes + "ex:p a jobs:WorkerPool ; jobs:poolSize ex:many .",
                         "must be an xsd:integer; <http://example.org/many>"));
    BOOST_TEST(complains(prefixes + "ex:p a jobs:WorkerPool ; jobs:strictOrder 1 .",
                         "must be an xsd:boolean"));
    BOOST_TEST(complains(prefixes + "ex:p a jobs:Pool .",
                         "3 <http://example.org/p> rdf:type: must be a jobs:WorkerPool"));
    BOOST_TEST(complains(prefixes + "ex:p a jobs:WorkerPool, jobs:Worker .", "must be given once"));
    BOOST_TEST(complains(prefixes + "ex:p a jobs:WorkerPool . ex:p2 a jobs:WorkerPool ;"
                                    " jobs:name \"p\" .",
                         "pools[1].name: must differ"));
    BOOST_TEST(complains(prefixes + "jobs:Worker a rdfs:Class ; jobs:hasProperty jobs:poolSize .",
                         "must be a property of jobs:Worker"));
    BOOST_TEST(complains(prefixes + "jobs:priority a rdf:Property ; rdfs:domain jobs:WorkerPool .",
                         "must be jobs:Worker"));
}

// A character of several bytes was cut in two, and then `lifeguard check --json` could not print
// it.
BOOST_AUTO_TEST_CASE(long_values_are_cut_between_characters) {
    for (const std::string lead : {"", "x", "xx"}) {
        std::string value = lead;
        for (int i = 0; i < 40; ++i)
            value += "\u20ac";
        const checked_options c =
            checked(prefixes + "ex:p a jobs:WorkerPool ; jobs:poolSize \"" + value + "\" .");
        BOOST_TEST_REQUIRE(c.mistakes.size() == 1U);
        BOOST_TEST(c.mistakes[0].found.ends_with("..."));
        BOOST_CHECK_NO_THROW(json(c.mistakes[0].found).dump());
    }
}

BOOST_AUTO_TEST_CASE(mistakes_quote_any_text_as_utf8) {
    for (const char* text :
         {"@prefix : \xff <http://x/> .", "\xff", "<http://x/\xff> a \"\xe2\x82"})
        for (const option_mistake& m : checked(text).mistakes)
            BOOST_CHECK_NO_THROW(json(m.expected).dump());
}

BOOST_AUTO_TEST_CASE(nothing_is_one_pool) {
    for (const char* text : {"", " ", "# nothing\n"}) {
        BOOST_TEST(first_mistake(text) == "none");
        BOOST_TEST(checked(text).options.pools.size() == 1U);
    }
}

BOOST_AUTO_TEST_CASE(cycles_are_mistakes) {
    for (const char* text :
         {"jobs:WorkerPool a jobs:WorkerPool .",
          "jobs:Worker a rdfs:Class ;"
          " rdfs:subClassOf jobs:Worker .",
          "ex:a a ex:b . ex:b a ex:a .", "rdf:type a rdf:type .", "rdfs:Class a rdfs:Class .",
          "jobs:poolSize a rdf:Property ; jobs:defaultValue jobs:poolSize ."}) {
        const std::string said = first_mistake(prefixes + text);
        // A pool called after the class is odd, and harmless.
        BOOST_TEST((said != "none" || std::string(text).starts_with("jobs:WorkerPool")), text);
    }
}

BOOST_AUTO_TEST_CASE(hostile_texts_are_mistakes) {
    const std::string many(200'000, '[');
    const std::string lists(200'000, '(');
    const std::string texts[] = {
        "ex:p a jobs:WorkerPool .",                        // no prefix
        prefixes + "<p> a jobs:WorkerPool .",              // relative
        prefixes + "ex:p a <WorkerPool> .",                // relative
        prefixes + "@base <x/> . <p> a jobs:WorkerPool .", // the base is, too
        prefixes + "_:b a jobs:WorkerPool .",
        prefixes + "[] a jobs:WorkerPool .",
        prefixes + "ex:p jobs:queue (\"a\" \"b\") .",
        prefixes + "ex:p a " + many,
        prefixes + "ex:p a " + lists,
        prefixes + "ex:p a jobs:WorkerPool",
        prefixes + "ex:p a \"",
        prefixes + "ex:p rdfs:label \"\xff\xfe\" .",
        prefixes + std::string("ex:p a\0 jobs:WorkerPool .", 25),
        prefixes + "\xef\xbf\xbf",
        prefixes + "ex:p a jobs:WorkerPool ; jobs:queue \"" + std::string(5'000'000, 'x') + "\" .",
        std::string(1'000'000, '.'),
        prefixes + "ex:p jobs:queue " + repeated("1, ", 150'000) + "1 .",
        prefixes + "<x:" + std::string(500'000, 'x') + "> jobs:queue " + repeated("1, ", 150'000) +
            "1 .", // each triple has its subject
        "<" + std::string(1'000'000, 'x'),
    };
    for (const std::string& text : texts)
        BOOST_TEST(first_mistake(text) != "none", text.substr(0, 150));
}

BOOST_AUTO_TEST_CASE(a_base_makes_relative_terms_absolute) {
    const checked_options c =
        checked(prefixes + "@base <http://example.org/> . <mail> a jobs:WorkerPool .");
    BOOST_TEST(c.mistakes.empty());
    BOOST_TEST(c.options.pools.at(0).name == "mail");
}

BOOST_AUTO_TEST_CASE(spoiled_texts_never_crash) {
    std::ifstream file(LIFEGUARD_SPECS "/pools.ttl");
    std::ostringstream original;
    original << file.rdbuf();
    const unsigned seed = lifeguard::test::first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::mt19937_64 random(seed);
    const std::string pieces = "<>\"'[](){}.,;:@^\\#\n\t 0aZ_-+%\x80\xff";
    for (int round = 0; round < 3000; ++round) {
        std::string text = original.str();
        for (std::uint64_t n = random() % 8 + 1; n > 0; --n) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
            case 0:
                text[at] = pieces[random() % pieces.size()];
                break;
            case 1:
                text.erase(at, random() % 20);
                break;
            default:
                text.insert(at, text.substr(random() % text.size(), random() % 40));
            }
            if (text.empty())
                text = " ";
        }
        const checked_options c = checked(text);
        BOOST_TEST((c.mistakes.empty() || !c.mistakes.front().expected.empty()),
                   "LIFEGUARD_SEED=" << seed);
    }
}

BOOST_AUTO_TEST_SUITE_END()
