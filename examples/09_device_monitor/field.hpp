#pragma once

#include <cmath>
#include <map>
#include <stdexcept>
#include <string>

/// The devices out there, simulated: they come, can be read, and go. A real program would have a
/// network here.
class field {
  public:
    void install(const std::string& id, double mean) { devices_[id].mean = mean; }
    void remove(const std::string& id) { devices_.erase(id); }
    /// The third reading from now on fails, and the next one is fine again.
    void break_soon(const std::string& id) { devices_.at(id).fails_at = devices_.at(id).reads + 3; }
    bool has(const std::string& id) const { return devices_.contains(id); }
    const auto& devices() const { return devices_; }

    double read(const std::string& id) {
        device& d = devices_.at(id);
        if (++d.reads == d.fails_at)
            throw std::runtime_error("checksum error");
        return std::round((d.mean + std::sin(d.reads)) * 10) / 10;
    }

  private:
    struct device {
        double mean = 0;
        int reads = 0;
        int fails_at = 0;
    };
    std::map<std::string, device> devices_;
};
