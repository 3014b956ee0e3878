#pragma once

#include <cstdint>

namespace bench {

/// How many blocks this process has asked the heap for: malloc, calloc, realloc and their aligned
/// kin, which is what operator new and Asio end in.
std::uint64_t allocations() noexcept;

} // namespace bench
