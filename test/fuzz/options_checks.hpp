#pragma once

#include "check.hpp"
#include "engine/option_document.hpp"

#include <algorithm>
#include <string>

namespace lifeguard::fuzz {

/// As `lifeguard check --json` prints it, which throws when it is not UTF-8.
inline bool is_printable(const detail::option_mistake& m) {
    try {
        json({m.path, m.expected, m.found}).dump();
        return true;
    } catch (const json::exception&) {
        return false;
    }
}

/// Whether all that was written is among what was understood: no option is passed over.
inline bool holds(const json& understood, const json& written) {
    if (written.is_object() && understood.is_object()) {
        for (const auto& [name, value] : written.items())
            if (!understood.contains(name) || !holds(understood.at(name), value))
                return false;
        return true;
    }
    if (written.is_array() && written.empty())
        return understood.is_array(); // the default stands in for an empty list
    if (written.is_array() && understood.is_array())
        return std::ranges::equal(understood, written,
                                  [](const json& u, const json& w) { return holds(u, w); });
    return understood == written;
}

/// What holds of every document of options: every mistake is told with what was expected, or they
/// are read; and what was read, written out with all defaults, is read as the same again.
inline detail::checked_options check_document(const detail::option_document& document,
                                              std::string_view text) {
    const std::size_t lines = 1 + static_cast<std::size_t>(std::ranges::count(text, '\n'));
    detail::checked_options checked = detail::check_options(document);
    for (const detail::option_mistake& m : checked.mistakes) {
        must(!m.expected.empty(), "a mistake says what was expected");
        must(is_printable(m), "a mistake can be printed");
        must(m.line <= lines, "a mistake is in the text");
    }
    for (const auto& [path, line] : document.lines)
        must(line >= 1 && line <= lines, "a member is in the text");
    for (const worker_pool_options& pool : checked.options.pools)
        must(pool.size >= 1 && pool.size <= 10'000, "a pool's size was checked");
    if (!checked.mistakes.empty())
        return checked;
    must(holds(checked.values, document.value), "every option was read");
    const std::string canonical = checked.values.dump();
    const auto again = detail::check_options(detail::read_json_options(canonical));
    must(again.mistakes.empty(), "what was written out is without mistakes");
    must(again.values.dump() == canonical, "and is written out as the same");
    return checked;
}

} // namespace lifeguard::fuzz
