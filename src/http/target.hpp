#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeguard::detail::web {

/// The target of a request, taken apart: "/v1/jobs/x%20y?limit=5".
class target {
  public:
    /// Throws `refusal` (400) for escapes that are none, and for a path that does not begin with /.
    explicit target(std::string_view text);

    /// Decoded: "v1", "jobs", "x y".
    const std::vector<std::string>& segments() const noexcept { return segments_; }

    /// A parameter of the query, decoded; empty when it is not given.
    std::optional<std::string> parameter(std::string_view name) const;
    /// As `parameter`, of a number. Throws `refusal` (422) for anything else, and out of range.
    std::optional<std::uint64_t> number(std::string_view name, std::uint64_t low,
                                        std::uint64_t high) const;
    /// Throws `refusal` (422) when the query has a parameter that is not among these, or one twice.
    void allow(std::initializer_list<std::string_view> names) const;

  private:
    std::vector<std::string> segments_;
    std::vector<std::pair<std::string, std::string>> query_;
};

} // namespace lifeguard::detail::web
