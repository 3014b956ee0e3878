// What supervises the workers: specs, the supervisor of one run, and temporary workers that come
// and go.

#include "worker/pool_core.hpp"

#include <boost/asio/co_spawn.hpp>

namespace lifeguard::detail {

child_spec pool_core::worker_spec(const std::shared_ptr<worker>& w) {
    child_spec spec(w->id, [self = shared_from_this(), w] { return self->run_worker(w); });
    // A worker ends by itself when its time is over; a supervisor's force is for what went wrong.
    const duration patience = options_.drain_wait + options_.cancel_grace + std::chrono::seconds(1);
    spec.shutdown = shutdown_policy::after(std::chrono::ceil<std::chrono::milliseconds>(patience));
    return spec;
}

supervisor pool_core::make_supervisor() {
    supervisor_options options;
    options.name = options_.name;
    options.intensity = options_.intensity;
    options.period = options_.period;
    options.time = shared().time;
    options.log = log_.sink();
    std::vector<child_spec> children;
    {
        const std::lock_guard lock(mutex());
        if (std::ranges::any_of(workers_, [](const auto& w) { return w->alive; }))
            throw error(errc::already_started, "pool '" + options_.name + "'");
        draining_ = draining::no;
        stopped_ = false;
        // Overflow workers of an earlier run do not come back, nor do those that were to leave.
        std::erase_if(workers_, [](const auto& w) { return w->overflow || w->leaves; });
        overflow_ = 0;
        permanent_ = workers_.size();
        make_workers();
        for (const auto& w : workers_)
            children.push_back(worker_spec(w));
    }
    supervisor made(shared().executor, std::move(options), std::move(children));
    const std::lock_guard lock(mutex());
    supervisor_ = made.share();
    return made;
}

std::optional<supervisor> pool_core::current_supervisor() {
    const std::lock_guard lock(mutex());
    auto shell = supervisor_.lock();
    if (!shell)
        return std::nullopt;
    return supervisor(std::move(shell));
}

// --- overflow

/// Jobs wait and everybody is busy: one more worker, if there may be one.
void pool_core::want_overflow(wake_list& wakes) {
    if (overflow_ >= options_.max_overflow || jobs_->closed || supervisor_.expired())
        return;
    // One more worker could take nothing, would leave at once, and be wanted again.
    if (breakers_.common() != nullptr && room(*workers_.front(), 1) == 0)
        return;
    unsigned alive = 0;
    for (const auto& w : workers_) {
        if (!w->alive || w->stopping)
            continue;
        ++alive;
        // Idle, but its breaker is open: more workers would only hammer on the same trouble.
        if (w->busy == 0 && !w->idle.empty())
            return;
    }
    if (alive < size_ || job_index::peek(queues_, options_.strict_order, filter()) == nullptr)
        return;
    ++overflow_;
    const std::string id = options_.name + "/overflow-" + std::to_string(++overflow_number_);
    const auto w = std::make_shared<worker>(*this, id, true, options_.breaker);
    workers_.push_back(w);
    wakes.defer([self = shared_from_this(), w] { self->start_overflow(w); });
}

void pool_core::start_overflow(const std::shared_ptr<worker>& w) {
    const auto running = current_supervisor();
    if (!running)
        return forget_overflow(*w);
    child_spec spec(w->id, [self = shared_from_this(), w]() -> asio::awaitable<void> {
        return run_overflow(self, w);
    });
    spec.restart = restart_type::temporary;
    spec.shutdown = worker_spec(w).shutdown;
    asio::co_spawn(shared().executor, start_overflow_child(*running, std::move(spec)),
                   [self = shared_from_this(), w](const std::exception_ptr& failed) {
                       if (failed)
                           self->forget_overflow(*w);
                   });
}

asio::awaitable<void> pool_core::start_overflow_child(supervisor s, child_spec spec) {
    co_await s.start_child(std::move(spec));
}

asio::awaitable<void> pool_core::run_overflow(std::shared_ptr<pool_core> self,
                                              std::shared_ptr<worker> w) {
    std::exception_ptr failed;
    try {
        co_await self->run_worker(w);
    } catch (...) {
        failed = std::current_exception();
    }
    self->forget_overflow(*w);
    if (failed)
        std::rethrow_exception(failed);
}

void pool_core::forget_overflow(worker& w) {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        if (std::erase_if(workers_, [&](const auto& other) { return other.get() == &w; }) == 0)
            return;
        --overflow_;
        jobs_->read_clock();
        want_overflow(wakes); // it may have gone while its job, or another one, waits
    }
    wakes.run();
}

void pool_core::context_shutdown() noexcept {
    // Our context's, or that of the handlers: strands must not outlive it, nor what is parked
    // there.
    std::vector<std::shared_ptr<lane>> lanes;
    std::vector<resumption> gone;
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        homeless_ = true;
        for (const auto& w : workers_)
            leave_idle(*w); // first: what goes back must find nobody here
        for (const auto& w : workers_) {
            w->idle.clear();
            if (!jobs_->closed)
                give_back_assigned(*w, wakes);
            for (auto& l : std::exchange(w->lanes, {})) {
                l->ending = true;
                if (l->is_parked())
                    gone.push_back(l->take());
                if (l->job != nullptr && !jobs_->closed)
                    abandon(*l, fate::stopped, wakes);
                lanes.push_back(std::move(l));
            }
            w->busy = 0;
        }
        if (jobs_->closed) {
            supervisor_.reset();
            deadline_.reset();
            drain_deadline_.reset();
        }
    }
    gone.clear(); // unwinds frames, which may take the lock
    for (const auto& l : lanes)
        l->strand = asio::any_io_executor();
    wakes.run();
}

} // namespace lifeguard::detail
