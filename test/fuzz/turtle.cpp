// The options in RDF/Turtle.
#include "options_checks.hpp"
#include "turtle/spec_reader.hpp"

using namespace lifeguard;
using lifeguard::fuzz::must;

extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size) {
    const detail::turtle_text text = detail::read_triples(std::string_view(data, size));
    for (const detail::triple& t : text.triples)
        must(t.line != 0, "a triple has a line");
    fuzz::check_document(detail::spec_reader(text).read());
    return 0;
}
