#include "engine/option_document.hpp"

#include "base/one_line.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace lifeguard::detail {
namespace {

/// Counts the lines of what the parser has read. Copies of it count together.
class counting_iterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    counting_iterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
    const char& operator*() const { return *at_; }
    counting_iterator& operator++() {
        ++at_;
        if (reached_ != nullptr)
            *reached_ = at_;
        return *this;
    }
    counting_iterator operator++(int) {
        counting_iterator before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const counting_iterator& a, const counting_iterator& b) {
        return a.at_ == b.at_;
    }

  private:
    const char* at_;
    const char** reached_;
};

/// Builds the document from the parser's events, and remembers the line of each.
class document_builder {
  public:
    explicit document_builder(std::string_view text)
        : counted_(text.data()), reached_(text.data()) {}

    const char** reached() noexcept { return &reached_; }
    option_document take() { return std::move(document_); }

    bool null() { return add(nullptr); }
    bool boolean(bool b) { return add(b); }
    bool number_integer(json::number_integer_t n) { return add(n, true); }
    bool number_unsigned(json::number_unsigned_t n) { return add(n, true); }
    bool number_float(json::number_float_t n, const std::string&) { return add(n, true); }
    bool string(std::string& s) { return add(s); }
    bool binary(json::binary_t&) { return false; } // not in JSON text
    bool start_object(std::size_t) { return open(json::object()); }
    bool start_array(std::size_t) { return open(json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }

    bool key(std::string& name) {
        level& now = levels_.back();
        now.key = name;
        const std::string path = path_of_next();
        if (path.size() > path_max) {
            mistake(now.path, "must not have a member whose path is longer than " +
                                  std::to_string(path_max) + " bytes");
            return false;
        }
        if (!now.keys.insert(name).second)
            mistake(path, "must be there once, is there again");
        document_.lines[path] = line();
        return true;
    }

    bool parse_error(std::size_t, const std::string&, const json::exception& e) {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
        std::string what = e.what();
        const std::size_t colon = what.find(": ");
        if (dynamic_cast<const json::out_of_range*>(&e) != nullptr)
            what = "a number is out of range";
        else if (colon != std::string::npos)
            what.erase(0, colon + 2);
        mistake("", "must be JSON: " + one_line(what)); // it quotes the text, which may be anything
        return false;
    }

  private:
    struct level {
        json* value;
        std::string path;
        std::string key;            // of the member that comes next
        std::set<std::string> keys; // that have come
    };

    /// The line of the last character read. The end of a number is only seen at the next one.
    std::size_t line(bool looked_ahead = false) {
        const char* const end = looked_ahead && reached_ != counted_ ? reached_ - 1 : reached_;
        for (; counted_ < end; ++counted_)
            line_ += *counted_ == '\n' ? 1 : 0;
        return line_;
    }

    void mistake(std::string path, std::string rule) {
        document_.mistakes.push_back({std::move(path), std::move(rule), "", line()});
    }

    std::string path_of_next() const {
        if (levels_.empty())
            return {};
        const level& now = levels_.back();
        if (now.value->is_array())
            return now.path + "[" + std::to_string(now.value->size()) + "]";
        return now.path.empty() ? now.key : now.path + "." + now.key;
    }

    json* put(json value) {
        if (levels_.empty()) {
            document_.value = std::move(value);
            return &document_.value;
        }
        level& now = levels_.back();
        if (now.value->is_array()) {
            now.value->push_back(std::move(value));
            return &now.value->back();
        }
        json& member = (*now.value)[now.key];
        member = std::move(value);
        return &member;
    }

    /// Every value costs the memory of its path, which may be much longer than the value.
    bool has_room() {
        if (++values_ > option_values_max)
            mistake("", "must hold " + std::to_string(option_values_max) + " values at most");
        return values_ <= option_values_max;
    }

    bool add(json value, bool looked_ahead = false) {
        if (!has_room())
            return false;
        document_.lines.emplace(path_of_next(), line(looked_ahead));
        put(std::move(value));
        return true;
    }

    bool open(json value) {
        std::string path = path_of_next();
        if (levels_.size() == option_depth_max) {
            mistake(path, "must not be nested deeper than " + std::to_string(option_depth_max) +
                              " levels");
            return false;
        }
        if (!has_room())
            return false;
        document_.lines.emplace(path, line());
        // References into an array last: nothing is added to it while an element is open.
        json* const opened = put(std::move(value));
        levels_.push_back({opened, std::move(path), "", {}});
        return true;
    }

    bool close() {
        levels_.pop_back();
        return true;
    }

    static constexpr std::size_t path_max = 1000;

    option_document document_;
    std::vector<level> levels_;
    std::size_t values_ = 0;
    const char* counted_;
    const char* reached_;
    std::size_t line_ = 1;
};

std::map<std::string, option_syntax, std::less<>>& syntaxes() {
    static std::map<std::string, option_syntax, std::less<>> all{{".json", read_json_options}};
    return all;
}

} // namespace

