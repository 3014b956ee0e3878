#pragma once

#include "dynamic/dynamic_core.hpp"

#include <boost/asio/co_spawn.hpp>

namespace lifeguard::detail {

/// One change to a manager: holds the lock, carries out what the registry wants done, and wakes
/// whom that concerns once the lock is free.
class dynamic_core::turn final : public registry_actions {
  public:
    explicit turn(dynamic_core& core) : core_(core), lock_(core.runtime_->mutex) {}
    ~turn() {
        lock_.unlock();
        wakes.run();
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    std::shared_ptr<worker_record> make(const std::string& id, worker_spec spec) override {
        return std::make_shared<dynamic_worker>(id, std::move(spec));
    }

    void start(worker_record& w) override {
        static_cast<dynamic_worker&>(w).crashed = false; // it begins anew
        spawn(w, &dynamic_core::start_child);
    }
    void stop(worker_record& w) override { spawn(w, &dynamic_core::stop_child); }

    void settled(worker_record& w) override {
        auto& worker = static_cast<dynamic_worker&>(w);
        const bool gone = w.now == worker_record::phase::gone;
        if (gone)
            core_.refuse_mail(worker, errc::stopped, wakes);
        for (auto& s : std::exchange(worker.waiters, {}))
            settle(std::move(s), gone ? failure_of_gone : nullptr);
    }

    void settle(std::shared_ptr<completion> s, std::exception_ptr failed) {
        if (s->wants_it_to_run)
            s->failed = std::move(failed);
        wakes.defer([s = std::move(s)] { s->done->arrive(); });
    }

    wake_list wakes;
    std::exception_ptr failure_of_gone; ///< for those who wanted a worker that is gone to run

  private:
    using child_step = asio::awaitable<void> (*)(std::shared_ptr<dynamic_core>,
                                                 std::shared_ptr<dynamic_worker>);

    void spawn(worker_record& w, child_step step) {
        auto worker = std::static_pointer_cast<dynamic_worker>(core_.registry_.found(w.id));
        wakes.defer([self = core_.shared_from_this(), worker = std::move(worker), step] {
            // The steps keep what they throw to themselves.
            asio::co_spawn(self->runtime_->executor, step(self, worker),
                           [](const std::exception_ptr&) {});
        });
    }

    dynamic_core& core_;
    std::unique_lock<std::mutex> lock_;
};

} // namespace lifeguard::detail
