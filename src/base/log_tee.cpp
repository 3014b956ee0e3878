#include "base/log_tee.hpp"

namespace lifeguard::detail {

void log_tee::write(const log_record& record) {
    if (heard_ || !keep(record))
        records_.publish(record);
    if (sink_)
        sink_->write(record);
}

/// False: somebody listens.
bool log_tee::keep(const log_record& record) {
    const std::lock_guard lock(mutex_);
    if (!heard_ && kept_.size() < kept_max)
        kept_.push_back(record);
    return !heard_;
}

std::shared_ptr<void> log_tee::on_record(std::function<void(const log_record&)> f) {
    std::shared_ptr<void> listening;
    std::deque<log_record> earlier;
    {
        const std::lock_guard lock(mutex_);
        listening = records_.on_event(f);
        heard_ = true;
        earlier.swap(kept_);
    }
    for (const log_record& record : earlier) {
        try {
            f(record);
        } catch (...) { // as of those to come: a listener disturbs nobody
        }
    }
    return listening;
}

} // namespace lifeguard::detail
