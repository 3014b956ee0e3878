#pragma once

#include <lifeguard/job_id.hpp>
#include <lifeguard/time_source.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>

namespace lifeguard::detail::web {

/// As JavaScript has it.
inline std::int64_t milliseconds_of(wall_time t) noexcept {
    return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count();
}

/// Writes JSON piece by piece, so that payloads and results go in as the text that they are. The
/// caller sees to the order: in an object `key` before each value.
class json_writer {
  public:
    json_writer& begin_object() { return open('{'); }
    json_writer& end_object() { return close('}'); }
    json_writer& begin_array() { return open('['); }
    json_writer& end_array() { return close(']'); }

    /// A name of our own: nothing in it needs escaping.
    json_writer& key(std::string_view name);

    /// A name that may be anything.
    json_writer& any_key(std::string_view name);

    /// Bytes that are not UTF-8 are replaced by U+FFFD.
    json_writer& value(std::string_view text);
    json_writer& value(const char* text) { return value(std::string_view(text)); }
    json_writer& value(bool v) { return text(v ? "true" : "false"); }
    template <std::integral T>
    json_writer& value(T v) {
        return text(std::to_string(v));
    }
    json_writer& value(double v);
    json_writer& value(const job_id& id) { return value(std::string_view(id.to_string())); }
    /// As RFC 3339 has it.
    json_writer& value(wall_time t);
    template <typename T>
    json_writer& value(const std::optional<T>& v) {
        return v ? value(*v) : text("null");
    }
    /// JSON text.
    json_writer& text(std::string_view json);

    template <typename T>
    json_writer& member(std::string_view name, const T& v) {
        return key(name).value(v);
    }

    std::string take() noexcept { return std::move(text_); }

  private:
    json_writer& open(char c);
    json_writer& close(char c);
    void separate();

    std::string text_;
    bool first_ = true; // in the innermost object or array; after a key, too
};

} // namespace lifeguard::detail::web
