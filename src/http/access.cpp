#include "http/access.hpp"

#include "http/answers.hpp"

#include <algorithm>

namespace lifeguard::detail::web {
namespace {

constexpr std::string_view bearer = "Bearer ";

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool equal_names(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// "[::1]:8080" -> "[::1]", "localhost:80" -> "localhost".
std::string_view without_port(std::string_view host) noexcept {
    if (!host.empty() && host.front() == '[')
        return host.substr(0, std::min(host.find(']'), host.size() - 1) + 1);
    return host.substr(0, host.find(':'));
}

bool may_name(const access_rules& rules, std::string_view host) {
    const std::string_view name = without_port(host);
    for (const std::string_view loopback : {"localhost", "127.0.0.1", "[::1]"})
        if (equal_names(name, loopback))
            return true;
    return std::ranges::any_of(rules.hosts, [&](const auto& h) { return equal_names(name, h); });
}

/// Whether a page that the client's browser shows comes from here. Anything that is no browser
/// sends no Origin.
bool same_origin(const request& r) noexcept {
    const std::size_t scheme = r.origin.find("://");
    return scheme != std::string_view::npos && equal_names(r.origin.substr(scheme + 3), r.host);
}

} // namespace

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
    unsigned differs = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size(); ++i)
        differs |= static_cast<unsigned char>(a[i]) ^
                   static_cast<unsigned char>(b.empty() ? '\0' : b[i % b.size()]);
    return differs == 0;
}

std::optional<answer> refused(const access_rules& rules, const request& r, bool open) {
    if (rules.token.empty() && !may_name(rules, r.host))
        return to_answer(
            refusal{403, "forbidden_host", "this server does not go by that name", "Host"});
    if (!r.origin.empty() && !same_origin(r))
        return to_answer(
            refusal{403, "forbidden_origin", "pages of other sites may not ask", "Origin"});
    if (!r.origin.empty() && rules.dashboard == dashboard_mode::read_only && r.method != "GET" &&
        r.method != "HEAD")
        return to_answer(refusal{403, "read_only", "pages may only look at this server", "Origin"});
    if (open || rules.token.empty())
        return std::nullopt;
    const bool bears = r.authorization.size() > bearer.size() &&
                       equal_names(r.authorization.substr(0, bearer.size()), bearer);
    if (bears && equal_in_constant_time(r.authorization.substr(bearer.size()), rules.token))
        return std::nullopt;
    answer a = to_answer(refusal{401, "unauthorized", "a bearer token is needed", "Authorization"});
    a.fields.emplace_back("WWW-Authenticate", "Bearer");
    return a;
}

} // namespace lifeguard::detail::web
