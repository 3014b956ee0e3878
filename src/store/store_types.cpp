#include "store/store_types.hpp"

#include <map>
#include <string>

namespace lifeguard::detail {
namespace {

/// Made when the first store registers, whenever that is before main.
std::map<std::string, store_reader, std::less<>>& types() {
    static std::map<std::string, store_reader, std::less<>> all;
    return all;
}

} // namespace

bool register_store_type(std::string_view name, store_reader reader) {
    return types().emplace(name, reader).second;
}

store_reader find_store_type(std::string_view name) {
    const auto found = types().find(name);
    return found == types().end() ? nullptr : found->second;
}

} // namespace lifeguard::detail
