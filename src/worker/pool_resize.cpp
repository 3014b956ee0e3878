// More or fewer permanent workers while the pool runs.

#include "worker/pool_core.hpp"

#include <boost/asio/co_spawn.hpp>

namespace lifeguard::detail {

/// Makes the permanent workers that are missing.
std::vector<std::shared_ptr<worker>> pool_core::make_workers() {
    std::vector<std::shared_ptr<worker>> made;
    for (std::size_t n = 1; permanent_ < size_; ++n) {
        const std::string id = options_.name + "/" + std::to_string(n);
        if (find(id))
            continue;
        made.push_back(std::make_shared<worker>(*this, id, false, options_.breaker));
        const auto behind = workers_.begin() + static_cast<std::ptrdiff_t>(permanent_++);
        workers_.insert(behind, made.back());
    }
    return made;
}

/// The same while the pool runs: they are started, too. While some that leave still work, there are
/// fewer missing.
void pool_core::fill_up(wake_list& wakes) {
    const auto made = make_workers();
    if (supervisor_.expired() || draining_ != draining::no)
        return; // the next run starts them
    for (const auto& w : made) {
        wakes.defer([self = shared_from_this(), w] {
            const auto running = self->current_supervisor();
            if (!running)
                return;
            // One that cannot be started now, because the pool ends, is there for its next run.
            asio::co_spawn(self->shared().executor,
                           start_overflow_child(*running, self->worker_spec(w)),
                           [](const std::exception_ptr&) {});
        });
    }
}

void pool_core::resize(unsigned size) {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        jobs_->read_clock();
        size_ = size;
        const bool runs = !supervisor_.expired();
        while (!runs && permanent_ > size_)
            workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(--permanent_));
        for (std::size_t i = size_; i < permanent_; ++i) {
            worker& w = *workers_[i];
            if (w.leaves)
                continue;
            w.leaves = true;
            if (w.alive && !w.stopping)
                stop_worker(w, wakes);
        }
        fill_up(wakes);
        offer(wakes);
        appetite_changed();
    }
    wakes.run();
}

/// A worker that leaves has finished what it ran: its supervisor lets it go.
void pool_core::retire(const std::shared_ptr<worker>& w) {
    const auto running = current_supervisor();
    if (!running)
        return; // it is forgotten before the next run
    asio::co_spawn(shared().executor, retire_child(*running, w->id),
                   [self = shared_from_this(), w](const std::exception_ptr& failed) {
                       if (!failed)
                           self->forget_worker(*w);
                   });
}

asio::awaitable<void> pool_core::retire_child(supervisor s, std::string id) {
    co_await s.terminate_child(id);
    co_await s.delete_child(id);
}

void pool_core::forget_worker(worker& w) {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        if (std::erase_if(workers_, [&](const auto& other) { return other.get() == &w; }) == 0)
            return;
        --permanent_;
        jobs_->read_clock();
        fill_up(wakes); // it may have been in the way of another one
    }
    wakes.run();
}

} // namespace lifeguard::detail
