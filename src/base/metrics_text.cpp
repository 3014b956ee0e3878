#include "base/metrics_text.hpp"

#include "base/utf8.hpp"
#include <lifeguard/error.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace lifeguard::detail {
namespace {

[[noreturn]] void refuse(std::string_view name, const std::string& why) {
    throw error(errc::invalid_option, "metric '" + std::string(name) + "': " + why);
}

// Prometheus would also take capitals (and colons, for rules); its own linter does not like them.
bool is_word(std::string_view text) noexcept {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    const auto is_inside = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
    return !text.empty() && is_letter(text.front()) &&
           std::all_of(text.begin(), text.end(), is_inside);
}

void append_escaped(std::string& text, std::string_view value, bool in_quotes) {
    while (!value.empty()) {
        const std::size_t length = utf8_length(value);
        const char c = value.front();
        if (length == 0)
            text += utf8_replacement;
        else if (c == '\n')
            text += "\\n";
        else if (c == '\\' || (c == '"' && in_quotes))
            (text += '\\') += c;
        else
            text += value.substr(0, length);
        value.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

} // namespace

std::string_view name_of(metric_type type) noexcept {
    switch (type) {
    case metric_type::counter:
        return "counter";
    case metric_type::gauge:
        return "gauge";
    case metric_type::histogram:
        return "histogram";
    }
    return "untyped";
}

void check_metric_name(metric_type type, std::string_view name, std::string_view help) {
    if (!is_word(name))
        refuse(name, "a name consists of a-z, 0-9 and _, and does not begin with a digit");
    if (name.ends_with("_total") != (type == metric_type::counter))
        refuse(name, "the name of a counter, and no other, ends in _total");
    for (const std::string_view taken : {"_bucket", "_count", "_sum"})
        if (name.ends_with(taken))
            refuse(name, "only the parts of a histogram end in " + std::string(taken));
    if (help.empty())
        refuse(name, "help is empty");
}

void check_metric_labels(metric_type type, std::string_view name, const metric_labels& labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::string& label = labels[i].first;
        if (!is_word(label) || label.starts_with("__"))
            refuse(name, "label '" + label + "' is not a word of a-z, 0-9 and single leading _");
        if (type == metric_type::histogram && label == "le")
            refuse(name, "label 'le' belongs to the ranges of a histogram");
        for (std::size_t j = 0; j < i; ++j)
            if (labels[j].first == label)
                refuse(name, "label '" + label + "' is given twice");
    }
}

void check_bounds(std::string_view name, const std::vector<double>& bounds) {
    constexpr std::size_t bounds_max = 64;
    if (bounds.empty() || bounds.size() > bounds_max)
        refuse(name, "bounds: 1 to " + std::to_string(bounds_max) + " are allowed");
    for (std::size_t i = 0; i < bounds.size(); ++i)
        if (!std::isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1]))
            refuse(name, "bounds: they must be finite and rise");
}

std::string label_text(metric_labels labels) {
    std::sort(labels.begin(), labels.end());
    std::string text;
    for (const auto& [name, value] : labels) {
        if (!text.empty())
            text += ',';
        text += name;
        text += "=\"";
        append_escaped(text, value, true);
        text += '"';
    }
    return text;
}

void append_number(std::string& text, double value) {
    if (std::isnan(value)) {
        text += "NaN";
    } else if (std::isinf(value)) {
        text += value > 0 ? "+Inf" : "-Inf";
    } else {
        // As Prometheus' own libraries write them: the text of `le` is part of a series' name.
        const double size = std::abs(value);
        const bool fixed = size == 0 || (size >= 1e-4 && size < 1e21);
        char digits[64];
        const auto end =
            std::to_chars(digits, digits + sizeof digits, value,
                          fixed ? std::chars_format::fixed : std::chars_format::scientific)
                .ptr;
        text.append(digits, end);
    }
}

void append_help(std::string& text, std::string_view help) { append_escaped(text, help, false); }

void append_sample(std::string& text, std::string_view name, std::string_view labels,
                   std::string_view extra, double value) {
    text += name;
    if (!labels.empty() || !extra.empty()) {
        text += '{';
        text += labels;
        if (!labels.empty() && !extra.empty())
            text += ',';
        text += extra;
        text += '}';
    }
    text += ' ';
    append_number(text, value);
    text += '\n';
}

} // namespace lifeguard::detail
