#pragma once

#include "base/option_report.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::detail {

/// What a triple says about its subject.
struct turtle_object {
    bool is_literal = false;
    std::string text;     ///< an IRI, or the literal's characters
    std::string datatype; ///< of a literal: an IRI; empty for plain text
    std::string language;

    friend bool operator==(const turtle_object&, const turtle_object&) = default;
};

struct triple {
    std::string subject;
    std::string predicate;
    turtle_object object;
    std::size_t line = 0; ///< where it ends, counted from 1
};

struct turtle_text {
    std::vector<triple> triples; ///< in the order of the text, without blank nodes
    std::vector<option_mistake> mistakes;
};

/// Reads a text of Turtle. The prefixes rdf, rdfs and xsd need not be declared. Blank nodes and
/// relative IRIs without a base are mistakes.
turtle_text read_triples(std::string_view text);

} // namespace lifeguard::detail
