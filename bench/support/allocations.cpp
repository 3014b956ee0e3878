#include "support/allocations.hpp"

#include <atomic>
#include <cstddef>

// glibc lets a program put its own functions in front of these.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t n, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

std::atomic<std::uint64_t> made = 0;

void count() noexcept { made.fetch_add(1, std::memory_order_relaxed); }

} // namespace

std::uint64_t bench::allocations() noexcept { return made.load(std::memory_order_relaxed); }

extern "C" {

void* malloc(std::size_t size) {
    count();
    return __libc_malloc(size);
}

void* calloc(std::size_t n, std::size_t size) {
    count();
    return __libc_calloc(n, size);
}

void* realloc(void* old, std::size_t size) {
    count();
    return __libc_realloc(old, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

} // extern "C"
