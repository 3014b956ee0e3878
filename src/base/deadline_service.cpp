#include "base/deadline_service.hpp"

#include "base/assert.hpp"
#include "base/executors.hpp"

#include <unordered_map>
#include <vector>

namespace lifeguard::detail {
namespace {

/// The deadline services of one context, by time source.
class deadline_services final : public asio::execution_context::service {
  public:
    using key_type = deadline_services;
    static asio::execution_context::id id;

    explicit deadline_services(asio::execution_context& context) : service(context) {}

    std::shared_ptr<deadline_service> get(const asio::any_io_executor& executor,
                                          const std::shared_ptr<time_source>& time) {
        const std::lock_guard lock(mutex_);
        std::erase_if(services_, [](const auto& s) { return s.second.expired(); });
        auto& weak = services_[time.get()];
        auto found = weak.lock();
        if (!found) {
            found = std::make_shared<deadline_service>(time);
            found->open(below_strand(executor));
            weak = found;
            context_hooks::of(executor).add(found);
        }
        return found;
    }

  private:
    void shutdown() noexcept override {} // context_hooks tells each service

    std::mutex mutex_;
    std::unordered_map<const time_source*, std::weak_ptr<deadline_service>> services_;
};

asio::execution_context::id deadline_services::id;

} // namespace

deadline::~deadline() {
    if (service_)
        service_->disarm(*this);
}

std::shared_ptr<deadline_service> deadline_service::of(const asio::any_io_executor& executor,
                                                       const std::shared_ptr<time_source>& time) {
    auto& context = asio::query(executor, asio::execution::context);
    return asio::use_service<deadline_services>(context).get(executor, time);
}

deadline_service::deadline_service(std::shared_ptr<time_source> time) : time_(std::move(time)) {}

deadline_service::~deadline_service() = default;

void deadline_service::open(asio::any_io_executor executor) {
    // A wake-up that is already queued may outlive the service.
    alarm_ = time_->make_alarm(std::move(executor), [weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->wake();
    });
}

void deadline_service::arm(deadline& d, time_point at) {
    const std::lock_guard lock(mutex_);
    arm_locked(d, at);
}

void deadline_service::arm_earlier(deadline& d, time_point at) {
    const std::lock_guard lock(mutex_);
    if (!d.hook_.is_linked() || at < d.at_)
        arm_locked(d, at);
}

void deadline_service::arm_locked(deadline& d, time_point at) {
    if (!alarm_)
        return;
    LIFEGUARD_ASSERT(!d.service_ || d.service_.get() == this, "a deadline has one service");
    if (d.hook_.is_linked())
        armed_.erase(armed_.iterator_to(d));
    else
        d.service_ = shared_from_this();
    d.at_ = at;
    armed_.insert(armed_.end(), d);
    set_alarm();
}

void deadline_service::disarm(deadline& d) noexcept {
    std::shared_ptr<deadline_service> last; // may be the last owner: must not end before the lock
    const std::lock_guard lock(mutex_);
    if (!d.hook_.is_linked())
        return;
    armed_.erase(armed_.iterator_to(d));
    last.swap(d.service_);
    if (armed_.empty() && alarm_) {
        // A timer left behind would keep io_context::run() from returning.
        alarm_->clear();
        alarm_at_ = time_point::max();
    }
}

std::size_t deadline_service::armed() const {
    const std::lock_guard lock(mutex_);
    return armed_.size();
}

void deadline_service::set_alarm() {
    if (armed_.empty() || !alarm_)
        return;
    const time_point first = armed_.begin()->at_;
    if (first < alarm_at_) {
        alarm_->set(first);
        alarm_at_ = first;
    }
}

void deadline_service::wake() {
    const time_point now = time_->now();
    std::vector<std::shared_ptr<deadline>> due;
    {
        const std::lock_guard lock(mutex_);
        alarm_at_ = time_point::max();
        while (!armed_.empty() && armed_.begin()->at_ <= now) {
            deadline& first = *armed_.begin();
            armed_.erase(armed_.begin());
            // One that is just being destroyed cannot be kept alive any more.
            if (auto alive = first.weak_from_this().lock()) {
                alive->service_.reset();
                due.push_back(std::move(alive));
            }
        }
        set_alarm();
    }
    for (const auto& d : due)
        d->expired(now);
}

void deadline_service::context_shutdown() noexcept {
    std::unique_ptr<alarm> gone;
    const std::lock_guard lock(mutex_);
    gone.swap(alarm_);
}

} // namespace lifeguard::detail
