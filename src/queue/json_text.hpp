#pragma once

#include <lifeguard/json.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lifeguard::detail {

struct text_fault {
    std::size_t position;
    const char* what;
};

/// What nlohmann's parser lets pass although it is not JSON: a byte order mark in front, which
/// would stand in the middle where the text becomes part of another, and a zero byte, which it
/// takes for the end of the text.
std::optional<text_fault> not_json_text(std::string_view text) noexcept;

/// The byte at fault; nlohmann names the one after it, counted from 1.
constexpr std::size_t error_position(std::size_t nlohmann_position) noexcept {
    return nlohmann_position == 0 ? 0 : nlohmann_position - 1;
}

/// Why nlohmann refused a text, without the position.
std::string reason_of(const json::exception& e);

} // namespace lifeguard::detail
