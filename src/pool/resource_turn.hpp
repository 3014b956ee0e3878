#pragma once

#include "pool/resource_core.hpp"

#include <mutex>

namespace lifeguard::detail {

/// One change to a pool: holds the lock, carries out what the accounting wants done, and wakes
/// whom that concerns once the lock is free.
class resource_core::turn final : public pool_actions {
  public:
    explicit turn(resource_core& core) : core_(core), lock_(core.runtime_->mutex) {}
    ~turn() {
        if (core_.serving_ && core_.unlaunched_ != 0)
            wakes.defer([self = core_.shared_from_this()] { self->launch(); });
        lock_.unlock();
        wakes.run();
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    void start() override { ++core_.unlaunched_; }

    void end(pooled& p) override {
        exit_reason surplus;
        surplus.what = exit_reason::kind::shutdown;
        surplus.detail = "surplus";
        core_.ask_to_end(static_cast<pooled_resource&>(p), std::move(surplus), wakes);
    }

    void grant(pool_waiter& w, pooled& p) override {
        auto& waiter = static_cast<checkout_waiter&>(w);
        waiter.ended = checkout_waiter::end::served;
        waiter.got = std::static_pointer_cast<pooled_resource>(
            static_cast<pooled_resource&>(p).shared_from_this());
        static_cast<checkout_hook&>(waiter).unlink();
        wakes.add(waiter);
    }

    wake_list wakes;

  private:
    resource_core& core_;
    std::unique_lock<std::mutex> lock_;
};

} // namespace lifeguard::detail
