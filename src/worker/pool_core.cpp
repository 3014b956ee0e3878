#include "worker/pool_core.hpp"

#include <lifeguard/log.hpp>

namespace lifeguard::detail {

/// Calls a member of the pool when something is due.
class pool_deadline final : public deadline {
  public:
    using member = void (pool_core::*)();
    pool_deadline(std::weak_ptr<pool_core> pool, member on_expiry) noexcept
        : pool_(std::move(pool)), on_expiry_(on_expiry) {}

    void expired(time_point) override {
        if (const auto pool = pool_.lock())
            ((*pool).*on_expiry_)();
    }

  private:
    const std::weak_ptr<pool_core> pool_;
    const member on_expiry_;
};

pool_core::pool_core(std::shared_ptr<queue_core> queue, worker_pool_options options,
                     std::shared_ptr<log_sink> log)
    : jobs_(std::move(queue)),
      options_(std::move(options)),
      log_(std::move(log)),
      breakers_(options_),
      size_(options_.size) {
    filter_.which = take_filter::kinds::handled;
    filter_.priority = options_.priority.value_or(-1);
}

pool_core::~pool_core() {
    const std::lock_guard lock(mutex());
    for (queue_entry* queue : queues_)
        jobs_->remove_taker(*queue, *this);
}

void pool_core::open() {
    deadline_ = std::make_shared<pool_deadline>(weak_from_this(), &pool_core::on_deadline);
    drain_deadline_ = std::make_shared<pool_deadline>(weak_from_this(), &pool_core::on_drained);
    make_workers();
    context_hooks::of(shared().executor).add(weak_from_this());
    if (options_.handler_executor)
        context_hooks::of(options_.handler_executor).add(weak_from_this());
    metrics_.emplace(weak_from_this(), shared(), options_.name);
    const std::lock_guard lock(mutex());
    try {
        for (const std::string& name : options_.queues)
            queues_.push_back(&jobs_->queue(name));
    } catch (const error& e) {
        throw error(errc::invalid_option, "pool '" + options_.name + "', queues: " + e.detail());
    }
    if (queues_.empty())
        queues_.push_back(&jobs_->queue("default"));
    for (queue_entry* queue : queues_)
        jobs_->add_taker(*queue, *this);
}

std::shared_ptr<worker> pool_core::find(const std::string& id) const {
    for (const auto& w : workers_)
        if (w->id == id)
            return w;
    return nullptr;
}

/// Under the lock, so that two threads cannot arm in another order than they decided in.
void pool_core::arm(time_point at) {
    if (at >= armed_at_ || !deadline_)
        return;
    armed_at_ = at;
    shared().deadlines->arm(*deadline_, at);
}

void pool_core::rest() {
    const bool alive = std::ranges::any_of(workers_, [](const auto& w) { return w->alive; });
    if (alive || !deadline_)
        return;
    shared().deadlines->disarm(*drain_deadline_);
    if (!checkouts_.empty() || armed_at_ == time_point::max())
        return;
    armed_at_ = time_point::max();
    shared().deadlines->disarm(*deadline_);
}

/// An execute has waited long enough, or a breaker may let a probe through.
void pool_core::on_deadline() {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        jobs_->read_clock();
        armed_at_ = time_point::max();
        withdraw_late(wakes);
        resume_idle(wakes);
    }
    wakes.run();
}

/// Idle lanes that waited for a breaker may have something to do.
void pool_core::resume_idle(wake_list& wakes) {
    for (const auto& w : workers_) {
        if (w->idle.empty() || w->stopping || static_cast<idle_hook&>(*w).is_linked())
            continue;
        if (tripped(*w))
            trip(*w);
        else
            join_idle(*w);
    }
    arm_breakers();
    offer(wakes);
}

} // namespace lifeguard::detail
