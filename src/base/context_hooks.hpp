#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>

#include <memory>
#include <mutex>
#include <vector>

namespace lifeguard::detail {

namespace asio = boost::asio;

/// Something that holds on to parts of an execution context - parked coroutines, strands, timers -
/// and must let go of them when the context is destroyed. Coroutines parked in our own lists are
/// invisible to Asio: without this they would keep their frames, and what these own, for ever.
class context_bound {
  public:
    virtual ~context_bound() = default;

    /// The context is being destroyed and no thread runs it. Called once.
    virtual void context_shutdown() noexcept = 0;
};

/// Tells those who registered that their context goes away. One per execution context. Thread-safe.
class context_hooks final : public asio::execution_context::service {
  public:
    using key_type = context_hooks;
    static asio::execution_context::id id;

    explicit context_hooks(asio::execution_context& context);

    /// The hooks of the context that `executor` runs on.
    static context_hooks& of(const asio::any_io_executor& executor);

    /// When the context is being destroyed already, it is told on the spot.
    void add(std::weak_ptr<context_bound> bound);

  private:
    void shutdown() noexcept override;

    std::mutex mutex_;
    std::vector<std::weak_ptr<context_bound>> bound_;
    bool shut_down_ = false;
    std::size_t prune_at_ = 64; // grows with what is alive, so adding costs O(1) on average
};

} // namespace lifeguard::detail
