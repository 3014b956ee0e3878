#pragma once

#include <lifeguard/metrics.hpp>

#include <string>
#include <string_view>

// The words of Prometheus' text format 0.0.4, and what it allows in them.
namespace lifeguard::detail {

enum class metric_type { counter, gauge, histogram };

std::string_view name_of(metric_type type) noexcept;

/// Throws `invalid_option` for what Prometheus refuses or misreads.
void check_metric_name(metric_type type, std::string_view name, std::string_view help);
void check_metric_labels(metric_type type, std::string_view name, const metric_labels& labels);
void check_bounds(std::string_view name, const std::vector<double>& bounds);

/// `pool="images",queue="mail"`, sorted by name, values escaped. Bytes that are not UTF-8 are
/// replaced: one of them would make Prometheus refuse the whole text.
std::string label_text(metric_labels labels);

void append_number(std::string& text, double value);
void append_help(std::string& text, std::string_view help);

/// `name{labels,extra} value`, a line. Each of `labels` and `extra` may be empty.
void append_sample(std::string& text, std::string_view name, std::string_view labels,
                   std::string_view extra, double value);

} // namespace lifeguard::detail
