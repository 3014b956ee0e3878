#pragma once

#include <cstddef>
#include <string_view>

namespace lifeguard::detail {

/// Stands for bytes that are not UTF-8.
inline constexpr std::string_view utf8_replacement = "\xef\xbf\xbd";

/// How many bytes the first character of `text` has; 0 when it is not well-formed UTF-8 (Unicode
/// 15, table 3-7: no surrogates, nothing overlong, nothing beyond U+10FFFF) or when there is none.
inline std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte = [text](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto continues = [&byte](std::size_t from, std::size_t to) {
        for (std::size_t i = from; i < to; ++i)
            if (byte(i) < 0x80 || byte(i) > 0xbf)
                return false;
        return true;
    };
    const unsigned first = byte(0);
    const unsigned second = byte(1);
    if (text.empty())
        return 0;
    if (first < 0x80)
        return 1;
    if (first < 0xc2)
        return 0;
    if (first < 0xe0)
        return continues(1, 2) ? 2 : 0;
    if (first < 0xf0) {
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f))
            return 0;
        return continues(1, 3) ? 3 : 0;
    }
    if (first > 0xf4 || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    return continues(1, 4) ? 4 : 0;
}

} // namespace lifeguard::detail
