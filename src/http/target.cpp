#include "http/target.hpp"

#include "http/answers.hpp"

#include <algorithm>
#include <charconv>

namespace lifeguard::detail::web {
namespace {

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string decode(std::string_view text, bool in_query) {
    if (text.find_first_of(in_query ? "%+" : "%") == std::string_view::npos)
        return std::string(text);
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && in_query) {
            decoded += ' ';
        } else if (text[i] != '%') {
            decoded += text[i];
        } else {
            const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                throw refusal{400, "bad_target", "'%' must be followed by two hex digits"};
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return decoded;
}

/// Calls `f` with every piece between separators.
template <typename F>
void split(std::string_view text, char separator, F f) {
    while (true) {
        const std::size_t end = text.find(separator);
        f(text.substr(0, end));
        if (end == std::string_view::npos)
            return;
        text.remove_prefix(end + 1);
    }
}

} // namespace

target::target(std::string_view text) {
    if (text.empty() || text.front() != '/')
        throw refusal{400, "bad_target", "the request's target must be a path"};
    text = text.substr(0, text.find('#'));
    const std::size_t mark = text.find('?');
    segments_.reserve(4);
    split(text.substr(1, mark == std::string_view::npos ? mark : mark - 1), '/',
          [&](std::string_view piece) { segments_.push_back(decode(piece, false)); });
    if (mark == std::string_view::npos || mark + 1 == text.size())
        return;
    split(text.substr(mark + 1), '&', [&](std::string_view piece) {
        const std::size_t equals = std::min(piece.find('='), piece.size());
        query_.emplace_back(decode(piece.substr(0, equals), true),
                            decode(piece.substr(std::min(equals + 1, piece.size())), true));
    });
}

std::optional<std::string> target::parameter(std::string_view name) const {
    const auto found = std::ranges::find(query_, name, [](const auto& p) { return p.first; });
    return found == query_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint64_t> target::number(std::string_view name, std::uint64_t low,
                                            std::uint64_t high) const {
    const auto text = parameter(name);
    if (!text)
        return std::nullopt;
    std::uint64_t n = 0;
    const auto read = std::from_chars(text->data(), text->data() + text->size(), n);
    if (read.ec != std::errc() || read.ptr != text->data() + text->size() || n < low || n > high)
        throw refusal{422, name_of(errc::invalid_option),
                      std::string(name) + " must be a whole number, " + std::to_string(low) +
                          " to " + std::to_string(high),
                      std::string(name)};
    return n;
}

void target::allow(std::initializer_list<std::string_view> names) const {
    for (const auto& [name, value] : query_) {
        if (std::ranges::find(names, name) == names.end())
            throw refusal{422, name_of(errc::invalid_option), "an unknown parameter", name};
        const auto same = [&](const auto& p) { return p.first == name; };
        if (std::ranges::count_if(query_, same) != 1)
            throw refusal{422, name_of(errc::invalid_option), "given more than once", name};
    }
}

} // namespace lifeguard::detail::web
