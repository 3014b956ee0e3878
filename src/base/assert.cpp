#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace lifeguard::detail {

void assertion_failed(const char* message, const char* file, int line) noexcept {
    std::fprintf(stderr, "lifeguard: %s (%s:%d)\n", message, file, line);
    std::abort();
}

} // namespace lifeguard::detail
