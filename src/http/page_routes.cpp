// The dashboard: files that the program carries within itself. They hold no data, so they need no
// token; what the page then asks for does.

#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/embedded_file.hpp"
#include "http/json_writer.hpp"

#include <algorithm>
#include <span>

namespace lifeguard::embedded {
std::span<const detail::web::embedded_file> dashboard() noexcept;
}

namespace lifeguard::detail::web {
namespace {

/// Nothing but our own files runs, and text can not become markup even by mistake (trusted types).
/// Nobody may show the page in a frame, where clicks could be stolen.
constexpr std::string_view content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

void require_page(const call& c) {
    if (c.of.access.dashboard == dashboard_mode::off)
        throw refusal{404, name_of(errc::not_found), "the dashboard is off"};
}

answer with_fields(answer a) {
    a.fields.emplace_back("Content-Security-Policy", content_policy);
    a.fields.emplace_back("Referrer-Policy", "no-referrer");
    a.fields.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
    a.fields.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
    return a;
}

answer file_named(const call& c, std::string_view path) {
    require_page(c);
    c.at.allow({});
    const auto files = embedded::dashboard();
    const auto found = std::ranges::find(files, path, &embedded_file::path);
    if (found == files.end())
        throw refusal{404, name_of(errc::not_found), "there is nothing at this path"};
    const std::string tag = '"' + std::string(found->hash) + '"';
    answer a;
    if (c.asked.if_none_match.find(tag) != std::string_view::npos) {
        a.status = 304;
    } else {
        a.body = found->bytes;
        a.content_type = found->content_type;
    }
    a.fields.emplace_back("ETag", tag);
    a.fields.emplace_back("Cache-Control", "no-cache"); // kept, and asked about
    return with_fields(std::move(a));
}

} // namespace

asio::awaitable<answer> get_page(call& c) { co_return file_named(c, "index.html"); }

asio::awaitable<answer> get_page_file(call& c) { co_return file_named(c, c.names[0]); }

asio::awaitable<answer> get_page_settings(call& c) {
    require_page(c);
    c.at.allow({});
    const bool read_only = c.of.access.dashboard == dashboard_mode::read_only;
    json_writer w;
    w.begin_object().member("read_only", read_only).end_object();
    co_return with_fields(make_answer(w.take()));
}

} // namespace lifeguard::detail::web
