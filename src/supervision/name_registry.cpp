#include <lifeguard/name_registry.hpp>

#include <utility>

namespace lifeguard {

std::optional<registered_child> name_registry::whereis(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(name);
    return found == names_.end() ? std::nullopt : found->second;
}

bool name_registry::claim(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return names_.try_emplace(name).second;
}

void name_registry::announce(const std::string& name, registered_child who) {
    const std::lock_guard lock(mutex_);
    names_[name] = std::move(who);
}

void name_registry::release(const std::string& name) noexcept {
    std::optional<registered_child> dropped; // may own anything: ends without the lock
    const std::lock_guard lock(mutex_);
    if (const auto found = names_.find(name); found != names_.end()) {
        dropped.swap(found->second);
        names_.erase(found);
    }
}

} // namespace lifeguard
