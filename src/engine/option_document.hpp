#pragma once

#include "base/option_report.hpp"
#include <lifeguard/engine.hpp>
#include <lifeguard/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::detail {

/// Options as they were written, in whatever syntax: the JSON document that they stand for, and
/// where its members stand in the text.
struct option_document {
    json value = json::object();
    std::map<std::string, std::size_t> lines; ///< by path, as "pools[0].size"
    std::vector<option_mistake> mistakes;     ///< of the text

    /// The line of a member, or that of the object which it would stand in.
    std::size_t line_of(std::string path) const;
    /// The value at a path; null when there is none.
    const json* find(std::string_view path) const;
};

/// More bytes than that are no options.
inline constexpr std::size_t option_bytes_max = std::size_t{4} << 20U;
/// More values than that are none, either.
inline constexpr std::size_t option_values_max = 100'000;
/// Options nest less deeply than that.
inline constexpr unsigned option_depth_max = 32;

/// Reads a text; says what is wrong with it in the document, and reads on where it can.
using option_syntax = option_document (*)(std::string_view text);

option_document read_json_options(std::string_view text);

/// Lets files of this extension, as ".ttl", hold options. Called by libraries when they are linked,
/// before main; the library itself depends on none of them.
bool register_option_syntax(std::string_view extension, option_syntax read);

/// The document in a file. Errors: `not_found`; `unsupported` for a syntax that is not linked.
option_document load_document(const std::string& path);

/// What a document says, with all that is wrong with it.
struct checked_options {
    engine_options options;
    json values; ///< every option, defaults included: they are options themselves
    std::vector<option_mistake> mistakes;
};

checked_options check_options(const option_document& document);

} // namespace lifeguard::detail
