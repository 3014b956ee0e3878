#include "base/utf8.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>

using lifeguard::detail::utf8_length;

namespace {

// By the definition: the bytes that encode `code`, in as few bytes as will do.
std::string encode(std::uint32_t code) {
    const auto tail = [code](unsigned shift) {
        return static_cast<char>(0x80 | ((code >> shift) & 0x3f));
    };
    if (code < 0x80)
        return {static_cast<char>(code)};
    if (code < 0x800)
        return {static_cast<char>(0xc0 | (code >> 6)), tail(0)};
    if (code < 0x10000)
        return {static_cast<char>(0xe0 | (code >> 12)), tail(6), tail(0)};
    return {static_cast<char>(0xf0 | (code >> 18)), tail(12), tail(6), tail(0)};
}

} // namespace

BOOST_AUTO_TEST_SUITE(utf8)

BOOST_AUTO_TEST_CASE(every_character_and_no_surrogate_is_well_formed) {
    for (std::uint32_t code = 0; code <= 0x110fff; ++code) {
        const std::string text = encode(code);
        const bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        if (utf8_length(text + "x") != (valid ? text.size() : 0))
            BOOST_ERROR("code " << code);
        if (text.size() > 1 && utf8_length(text.substr(0, text.size() - 1)) != 0)
            BOOST_ERROR("cut code " << code);
    }
}

BOOST_AUTO_TEST_CASE(overlong_and_stray_bytes_are_not_characters) {
    for (const std::string text :
         {"", "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
          "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80", "\xff", "\xc3x", "\xe2\x82x"})
        BOOST_TEST(utf8_length(text) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
