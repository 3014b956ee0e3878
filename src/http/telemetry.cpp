#include "http/telemetry.hpp"

#include "queue/queue_core.hpp"

namespace lifeguard::detail::web {
namespace {

std::shared_ptr<event_hub> make_hub(const engine& served, hub_limits limits) {
    const runtime& shared = served.queue().core()->shared();
    return std::make_shared<event_hub>(shared.time, shared.deadlines, limits);
}

std::shared_ptr<void> listen(engine served, const std::shared_ptr<event_hub>& hub) {
    return served.on_log([weak = std::weak_ptr(hub)](const log_record& record) {
        if (const auto alive = weak.lock())
            alive->publish(record);
    });
}

} // namespace

telemetry::telemetry(const engine& served, hub_limits limits)
    : metrics(served.queue().core()->shared().metrics),
      events(make_hub(served, limits)),
      samples(std::make_shared<sampler>(served, events)),
      listening_(listen(served, events)) {}

} // namespace lifeguard::detail::web
