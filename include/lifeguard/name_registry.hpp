#pragma once

#include <any>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace lifeguard {

/// Who runs under a name.
struct registered_child {
    std::string supervisor;
    std::string id;
    unsigned incarnation = 0;
    std::any info; ///< what it gave to `child_body` or `ready`: a handle to it, say
};

/// Names of running children (OTP: registered names). Supervisors that share it keep it: a child
/// whose spec has a `registered_name` holds that from its start until its end, or until it is
/// abandoned, and nobody else does meanwhile. Thread-safe.
class name_registry {
  public:
    /// Who has the name, once it has started. Empty when nobody does.
    std::optional<registered_child> whereis(const std::string& name) const;

    /// For supervisors: takes the name, to be found when `announce` is called. False when it is
    /// taken.
    bool claim(const std::string& name);
    void announce(const std::string& name, registered_child who);
    void release(const std::string& name) noexcept;

  private:
    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::optional<registered_child>> names_;
};

} // namespace lifeguard
