// The options in RDF/Turtle.
#include "options_checks.hpp"
#include "turtle/spec_reader.hpp"

#include <algorithm>

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
        case '(': // there are not to be too many of them
            out += "\\u0028";
            break;
        case '[':
            out += "\\u005B";
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
        out += '<' + escaped(t.subject) + "> <" + escaped(t.predicate) + "> ";
        if (!t.object.is_literal)
            out += '<' + escaped(t.object.text) + '>';
        else
            out += '"' + escaped(t.object.text) + '"';
        if (!t.object.language.empty())
            out += '@' + t.object.language;
        if (!t.object.datatype.empty())
            out += "^^<" + escaped(t.object.datatype) + '>';
        out += " .\n";
    }
    return out;
}

/// The subjects that are a pool or a worker, in the order of the text, and which of both.
std::vector<std::pair<std::string, std::string>>
pools_in(const std::vector<detail::triple>& triples) {
    std::vector<std::pair<std::string, std::string>> subjects;
    for (const detail::triple& t : triples) {
        auto known = std::ranges::find(subjects, t.subject, [](const auto& s) { return s.first; });
        if (known == subjects.end())
            known = subjects.insert(known, {t.subject, ""});
        if (t.predicate == "http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
            known->second = detail::vocabulary::shortened(t.object.text);
    }
    std::erase_if(subjects, [](const auto& s) {
        return s.second != detail::vocabulary::worker_pool &&
               s.second != detail::vocabulary::worker;
    });
    return subjects;
}

bool says(const json& value, const std::string& text) {
    if (value.is_array())
        return std::ranges::any_of(value, [&](const json& v) { return says(v, text); });
    if (value.is_boolean())
        return value == (text == "true" || text == "1");
    if (value.is_number())
        return value == std::stoll(text);
    return value == text;
}

/// Every pool has what was said of it.
void check_pools(const json& pools, const std::vector<detail::triple>& triples) {
    const auto subjects = pools_in(triples);
    must(pools.size() == std::max<std::size_t>(1, subjects.size()),
         "each pool and worker is a pool");
    for (const detail::triple& t : triples)
        for (std::size_t i = 0; i < subjects.size(); ++i) {
            const auto& [subject, type] = subjects[i];
            const auto* const p =
                detail::vocabulary::find(detail::vocabulary::shortened(t.predicate), type);
            if (t.subject == subject && p != nullptr && !p->member.empty())
                must(says(pools.at(i).at(std::string(p->member)), t.object.text),
                     "a pool has what was said of it");
        }
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
        check_pools(checked.values.at("pools"), said.triples);
    return 0;
}
