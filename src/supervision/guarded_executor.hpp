#pragma once

#include "base/context_hooks.hpp"
#include "base/executors.hpp"

#include <boost/asio/post.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace lifeguard::detail {

/// An executor whose context may end before whoever keeps it: then it is let go of, and nothing is
/// posted to it any more. Thread-safe but for `get`.
class guarded_executor final : public context_bound {
  public:
    static std::shared_ptr<guarded_executor> make(asio::any_io_executor executor) {
        auto guarded = std::make_shared<guarded_executor>(std::move(executor));
        context_hooks::of(guarded->executor_).add(guarded);
        return guarded;
    }

    /// Use `make`.
    explicit guarded_executor(asio::any_io_executor executor) : executor_(std::move(executor)) {}

    /// Empty once its context is gone. Not to be called while the context may be ending.
    const asio::any_io_executor& get() const noexcept { return executor_; }

    /// A strand over it, or itself when it is one; empty once its context is gone.
    asio::any_io_executor strand() const {
        const std::lock_guard lock(mutex_);
        return executor_ ? strand_of(executor_) : asio::any_io_executor();
    }

    template <typename F>
    void post(F f) const {
        // With the lock, so that the context cannot end in between; a post runs nothing.
        const std::lock_guard lock(mutex_);
        if (executor_)
            asio::post(executor_, std::move(f));
    }

    /// Calls `f` in place when the caller runs there, otherwise posts it.
    template <typename F>
    void dispatch(F f) const {
        {
            const std::lock_guard lock(mutex_);
            if (!executor_)
                return;
            if (!running_in(executor_)) {
                asio::post(executor_, std::move(f));
                return;
            }
        }
        f();
    }

    /// Calls `f` when the context ends. Replaces what was set before; an empty function clears it.
    void when_gone(std::function<void()> f) {
        const std::lock_guard lock(mutex_);
        when_gone_.swap(f);
    }

    void context_shutdown() noexcept override {
        asio::any_io_executor gone;
        std::function<void()> tell;
        {
            const std::lock_guard lock(mutex_);
            std::swap(gone, executor_);
            tell.swap(when_gone_);
        }
        if (tell)
            tell();
    }

  private:
    mutable std::mutex mutex_;
    asio::any_io_executor executor_;
    std::function<void()> when_gone_;
};

} // namespace lifeguard::detail
