#pragma once

#include <lifeguard/time_source.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeguard {

namespace detail {
struct metric_family;
struct metric_series;
} // namespace detail

/// Names and values, as {{"pool", "images"}, {"queue", "mail"}}. Their order does not matter.
using metric_labels = std::vector<std::pair<std::string, std::string>>;

/// A number that only grows. Thread-safe; adding is one relaxed atomic instruction.
class counter {
  public:
    void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_ = 0;
};

/// A number that goes up and down. Thread-safe.
class gauge {
  public:
    void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    void sub(std::int64_t n = 1) noexcept { value_.fetch_sub(n, std::memory_order_relaxed); }
    std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> value_ = 0;
};

/// How often observed values fell into each of a few ranges. Thread-safe.
class histogram {
  public:
    /// `bounds`: the highest value of each range, rising; a last range without a bound is added.
    explicit histogram(std::vector<double> bounds);

    /// Counts a value in the unit that the metric's name gives. NaN is ignored.
    void observe(double value) noexcept;

    /// Counts a duration, in seconds.
    void observe(duration value) noexcept { observe(std::chrono::duration<double>(value).count()); }

    /// As `observe`, for writers that a lock keeps apart: a third of the cost, readers need no
    /// lock.
    void observe_serialised(duration value) noexcept;

    const std::vector<double>& bounds() const noexcept { return bounds_; }
    /// How many values fell into each range, the unbounded last one included.
    std::vector<std::uint64_t> counts() const;
    std::uint64_t count() const noexcept;
    double sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

  private:
    std::size_t range_of(double value) const noexcept;

    const std::vector<double> bounds_;
    const std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
    std::atomic<double> sum_ = 0;
};

/// Bounds for durations in seconds, from half a millisecond to half a minute.
const std::vector<double>& duration_bounds();

struct metrics_options {
    /// The most label sets that one metric may have. One more is refused. Defaults to 1000.
    std::size_t label_sets_max = 1000;
};

/// Metrics, and their text for Prometheus. Each `make_` gives the one object of that name and label
/// set, which stays where it is until it has been removed as often as it was made, or the registry
/// ends; take it once and keep the reference.
///
/// Errors of all `make_`: `invalid_option` for a name or label that Prometheus (docs/metrics.md)
/// does not allow, or a name that is used with another type, other bounds or other label names;
/// `limit_reached` at `label_sets_max`.
/// Thread safety: any thread may call any member; no lock is held while a callback runs.
class metrics_registry {
  public:
    explicit metrics_registry(metrics_options options = {});
    ~metrics_registry();
    metrics_registry(const metrics_registry&) = delete;
    metrics_registry& operator=(const metrics_registry&) = delete;

    counter& make_counter(std::string_view name, std::string_view help, metric_labels labels = {});
    gauge& make_gauge(std::string_view name, std::string_view help, metric_labels labels = {});
    histogram& make_histogram(std::string_view name, std::string_view help,
                              metric_labels labels = {},
                              std::vector<double> bounds = duration_bounds());

    /// Metrics whose value is asked for when it is wanted. One that throws is left out. A call may
    /// still be on its way when `remove` returns: `read` must own, or hold weakly, what it reads.
    void make_counter(std::string_view name, std::string_view help, metric_labels labels,
                      std::function<double()> read);
    void make_gauge(std::string_view name, std::string_view help, metric_labels labels,
                    std::function<double()> read);

    /// Takes back one `make_`. With the last, references to the object end. Nothing happens when
    /// there is no such metric.
    void remove(std::string_view name, const metric_labels& labels = {}) noexcept;

    /// The value of a counter or gauge, or how many values a histogram has counted.
    std::optional<double> value(std::string_view name, const metric_labels& labels = {}) const;

    /// Everything in Prometheus' text format 0.0.4, sorted by name.
    std::string to_prometheus() const;

    static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

  private:
    struct request;
    detail::metric_series& make(request what);
    void make_callback(request what);
    detail::metric_family& family_for(const request& what);

    const metrics_options options_;
    mutable std::mutex mutex_;
    std::map<std::string, std::unique_ptr<detail::metric_family>, std::less<>> families_;
};

/// The metrics of one owner, a pool say: they share labels, and are removed when it ends.
/// Not thread-safe; the metrics are.
class metrics_scope {
  public:
    /// Without a registry the metrics exist all the same, for nobody to see.
    explicit metrics_scope(std::shared_ptr<metrics_registry> registry, metric_labels labels = {});
    ~metrics_scope();
    metrics_scope(const metrics_scope&) = delete;
    metrics_scope& operator=(const metrics_scope&) = delete;

    /// As in `metrics_registry`, with the scope's labels besides `more`.
    counter& make_counter(std::string_view name, std::string_view help, metric_labels more = {});
    gauge& make_gauge(std::string_view name, std::string_view help, metric_labels more = {});
    histogram& make_histogram(std::string_view name, std::string_view help, metric_labels more = {},
                              std::vector<double> bounds = duration_bounds());
    void make_counter(std::string_view name, std::string_view help, metric_labels more,
                      std::function<double()> read);
    void make_gauge(std::string_view name, std::string_view help, metric_labels more,
                    std::function<double()> read);

  private:
    metric_labels all_labels(metric_labels more) const;

    const std::shared_ptr<metrics_registry> registry_;
    const metric_labels labels_;
    std::vector<std::pair<std::string, metric_labels>> made_;
};

} // namespace lifeguard
