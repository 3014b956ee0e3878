#include <lifeguard/version.hpp>

namespace lifeguard {

// Compiled, so that it tells what is linked and not what was included.
const char* version() noexcept { return LIFEGUARD_VERSION_STRING; }

} // namespace lifeguard
