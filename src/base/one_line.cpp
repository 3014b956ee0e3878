#include "base/one_line.hpp"

#include "base/utf8.hpp"

namespace lifeguard::detail {

std::string one_line(std::string_view text, std::size_t size_max) {
    constexpr std::string_view cut = "...";
    std::string line;
    std::size_t whole = 0; // what stays when there is more than fits
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const auto first = static_cast<unsigned char>(text.front());
        if (length == 0)
            line += utf8_replacement;
        else if (first < 0x20 || first == 0x7f)
            line += ' ';
        else
            line += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
        if (line.size() + cut.size() <= size_max)
            whole = line.size();
        if (line.size() > size_max)
            return line.erase(whole).append(cut);
    }
    return line;
}

} // namespace lifeguard::detail
