#include "supervision/one_line.hpp"

#include <algorithm>

namespace lifeguard::detail {
namespace {

bool continues_a_character(char c) noexcept {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

} // namespace

std::string one_line(std::string_view text, std::size_t size_max) {
    constexpr std::string_view cut = "...";
    std::string line;
    if (text.size() <= size_max) {
        line = text;
    } else {
        std::size_t size = std::max(size_max, cut.size()) - cut.size();
        while (size != 0 && continues_a_character(text[size]))
            --size;
        line.append(text.substr(0, size)).append(cut);
    }
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20U || c == 0x7f)
            c = ' ';
    return line;
}

} // namespace lifeguard::detail
