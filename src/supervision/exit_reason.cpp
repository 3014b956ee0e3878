#include <lifeguard/exit_reason.hpp>

#include "base/one_line.hpp"

#include <boost/system/system_error.hpp>

namespace lifeguard {
namespace {

std::string with(std::string_view name, std::string_view detail) {
    std::string text(name);
    if (!detail.empty())
        text.append("(").append(detail::one_line(detail)).append(")");
    return text;
}

} // namespace

std::string to_string(const exit_reason& reason) {
    switch (reason.what) {
    case exit_reason::kind::normal:
        return "normal";
    case exit_reason::kind::shutdown:
        return with("shutdown", reason.detail);
    case exit_reason::kind::error:
        return with("error", reason.detail);
    case exit_reason::kind::killed:
        return with("killed", reason.abandoned ? "abandoned" : reason.detail);
    }
    return "unknown";
}

std::string describe(const std::exception_ptr& e) {
    if (!e)
        return "no exception";
    try {
        std::rethrow_exception(e);
    } catch (const std::exception& known) {
        return known.what();
    } catch (const exit_shutdown& known) {
        return with("exit_shutdown", known.detail);
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

} // namespace lifeguard
