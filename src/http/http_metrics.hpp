#pragma once

#include <lifeguard/metrics.hpp>

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

namespace lifeguard::detail::web {

struct route;

/// What a server counts. Series of a route appear when it is first asked for, so their number is
/// bounded by that of the routes. Thread-safe.
class http_metrics {
  public:
    explicit http_metrics(std::shared_ptr<metrics_registry> registry);
    ~http_metrics();

    /// `of`: one of `routes()`, or null when the request had none.
    void answered(const route* of, unsigned status, duration took);

  private:
    static constexpr std::size_t classes = 6; // 0, 1xx ... 5xx
    struct of_route {
        std::array<std::atomic<counter*>, classes> requests{};
        std::atomic<histogram*> durations = nullptr;
    };
    counter* make_counter(of_route& of, const route* r, std::size_t status_class);
    histogram* make_histogram(of_route& of, const route* r);

    std::mutex mutex_; // guards the scope
    metrics_scope scope_;
    std::vector<of_route> by_route_; // the last one: of none
    bool full_ = false;

  public:
    gauge& connections;
    gauge& streams;
};

/// Counts one for as long as it lives.
class gauge_share {
  public:
    explicit gauge_share(gauge& of) noexcept : of_(of) { of_.add(); }
    ~gauge_share() { of_.sub(); }
    gauge_share(const gauge_share&) = delete;
    gauge_share& operator=(const gauge_share&) = delete;

  private:
    gauge& of_;
};

} // namespace lifeguard::detail::web
