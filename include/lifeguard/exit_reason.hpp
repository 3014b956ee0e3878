#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace lifeguard {

/// Why an incarnation of a child ended (conformance rule M-01, after OTP's exit reasons).
struct exit_reason {
    enum class kind {
        normal,   ///< the coroutine returned
        shutdown, ///< it ended after its supervisor asked it to, or by `exit_shutdown`
        error,    ///< any other exception left it
        killed,   ///< it had to be cancelled by force, or was killed
    };

    kind what = kind::normal;
    std::string detail;       ///< the exception's text, or what `exit_shutdown` said
    std::exception_ptr cause; ///< the exception itself, when there was one
    bool abandoned = false;   ///< killed, and did not even end then: its frame lives on, counted

    /// Abnormal ends restart transient children.
    bool abnormal() const noexcept { return what == kind::error || what == kind::killed; }
};

/// "normal", "shutdown(detail)", "error(boom)", "killed(abandoned)". One line, whatever the
/// exception's text.
std::string to_string(const exit_reason& reason);

/// Thrown by a child to end with reason `shutdown`: deliberate, so transient children stay down
/// (OTP: `exit({shutdown, Detail})`).
struct exit_shutdown {
    std::string detail;
    explicit exit_shutdown(std::string why = {}) : detail(std::move(why)) {}
};

/// The text of any exception: what() of a std::exception, and something honest for the rest.
std::string describe(const std::exception_ptr& e);

} // namespace lifeguard