option_document read_json_options(std::string_view text) {
    option_document refused;
    if (text.size() > option_bytes_max) {
        refused.mistakes.push_back(
            {"", "must be " + std::to_string(option_bytes_max) + " bytes at most", "", 0});
        return refused;
    }
    // The parser takes a zero byte for the end.
    if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
        refused.mistakes.push_back({"", "must be JSON: holds a zero byte", "", 0});
        return refused;
    }
    document_builder builder(text);
    json::sax_parse(counting_iterator(text.data(), builder.reached()),
                    counting_iterator(text.data() + text.size(), nullptr), &builder);
    return builder.take();
}

bool register_option_syntax(std::string_view extension, option_syntax read) {
    return syntaxes().emplace(extension, read).second;
}

std::size_t option_document::line_of(std::string path) const {
    for (;;) {
        const auto found = lines.find(path);
        if (found != lines.end())
            return found->second;
        if (path.empty())
            return lines.empty() ? 0 : 1;
        const std::size_t cut = path.find_last_of(".[");
        path.erase(cut == std::string::npos ? 0 : cut);
    }
}

namespace {

/// The element that a path goes on with, as "[3]"; takes it off the path. Null when there is none.
const json* element_at(const json& list, std::string_view& path) {
    std::size_t index = 0;
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): both ends are given
    const auto read = std::from_chars(path.data() + 1, path.data() + path.size(), index);
    if (read.ec != std::errc() || read.ptr == path.data() + path.size() || *read.ptr != ']' ||
        index >= list.size())
        return nullptr;
    path.remove_prefix(static_cast<std::size_t>(read.ptr + 1 - path.data()));
    return &list[index];
}

/// The member that a path goes on with. Names may hold dots and brackets: the longest that fits.
const json* member_at(const json& object, std::string_view& path) {
    for (std::size_t end = path.size(); end > 0; --end) {
        if (end != path.size() && path[end] != '.' && path[end] != '[')
            continue;
        const auto found = object.find(std::string(path.substr(0, end)));
        if (found != object.end()) {
            path.remove_prefix(end);
            return &*found;
        }
    }
    return nullptr;
}

} // namespace

const json* option_document::find(std::string_view path) const {
    const json* at = &value;
    while (at != nullptr && !path.empty()) {
        if (at->is_array() && path.front() == '[')
            at = element_at(*at, path);
        else if (at->is_object())
            at = member_at(*at, path);
        else
            at = nullptr;
        if (path.starts_with('.'))
            path.remove_prefix(1);
    }
    return at;
}

option_document load_document(const std::string& path) {
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file || std::filesystem::is_directory(path))
        throw error(errc::not_found, "options file '" + path + "'");
    const std::string extension = std::filesystem::path(path).extension();
    const auto found = syntaxes().find(extension);
    if (found != syntaxes().end())
        return found->second(text.str());
    if (extension == ".ttl")
        throw error(errc::unsupported, "options file '" + path +
                                           "': Turtle is not linked into this program; link the "
                                           "CMake target lifeguard::turtle");
    return read_json_options(text.str());
}

} // namespace lifeguard::detail
