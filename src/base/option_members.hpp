#pragma once

#include "base/option_report.hpp"
#include <lifeguard/error.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/time_source.hpp>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lifeguard::detail {

/// Reads the members of one JSON object into options, and complains about those it does not know.
/// Every error is `invalid_option` and names the member by its path, as "pools[0].size".
///
/// With a report nothing is thrown: a mistake is written down, the option keeps its default, and
/// objects that are not there are read as if they were empty, so that `values` has every member.
class option_members {
  public:
    /// `path`: of the object; empty for the outermost. The object and the report must outlive this.
    option_members(const json& object, std::string path, option_report* report = nullptr);

    template <typename Unsigned>
    void whole(const char* name, Unsigned& out) {
        whole_between(name, out, 0, std::numeric_limits<Unsigned>::max());
    }
    template <typename Unsigned>
    void whole_between(const char* name, Unsigned& out, std::uint64_t low, std::uint64_t high) {
        attempt([&] {
            if (const json* v = get(name))
                out = static_cast<Unsigned>(number(*v, name, low, high));
        });
        note(name, out);
    }
    void milliseconds(const char* name, duration& out);
    void milliseconds_between(const char* name, duration& out, std::uint64_t low,
                              std::uint64_t high);
    /// Milliseconds, or -1 for ever.
    void age(const char* name, duration& out);
    void flag(const char* name, bool& out);
    void real(const char* name, double& out);
    void text(const char* name, std::string& out);
    void texts(const char* name, std::vector<std::string>& out);
    void named_texts(const char* name, std::map<std::string, std::string>& out);

    /// One of the names, each of which stands for a value.
    template <typename Value>
    void choice(const char* name, Value& out,
                std::initializer_list<std::pair<const char*, Value>> names) {
        std::string said;
        std::string rule = "must be";
        const char* separator = " ";
        for (const auto& [known, value] : names) {
            if (value == out)
                said = known;
            rule += separator + std::string(known);
            separator = " or ";
        }
        text(name, said);
        for (const auto& [known, value] : names)
            if (said == known) {
                out = value;
                return;
            }
        complain(name, rule + ", is " + said);
    }

    using reader = std::function<void(option_members&)>;
    void object(const char* name, const reader& read);
    void objects(const char* name, const reader& read);
    /// An object whose members are objects, of any name.
    void named_objects(const char* name,
                       const std::function<void(const std::string&, option_members&)>& read);

    /// The member, which is known from now on; null when it is not there.
    const json* get(const char* name);
    std::uint64_t number(const json& v, const std::string& name, std::uint64_t low,
                         std::uint64_t high) const;
    [[noreturn]] void wrong(const std::string& name, const std::string& rule) const;
    /// The same, but with a report it returns.
    void complain(const std::string& name, const std::string& rule) const;

    /// All have been read: any other is one too many.
    void done() const;

    /// What all members that have been read came to, defaults included. Only with a report.
    const json& values() const noexcept { return values_; }
    /// Where the value that was read is not what counts.
    template <typename Value>
    void note(const char* name, const Value& value) {
        if (report_ != nullptr)
            values_[name] = value;
    }

  private:
    /// Does it; with a report what it throws is written down.
    void attempt(const std::function<void()>& what) const;
    json read_inner(const json& value, const std::string& path, const reader& read) const;
    std::string at(const std::string& name) const;
    std::string string_of(const json& v, const std::string& name) const;

    const json& object_;
    const std::string path_;
    option_report* const report_;
    std::set<std::string> known_;
    json values_ = json::object();
};

} // namespace lifeguard::detail
