#pragma once

#include <type_traits>

namespace lifeguard {

/// A callable that may stand in a co_await expression: g++ 12 destroys a temporary twice that owns
/// something, so only what owns nothing may be one. `F` is deduced from a forwarding reference.
template <typename F>
concept named_or_owns_nothing =
    std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<std::remove_cvref_t<F>>;

namespace detail {

/// Refuses any other callable when the program is compiled.
template <typename F>
constexpr void refuse_owning_temporary() noexcept {
    static_assert(named_or_owns_nothing<F>,
                  "g++ 12 destroys a temporary that owns something twice when it stands in a "
                  "co_await expression. Name the callable first, "
                  "auto work = [...] ...; co_await pool.transaction(work); "
                  "or capture by reference. See docs/compiler-traps.md");
}

} // namespace detail

} // namespace lifeguard
