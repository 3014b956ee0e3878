#pragma once

#include <lifeguard/error.hpp>
#include <lifeguard/name_registry.hpp>

#include <memory>
#include <string>
#include <utility>

namespace lifeguard::detail {

/// An incarnation's hold on its name.
class name_claim {
  public:
    /// Errors: `already_started` when the name is taken.
    name_claim(std::shared_ptr<name_registry> in, std::string name)
        : registry_(std::move(in)), name_(std::move(name)) {
        if (!registry_->claim(name_))
            throw error(errc::already_started, "registered_name '" + name_ + "' is taken");
    }
    name_claim(const name_claim&) = delete;
    name_claim& operator=(const name_claim&) = delete;
    ~name_claim() { registry_->release(name_); }

    void announce(registered_child who) const { registry_->announce(name_, std::move(who)); }

  private:
    const std::shared_ptr<name_registry> registry_;
    const std::string name_;
};

} // namespace lifeguard::detail
