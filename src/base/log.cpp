#include <lifeguard/log.hpp>

#include "base/utf8.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>

namespace lifeguard {
namespace {

// What a value may hold without quotes: printable ASCII that no reader of logfmt gives a meaning.
bool is_plain(char c) noexcept { return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\'; }

void append_code(std::string& line, unsigned char code) {
    constexpr char digits[] = "0123456789abcdef";
    line += "\\u00";
    line += digits[code >> 4];
    line += digits[code & 0xf];
}

// One character of UTF-8.
void append_escaped(std::string& line, std::string_view character) {
    const char c = character.front();
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
        (line += '\\') += c;
    else if (c == '\n')
        line += "\\n";
    else if (c == '\r')
        line += "\\r";
    else if (c == '\t')
        line += "\\t";
    else if (byte < 0x20 || byte == 0x7f)
        append_code(line, byte);
    // Terminals obey U+0080 to U+009F as they do the escape character.
    else if (byte == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0)
        append_code(line, static_cast<unsigned char>(character[1]));
    else
        line += character;
}

void append(std::string& line, std::string_view key, std::string_view value) {
    if (!line.empty())
        line += ' ';
    line += key;
    line += '=';
    if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain)) {
        line += value;
        return;
    }
    line += '"';
    while (!value.empty()) {
        const std::size_t length = detail::utf8_length(value);
        append_escaped(line, length == 0 ? detail::utf8_replacement : value.substr(0, length));
        value.remove_prefix(std::max<std::size_t>(length, 1));
    }
    line += '"';
}

class stderr_sink final : public log_sink {
  public:
    explicit stderr_sink(log_level at_least) : at_least_(at_least) {}

    void write(const log_record& record) override {
        if (record.level < at_least_)
            return;
        std::string line = to_logfmt(record);
        line += '\n';
        std::fwrite(line.data(), 1, line.size(), stderr); // locks the stream
    }

  private:
    const log_level at_least_;
};

} // namespace

std::string_view name_of(log_level level) noexcept {
    switch (level) {
    case log_level::debug:
        return "debug";
    case log_level::info:
        return "info";
    case log_level::warning:
        return "warning";
    case log_level::error:
        return "error";
    }
    return "unknown";
}

std::string to_logfmt(const log_record& record) {
    std::string line;
    append(line, "level", name_of(record.level));
    append(line, "event", record.event);
    for (const auto& field : record.fields)
        append(line, field.key, field.value);
    if (!record.message.empty())
        append(line, "msg", record.message);
    return line;
}

std::shared_ptr<log_sink> stderr_log(log_level at_least) {
    return std::make_shared<stderr_sink>(at_least);
}

struct logger::shared {
    std::shared_ptr<log_sink> sink;
    std::atomic<std::uint64_t> errors = 0;
};

logger::logger(std::shared_ptr<log_sink> sink) {
    if (sink) {
        shared_ = std::make_shared<shared>();
        shared_->sink = std::move(sink);
    }
}

void logger::write(const log_record& record) const noexcept {
    if (!shared_)
        return;
    try {
        shared_->sink->write(record);
    } catch (...) {
        shared_->errors.fetch_add(1, std::memory_order_relaxed);
    }
}

std::shared_ptr<log_sink> logger::sink() const noexcept {
    return shared_ ? shared_->sink : nullptr;
}

std::uint64_t logger::errors() const noexcept {
    return shared_ ? shared_->errors.load(std::memory_order_relaxed) : 0;
}

} // namespace lifeguard
