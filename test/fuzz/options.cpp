// The options in JSON: every mistake is told with what was expected, or they are read; and what was
// read, written out with all defaults, is read as the same again.
#include "check.hpp"
#include "engine/option_document.hpp"
#include <lifeguard/error.hpp>

using namespace lifeguard;
using lifeguard::fuzz::must;

extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size) {
    const std::string_view text(data, size);
    const detail::option_document document = detail::read_json_options(text);
    const detail::checked_options checked = detail::check_options(document);
    for (const detail::option_mistake& m : checked.mistakes)
        must(!m.expected.empty(), "a mistake says what was expected");
    for (const worker_pool_options& pool : checked.options.pools)
        must(pool.size >= 1 && pool.size <= 10'000, "a pool's size was checked");
    try {
        parse_options(text);
        must(checked.mistakes.empty(), "options with mistakes are refused");
    } catch (const error& e) {
        must(!checked.mistakes.empty(), "options without mistakes are not refused");
        must(!e.detail().empty(), "a refusal says why");
    }
    if (!checked.mistakes.empty())
        return 0;
    const std::string canonical = checked.values.dump();
    const auto again = detail::check_options(detail::read_json_options(canonical));
    must(again.mistakes.empty(), "what was written out is without mistakes");
    must(again.values.dump() == canonical, "and is written out as the same");
    return 0;
}
