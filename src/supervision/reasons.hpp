#pragma once

#include <lifeguard/error.hpp>
#include <lifeguard/exit_reason.hpp>

#include <string>
#include <utility>

namespace lifeguard::detail {

inline exit_reason reason_of(exit_reason::kind what, std::string detail = {},
                             std::exception_ptr cause = {}) {
    exit_reason reason;
    reason.what = what;
    reason.detail = std::move(detail);
    reason.cause = std::move(cause);
    return reason;
}

/// The reason of what fails without an exception of its own.
inline exit_reason failure(errc code, std::string detail) {
    auto cause = std::make_exception_ptr(error(code, detail));
    return reason_of(exit_reason::kind::error, std::move(detail), std::move(cause));
}

} // namespace lifeguard::detail
