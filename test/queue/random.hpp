#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace lifeguard::test {

/// LIFEGUARD_SEED replays a run; otherwise every run has another seed, to be printed.
inline std::uint64_t test_seed() {
    if (const char* given = std::getenv("LIFEGUARD_SEED"))
        return std::stoull(given);
    return std::random_device()();
}

class random_numbers {
  public:
    explicit random_numbers(std::uint64_t seed) : engine_(seed) {}
    /// From 0 to n - 1.
    std::size_t below(std::size_t n) {
        return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_);
    }
    bool one_in(std::size_t n) { return below(n) == 0; }

  private:
    std::mt19937_64 engine_;
};

} // namespace lifeguard::test
