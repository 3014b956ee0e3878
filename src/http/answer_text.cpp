#include "http/answer_text.hpp"

#include <boost/beast/http/status.hpp>

#include <algorithm>

namespace lifeguard::detail::web {
namespace {

namespace http = boost::beast::http;

void add_field(std::string& text, std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
}

} // namespace

std::string head_text(const answer& a, unsigned version, bool keep_alive) {
    const auto reason = http::obsolete_reason(static_cast<http::status>(a.status));
    std::string text;
    text.reserve(256 + a.body.size());
    text += version == 10 ? "HTTP/1.0 " : "HTTP/1.1 ";
    text += std::to_string(a.status);
    text.append(1, ' ').append(reason.data(), reason.size()).append("\r\n");
    if (keep_alive && version == 10)
        add_field(text, "Connection", "keep-alive");
    if (!keep_alive && version != 10)
        add_field(text, "Connection", "close");
    if (std::none_of(a.fields.begin(), a.fields.end(),
                     [](const auto& field) { return field.first == "Cache-Control"; }))
        add_field(text, "Cache-Control", "no-store");
    add_field(text, "X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : a.fields)
        add_field(text, name, value);
    if (a.status != 204 && a.status != 304) {
        add_field(text, "Content-Type", a.content_type);
        if (!a.stream)
            add_field(text, "Content-Length", std::to_string(a.body.size()));
    }
    return text += "\r\n";
}

} // namespace lifeguard::detail::web
