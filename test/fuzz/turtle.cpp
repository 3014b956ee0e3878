// The options in RDF/Turtle.
#include "options_checks.hpp"
#include "turtle/spec_reader.hpp"

#include <set>

using namespace lifeguard;
using lifeguard::fuzz::must;

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text)
        switch (c) {
        case '"':
        case '\\':
            out += '\\';
            out += c;
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        default:
            out += c;
        }
    return out;
}

/// One line for each, without prefixes or abbreviations.
std::string written_out(const std::vector<detail::triple>& triples) {
    std::string out;
    for (const detail::triple& t : triples) {
        out += '<' + t.subject + "> <" + t.predicate + "> ";
        if (!t.object.is_literal)
            out += '<' + t.object.text + '>';
        else
            out += '"' + escaped(t.object.text) + '"';
        if (!t.object.language.empty())
            out += '@' + t.object.language;
        if (!t.object.datatype.empty())
            out += "^^<" + t.object.datatype + '>';
        out += " .\n";
    }
    return out;
}

/// How many subjects are a pool or a worker.
std::size_t pools_in(const std::vector<detail::triple>& triples) {
    std::set<std::string> pools;
    for (const detail::triple& t : triples)
        if (t.predicate == "http://www.w3.org/1999/02/22-rdf-syntax-ns#type" &&
            (t.object.text == "http://ggen.dev/ontology/jobs#WorkerPool" ||
             t.object.text == "http://ggen.dev/ontology/jobs#Worker"))
            pools.insert(t.subject);
    return pools.size();
}

void check_triples(const detail::turtle_text& said) {
    std::size_t line = 1;
    for (const detail::triple& t : said.triples) {
        must(t.line >= line, "a triple has a line, and triples are in the order of the text");
        line = t.line;
    }
    const detail::turtle_text again = detail::read_triples(written_out(said.triples));
    must(again.mistakes.empty(), "triples written out can be read");
    const auto same = [](const detail::triple& a, const detail::triple& b) {
        return a.subject == b.subject && a.predicate == b.predicate && a.object == b.object;
    };
    must(std::ranges::equal(said.triples, again.triples, same), "and are the same");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size) {
    const std::string_view text(data, size);
    const detail::turtle_text said = detail::read_triples(text);
    check_triples(said);
    const auto checked = fuzz::check_document(detail::spec_reader(said).read(), text);
    if (checked.mistakes.empty())
        must(checked.options.pools.size() == std::max<std::size_t>(1, pools_in(said.triples)),
             "each pool and worker is a pool");
    return 0;
}
