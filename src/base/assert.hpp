#pragma once

/// Ends the program when `condition`, which only a mistake in the calling code can break, does not
/// hold. In every build: going on would corrupt what others rely on.
#define LIFEGUARD_ASSERT(condition, message)                                                       \
    ((condition) ? static_cast<void>(0)                                                            \
                 : ::lifeguard::detail::assertion_failed(message, __FILE__, __LINE__))

namespace lifeguard::detail {

[[noreturn]] void assertion_failed(const char* message, const char* file, int line) noexcept;

} // namespace lifeguard::detail
