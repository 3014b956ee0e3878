#include <lifeguard/metrics.hpp>

#include "base/metrics_series.hpp"
#include "base/metrics_text.hpp"
#include <lifeguard/error.hpp>

#include <algorithm>
#include <cmath>

namespace lifeguard {

using namespace detail;

namespace {

std::vector<std::string> sorted_names(const metric_labels& labels) {
    std::vector<std::string> names;
    for (const auto& label : labels)
        names.push_back(label.first);
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace

histogram::histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {}

// From below: what is observed often is short.
std::size_t histogram::range_of(double value) const noexcept {
    std::size_t range = 0;
    while (range < bounds_.size() && value > bounds_[range])
        ++range;
    return range;
}

void histogram::observe(double value) noexcept {
    if (std::isnan(value))
        return;
    counts_[range_of(value)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

void histogram::observe_serialised(duration d) noexcept {
    constexpr auto relaxed = std::memory_order_relaxed;
    const double value = std::chrono::duration<double>(d).count();
    auto& count = counts_[range_of(value)];
    count.store(count.load(relaxed) + 1, relaxed);
    sum_.store(sum_.load(relaxed) + value, relaxed);
}

std::vector<std::uint64_t> histogram::counts() const {
    std::vector<std::uint64_t> counts(bounds_.size() + 1);
    for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = counts_[i].load(std::memory_order_relaxed);
    return counts;
}

std::uint64_t histogram::count() const noexcept {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i <= bounds_.size(); ++i)
        all += counts_[i].load(std::memory_order_relaxed);
    return all;
}

const std::vector<double>& duration_bounds() {
    static const std::vector<double> bounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                            0.25,   0.5,   1,      2.5,   5,    10,    30};
    return bounds;
}

struct metrics_registry::request {
    metric_type type;
    std::string_view name;
    std::string_view help;
    metric_labels labels;
    std::vector<double> bounds = {};
    std::function<double()> read = {};

    std::shared_ptr<metric_series> create(const std::string& text) {
        if (read)
            return std::make_shared<callback_series>(text, std::move(read));
        switch (type) {
        case metric_type::counter:
            return std::make_shared<plain_series<counter>>(text);
        case metric_type::gauge:
            return std::make_shared<plain_series<gauge>>(text);
        case metric_type::histogram:
            break;
        }
        return std::make_shared<histogram_series>(text, std::move(bounds));
    }

    [[noreturn]] void refuse(const std::string& why) const {
        throw error(errc::invalid_option, "metric '" + std::string(name) + "': " + why);
    }
};

metrics_registry::metrics_registry(metrics_options options) : options_(options) {
    if (options.label_sets_max == 0)
        throw error(errc::invalid_option, "metrics_options::label_sets_max is 0");
}

metrics_registry::~metrics_registry() = default;

metric_series& metrics_registry::make(request what) {
    check_metric_name(what.type, what.name, what.help);
    check_metric_labels(what.type, what.name, what.labels);
    if (what.type == metric_type::histogram)
        check_bounds(what.name, what.bounds);
    const std::string text = label_text(what.labels);

    std::shared_ptr<metric_series> replaced; // its callback must not end with the lock held
    const std::lock_guard lock(mutex_);
    metric_family& family = family_for(what);
    const auto found = family.series.find(text);
    if (found == family.series.end()) {
        if (family.series.size() >= options_.label_sets_max)
            throw error(errc::limit_reached, "metric '" + std::string(what.name) +
                                                 "': metrics_options::label_sets_max, " +
                                                 std::to_string(options_.label_sets_max));
        return *family.series.emplace(text, what.create(text)).first->second;
    }
    if (found->second->is_callback() != static_cast<bool>(what.read))
        what.refuse("it is made with a callback and without one");
    if (what.read) {
        // The newest owner knows the value; the former may be about to end.
        auto next = what.create(text);
        next->uses = found->second->uses;
        replaced = std::exchange(found->second, std::move(next));
    }
    ++found->second->uses;
    return *found->second;
}

void metrics_registry::make_callback(request what) {
    if (!what.read)
        what.refuse("its callback is empty");
    make(std::move(what));
}

metric_family& metrics_registry::family_for(const request& what) {
    auto names = sorted_names(what.labels);
    const auto found = families_.find(what.name);
    if (found == families_.end()) {
        auto family = std::make_unique<metric_family>();
        family->what = std::make_shared<const metric_family::head>(
            metric_family::head{std::string(what.name), std::string(what.help), what.type});
        family->label_names = std::move(names);
        family->bounds = what.bounds;
        return *families_.emplace(std::string(what.name), std::move(family)).first->second;
    }
    metric_family& family = *found->second;
    if (family.what->type != what.type)
        what.refuse("it is a " + std::string(name_of(family.what->type)) + " already");
    if (family.label_names != names)
        what.refuse("it is used with other label names");
    if (family.bounds != what.bounds)
        what.refuse("it is used with other bounds");
    return family;
}

counter& metrics_registry::make_counter(std::string_view name, std::string_view help,
                                        metric_labels labels) {
    auto& series = make({metric_type::counter, name, help, std::move(labels)});
    return static_cast<plain_series<counter>&>(series).metric;
}

gauge& metrics_registry::make_gauge(std::string_view name, std::string_view help,
                                    metric_labels labels) {
    auto& series = make({metric_type::gauge, name, help, std::move(labels)});
    return static_cast<plain_series<gauge>&>(series).metric;
}

histogram& metrics_registry::make_histogram(std::string_view name, std::string_view help,
                                            metric_labels labels, std::vector<double> bounds) {
    auto& series = make({metric_type::histogram, name, help, std::move(labels), std::move(bounds)});
    return static_cast<histogram_series&>(series).metric;
}

void metrics_registry::make_counter(std::string_view name, std::string_view help,
                                    metric_labels labels, std::function<double()> read) {
    make_callback({metric_type::counter, name, help, std::move(labels), {}, std::move(read)});
}

void metrics_registry::make_gauge(std::string_view name, std::string_view help,
                                  metric_labels labels, std::function<double()> read) {
    make_callback({metric_type::gauge, name, help, std::move(labels), {}, std::move(read)});
}

void metrics_registry::remove(std::string_view name, const metric_labels& labels) noexcept {
    const std::string text = label_text(labels);
    std::shared_ptr<metric_series> gone;
    const std::lock_guard lock(mutex_);
    const auto family = families_.find(name);
    if (family == families_.end())
        return;
    auto& all = family->second->series;
    const auto found = all.find(text);
    if (found == all.end() || --found->second->uses != 0)
        return;
    gone = std::move(found->second);
    all.erase(found);
    if (all.empty())
        families_.erase(family);
}

std::optional<double> metrics_registry::value(std::string_view name,
                                              const metric_labels& labels) const {
    std::shared_ptr<const metric_series> series;
    {
        const std::lock_guard lock(mutex_);
        const auto family = families_.find(name);
        if (family == families_.end())
            return std::nullopt;
        const auto found = family->second->series.find(label_text(labels));
        if (found == family->second->series.end())
            return std::nullopt;
        series = found->second;
    }
    return series->value();
}

std::string metrics_registry::to_prometheus() const {
    struct part {
        std::shared_ptr<const metric_family::head> what;
        std::vector<std::shared_ptr<const metric_series>> series;
    };
    std::vector<part> parts;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, family] : families_) {
            part& next = parts.emplace_back(part{family->what, {}});
            for (const auto& [labels, series] : family->series)
                next.series.push_back(series);
        }
    }
    std::string text;
    for (const part& p : parts) {
        ((text += "# HELP ") += p.what->name) += ' ';
        append_help(text, p.what->help);
        ((((text += "\n# TYPE ") += p.what->name) += ' ') += name_of(p.what->type)) += '\n';
        for (const auto& series : p.series) {
            const std::size_t before = text.size();
            try {
                series->write(text, p.what->name);
            } catch (...) {
                text.resize(before);
            }
        }
    }
    return text;
}

} // namespace lifeguard
