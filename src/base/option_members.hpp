#pragma once

#include <lifeguard/error.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/time_source.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace lifeguard::detail {

/// Reads the members of one JSON object into options, and complains about those it does not know.
/// Every error is `invalid_option` and names the member by its path, as "pools[0].size".
class option_members {
  public:
    /// `path`: of the object; empty for the outermost. The object must outlive this.
    option_members(const json& object, std::string path);

    template <typename Unsigned>
    void whole(const char* name, Unsigned& out) {
        if (const json* v = get(name))
            out = static_cast<Unsigned>(number(*v, name, 0, std::numeric_limits<Unsigned>::max()));
    }
    void milliseconds(const char* name, duration& out);
    /// Milliseconds, or -1 for ever.
    void age(const char* name, duration& out);
    void flag(const char* name, bool& out);
    void real(const char* name, double& out);
    void text(const char* name, std::string& out);
    void texts(const char* name, std::vector<std::string>& out);
    void object(const char* name, const std::function<void(option_members&)>& read);
    void objects(const char* name, const std::function<void(option_members&)>& read);

    /// The member, which is known from now on; null when it is not there.
    const json* get(const char* name);
    std::uint64_t number(const json& v, const std::string& name, std::uint64_t low,
                         std::uint64_t high) const;
    [[noreturn]] void wrong(const std::string& name, const std::string& rule) const;

    /// All have been read: any other is one too many.
    void done() const;

  private:
    std::string at(const std::string& name) const;
    std::string string_of(const json& v, const std::string& name) const;

    const json& object_;
    const std::string path_;
    std::set<std::string> known_;
};

} // namespace lifeguard::detail
