#include "base/context_hooks.hpp"

#include <boost/asio/query.hpp>

#include <algorithm>

namespace lifeguard::detail {

asio::execution_context::id context_hooks::id;

context_hooks::context_hooks(asio::execution_context& context) : service(context) {}

context_hooks& context_hooks::of(const asio::any_io_executor& executor) {
    return asio::use_service<context_hooks>(asio::query(executor, asio::execution::context));
}

void context_hooks::add(std::weak_ptr<context_bound> bound) {
    {
        const std::lock_guard lock(mutex_);
        if (!shut_down_) {
            if (bound_.size() >= prune_at_) {
                std::erase_if(bound_, [](const auto& b) { return b.expired(); });
                prune_at_ = std::max<std::size_t>(64, 2 * bound_.size());
            }
            bound_.push_back(std::move(bound));
            return;
        }
    }
    // Handlers that the context destroys after our shutdown may still make things.
    if (const auto alive = bound.lock())
        alive->context_shutdown();
}

void context_hooks::shutdown() noexcept {
    // Unwinding frames may register anew: go on until nobody is left.
    for (;;) {
        std::vector<std::weak_ptr<context_bound>> bound;
        {
            const std::lock_guard lock(mutex_);
            bound.swap(bound_);
            shut_down_ = bound.empty();
        }
        if (bound.empty())
            return;
        for (const auto& weak : bound)
            if (const auto alive = weak.lock())
                alive->context_shutdown();
    }
}

} // namespace lifeguard::detail
