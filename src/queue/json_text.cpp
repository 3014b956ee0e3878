#include "queue/json_text.hpp"

#include <lifeguard/job.hpp>

#include <algorithm>

namespace lifeguard {
namespace detail {

std::optional<text_fault> not_json_text(std::string_view text) noexcept {
    if (text.starts_with("\xef\xbb\xbf"))
        return text_fault{0, "is not JSON: begins with a byte order mark"};
    if (const auto zero = text.find('\0'); zero != std::string_view::npos)
        return text_fault{zero, "is not JSON: holds a zero byte"};
    return std::nullopt;
}

std::string reason_of(const json::exception& e) {
    if (dynamic_cast<const json::out_of_range*>(&e) != nullptr)
        return "a number is out of the range of a double";
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view what = e.what();
    const auto colon = what.find(": ");
    return "is not JSON: " +
           std::string(colon == std::string_view::npos ? what : what.substr(colon + 2));
}

namespace {

[[noreturn]] void refuse(errc code, std::size_t position, const std::string& why) {
    throw error(code, "payload at byte " + std::to_string(position) + ": " + why);
}

/// Accepts any JSON value, as long as it does not nest too deeply.
class depth_checker {
  public:
    explicit depth_checker(unsigned levels) : levels_(levels) {}

    bool null() { return true; }
    bool boolean(bool) { return true; }
    bool number_integer(json::number_integer_t) { return true; }
    bool number_unsigned(json::number_unsigned_t) { return true; }
    bool number_float(json::number_float_t, const std::string&) { return true; }
    bool string(std::string&) { return true; }
    bool binary(json::binary_t&) { return false; } // not in JSON text
    bool key(std::string&) { return true; }
    bool start_object(std::size_t) { return open(); }
    bool start_array(std::size_t) { return open(); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool parse_error(std::size_t position, const std::string&, const json::exception& e) {
        refuse(errc::malformed_json, error_position(position), reason_of(e));
    }

  private:
    bool open() {
        if (++depth_ > levels_)
            throw error(errc::too_deep,
                        "payload: is nested deeper than " + std::to_string(levels_) + " levels");
        return true;
    }
    bool close() {
        --depth_;
        return true;
    }

    const unsigned levels_;
    unsigned depth_ = 0;
};

} // namespace
} // namespace detail

void check_payload(std::string_view text, const job_limits& limits) {
    if (text.size() > limits.payload_max)
        throw error(errc::payload_too_large, "payload: " + std::to_string(text.size()) +
                                                 " bytes, at most " +
                                                 std::to_string(limits.payload_max));
    if (const auto odd = detail::not_json_text(text))
        detail::refuse(errc::malformed_json, odd->position, odd->what);
    detail::depth_checker checker(limits.depth_max);
    json::sax_parse(text, &checker);
}

} // namespace lifeguard
