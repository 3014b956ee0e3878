// The description of the API for programs, docs/openapi.json, as it was when this was built.

#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/embedded_file.hpp"

#include <span>

namespace lifeguard::embedded {
std::span<const detail::web::embedded_file> openapi() noexcept;
}

namespace lifeguard::detail::web {

asio::awaitable<answer> get_openapi(call& c) {
    c.at.allow({});
    co_return make_answer(std::string(embedded::openapi().front().bytes));
}

} // namespace lifeguard::detail::web
