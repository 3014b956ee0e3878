#pragma once

#include "check.hpp"
#include "engine/option_document.hpp"

#include <string>

namespace lifeguard::fuzz {

/// What holds of every document of options: every mistake is told with what was expected, or they
/// are read; and what was read, written out with all defaults, is read as the same again.
inline detail::checked_options check_document(const detail::option_document& document) {
    detail::checked_options checked = detail::check_options(document);
    for (const detail::option_mistake& m : checked.mistakes)
        must(!m.expected.empty(), "a mistake says what was expected");
    for (const worker_pool_options& pool : checked.options.pools)
        must(pool.size >= 1 && pool.size <= 10'000, "a pool's size was checked");
    if (!checked.mistakes.empty())
        return checked;
    const std::string canonical = checked.values.dump();
    const auto again = detail::check_options(detail::read_json_options(canonical));
    must(again.mistakes.empty(), "what was written out is without mistakes");
    must(again.values.dump() == canonical, "and is written out as the same");
    return checked;
}

} // namespace lifeguard::fuzz
