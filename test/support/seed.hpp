#pragma once

#include <cstdlib>
#include <random>
#include <string>

namespace lifeguard::test {

/// Where a test with random input begins: LIFEGUARD_SEED, to repeat a failure, or anywhere.
inline unsigned first_seed() {
    if (const char* given = std::getenv("LIFEGUARD_SEED"))
        return static_cast<unsigned>(std::stoul(given));
    return std::random_device()();
}

} // namespace lifeguard::test
