// The options in JSON, as a document and as an embedding program reads them.
#include "options_checks.hpp"
#include <lifeguard/error.hpp>

using namespace lifeguard;
using lifeguard::fuzz::must;

extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size) {
    const std::string_view text(data, size);
    const detail::option_document document = detail::read_json_options(text);
    if (document.mistakes.empty())
        must(json::parse(text, nullptr, false) == document.value, "a document is what was written");
    const auto checked = fuzz::check_document(document, text);
    try {
        parse_options(text);
        must(checked.mistakes.empty(), "options with mistakes are refused");
    } catch (const error& e) {
        must(!checked.mistakes.empty(), "options without mistakes are not refused");
        must(!e.detail().empty(), "a refusal says why");
    }
    return 0;
}
