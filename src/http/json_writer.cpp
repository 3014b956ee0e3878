#include "http/json_writer.hpp"

#include "base/utf8.hpp"
#include "queue/rfc3339.hpp"
#include <lifeguard/json.hpp>

#include <array>

namespace lifeguard::detail::web {
namespace {

bool is_plain(char c) noexcept {
    return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f &&
           c != '"' && c != '\\';
}

} // namespace

void json_writer::separate() {
    if (!first_)
        text_ += ',';
    first_ = false;
}

json_writer& json_writer::open(char c) {
    separate();
    text_ += c;
    first_ = true;
    return *this;
}

json_writer& json_writer::close(char c) {
    text_ += c;
    first_ = false;
    return *this;
}

json_writer& json_writer::key(std::string_view name) {
    separate();
    text_.append(1, '"').append(name).append("\":");
    first_ = true;
    return *this;
}

json_writer& json_writer::any_key(std::string_view name) {
    value(name);
    text_ += ':';
    first_ = true;
    return *this;
}

json_writer& json_writer::value(std::string_view v) {
    separate();
    if (std::ranges::all_of(v, is_plain))
        text_.append(1, '"').append(v).append(1, '"');
    else
        text_ += json(v).dump(-1, ' ', false, json::error_handler_t::replace);
    return *this;
}

json_writer& json_writer::value(double v) {
    separate();
    text_ += json(v).dump();
    return *this;
}

json_writer& json_writer::value(wall_time t) { return value(std::string_view(format_rfc3339(t))); }

json_writer& json_writer::text(std::string_view json) {
    separate();
    text_ += json;
    return *this;
}

} // namespace lifeguard::detail::web
