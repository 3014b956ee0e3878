#pragma once

#include "base/metrics_text.hpp"
#include <lifeguard/metrics.hpp>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::detail {

/// One label set of a metric, and its value.
struct metric_series {
    explicit metric_series(std::string text) : labels(std::move(text)) {}
    virtual ~metric_series() = default;

    virtual double value() const = 0;
    virtual bool is_callback() const { return false; }
    virtual void write(std::string& text, std::string_view name) const {
        append_sample(text, name, labels, "", value());
    }

    const std::string labels;
    unsigned uses = 1; // guarded by the registry's mutex
};

/// A metric: all that have its name.
struct metric_family {
    struct head {
        std::string name;
        std::string help;
        metric_type type;
    };
    std::shared_ptr<const head> what;
    std::vector<std::string> label_names;
    std::vector<double> bounds;
    std::map<std::string, std::shared_ptr<metric_series>, std::less<>> series; // by labels
};

/// A counter or a gauge.
template <typename Metric>
struct plain_series final : metric_series {
    using metric_series::metric_series;
    double value() const override { return static_cast<double>(metric.value()); }
    Metric metric;
};

struct callback_series final : metric_series {
    callback_series(std::string text, std::function<double()> f)
        : metric_series(std::move(text)), read(std::move(f)) {}

    double value() const override { return read(); }
    bool is_callback() const override { return true; }
    const std::function<double()> read;
};

struct histogram_series final : metric_series {
    histogram_series(std::string text, std::vector<double> bounds)
        : metric_series(std::move(text)), metric(std::move(bounds)) {}

    double value() const override { return static_cast<double>(metric.count()); }

    void write(std::string& text, std::string_view name) const override {
        const auto counts = metric.counts();
        const auto& bounds = metric.bounds();
        const std::string base(name);
        std::uint64_t below = 0;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            below += counts[i];
            std::string le = "le=\"";
            append_number(le, i < bounds.size() ? bounds[i] : HUGE_VAL);
            le += '"';
            append_sample(text, base + "_bucket", labels, le, static_cast<double>(below));
        }
        append_sample(text, base + "_sum", labels, "", metric.sum());
        append_sample(text, base + "_count", labels, "", static_cast<double>(below));
    }

    histogram metric;
};

} // namespace lifeguard::detail
