#pragma once

#include "http/message.hpp"
#include "http/target.hpp"

#include <boost/asio/awaitable.hpp>

#include <span>

namespace lifeguard::detail::web {

namespace asio = boost::asio;

struct api;

/// What a route is called with. Lives until its coroutine ends.
struct call {
    const api& of;
    request& asked;
    const target& at;
    std::vector<std::string> names; ///< what stands for the {names} of the pattern
};

using operation = asio::awaitable<answer> (*)(call& c);

struct route {
    std::string_view method;
    std::string_view pattern; ///< "/v1/jobs/{id}/cancel"
    operation run;
    bool open = false; ///< needs no token
};

/// All of them. test/http checks that docs and the OpenAPI file have the same.
std::span<const route> routes();

/// The route of a request, and what stands for its {names}. Throws `refusal`: 404, or 405 with the
/// methods that there are.
const route& find_route(std::string_view method, const target& at, std::vector<std::string>& names);

/// Checks who asks, finds the route and runs it. Never throws what a request can bring about.
asio::awaitable<answer> respond(const api& a, request& r);

} // namespace lifeguard::detail::web
