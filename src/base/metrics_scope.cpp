#include <lifeguard/metrics.hpp>

namespace lifeguard {

metrics_scope::metrics_scope(std::shared_ptr<metrics_registry> registry, metric_labels labels)
    : registry_(registry ? std::move(registry) : std::make_shared<metrics_registry>()),
      labels_(std::move(labels)) {}

metrics_scope::~metrics_scope() {
    for (const auto& [name, labels] : made_)
        registry_->remove(name, labels);
}

metric_labels metrics_scope::all_labels(metric_labels more) const {
    more.insert(more.begin(), labels_.begin(), labels_.end());
    return more;
}

counter& metrics_scope::make_counter(std::string_view name, std::string_view help,
                                     metric_labels more) {
    more = all_labels(std::move(more));
    counter& made = registry_->make_counter(name, help, more);
    made_.emplace_back(name, std::move(more));
    return made;
}

gauge& metrics_scope::make_gauge(std::string_view name, std::string_view help, metric_labels more) {
    more = all_labels(std::move(more));
    gauge& made = registry_->make_gauge(name, help, more);
    made_.emplace_back(name, std::move(more));
    return made;
}

histogram& metrics_scope::make_histogram(std::string_view name, std::string_view help,
                                         metric_labels more, std::vector<double> bounds) {
    more = all_labels(std::move(more));
    histogram& made = registry_->make_histogram(name, help, more, std::move(bounds));
    made_.emplace_back(name, std::move(more));
    return made;
}

void metrics_scope::make_counter(std::string_view name, std::string_view help, metric_labels more,
                                 std::function<double()> read) {
    more = all_labels(std::move(more));
    registry_->make_counter(name, help, more, std::move(read));
    made_.emplace_back(name, std::move(more));
}

void metrics_scope::make_gauge(std::string_view name, std::string_view help, metric_labels more,
                               std::function<double()> read) {
    more = all_labels(std::move(more));
    registry_->make_gauge(name, help, more, std::move(read));
    made_.emplace_back(name, std::move(more));
}

} // namespace lifeguard
