#include "http/http_metrics.hpp"

#include "http/router.hpp"
#include <lifeguard/error.hpp>

#include <algorithm>

namespace lifeguard::detail::web {
namespace {

std::string pattern_of(const route* r) { return r == nullptr ? "other" : std::string(r->pattern); }

std::string method_of(const route* r) { return r == nullptr ? "other" : std::string(r->method); }

} // namespace

http_metrics::http_metrics(std::shared_ptr<metrics_registry> registry)
    : scope_(std::move(registry)),
      by_route_(routes().size() + 1),
      connections(scope_.make_gauge("lifeguard_http_connections", "Connections of clients.")),
      streams(scope_.make_gauge("lifeguard_http_streams", "Streams of events that are open.")) {}

http_metrics::~http_metrics() = default;

counter* http_metrics::make_counter(of_route& of, const route* r, std::size_t status_class) {
    const std::lock_guard lock(mutex_);
    std::atomic<counter*>& made = of.requests[status_class];
    if (made == nullptr && !full_)
        try {
            made = &scope_.make_counter("lifeguard_http_requests_total", "Requests answered.",
                                        {{"method", method_of(r)},
                                         {"route", pattern_of(r)},
                                         {"status", std::to_string(status_class) + "xx"}});
        } catch (const error&) {
            full_ = true; // the registry has no room: what is there counts on
        }
    return made;
}

histogram* http_metrics::make_histogram(of_route& of, const route* r) {
    const std::lock_guard lock(mutex_);
    if (of.durations == nullptr && !full_)
        try {
            of.durations =
                &scope_.make_histogram("lifeguard_http_request_duration_seconds",
                                       "From a request to its answer, waiting included.",
                                       {{"method", method_of(r)}, {"route", pattern_of(r)}});
        } catch (const error&) {
            full_ = true;
        }
    return of.durations;
}

void http_metrics::answered(const route* of, unsigned status, duration took) {
    const std::size_t index =
        of == nullptr ? routes().size() : static_cast<std::size_t>(of - routes().data());
    of_route& mine = by_route_[index];
    const std::size_t status_class = std::min<std::size_t>(status / 100, classes - 1);
    counter* requests = mine.requests[status_class];
    if (requests == nullptr)
        requests = make_counter(mine, of, status_class);
    if (requests != nullptr)
        requests->add();
    histogram* durations = mine.durations;
    if (durations == nullptr)
        durations = make_histogram(mine, of);
    if (durations != nullptr)
        durations->observe(took);
}

} // namespace lifeguard::detail::web
