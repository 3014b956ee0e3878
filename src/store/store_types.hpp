#pragma once

#include "base/option_members.hpp"
#include <lifeguard/store.hpp>

#include <functional>
#include <string_view>

namespace lifeguard::detail {

/// Reads the options of a store and returns what makes it. Throws `error` naming the member.
using store_reader = std::function<store()> (*)(option_members& options);

/// Lets options name a type of store. Called by the libraries of stores when they are linked,
/// before main; the library itself depends on none of them.
bool register_store_type(std::string_view name, store_reader reader);

/// Null when no library of that store is linked.
store_reader find_store_type(std::string_view name);

} // namespace lifeguard::detail
