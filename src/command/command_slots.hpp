#pragma once

#include "base/context_hooks.hpp"
#include "base/parked_coroutine.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace lifeguard::detail {

/// How many commands of a kind may run at once. Coroutines of any thread come; who waits is served
/// in the order of coming.
class command_slots final : public context_bound,
                            public std::enable_shared_from_this<command_slots> {
  public:
    /// `slots_max` zero: any number.
    explicit command_slots(unsigned slots_max) : slots_max_(slots_max) {}

    /// One of them, given back at the end.
    class slot {
      public:
        explicit slot(std::shared_ptr<command_slots> of) noexcept : of_(std::move(of)) {}
        slot(slot&& other) noexcept = default;
        slot& operator=(slot&&) = delete;
        slot(const slot&) = delete;
        slot& operator=(const slot&) = delete;
        ~slot() {
            if (of_)
                of_->give_back();
        }

      private:
        std::shared_ptr<command_slots> of_;
    };

    /// Waits for one. Cancellation: `operation_aborted`, whatever the kind of cancellation.
    static asio::awaitable<slot> take(std::shared_ptr<command_slots> self);

    void context_shutdown() noexcept override;

  private:
    struct waiter : parked_coroutine {
        bool served = false;
        bool gone = false;
    };

    void give_back();
    void watch(const asio::any_io_executor& executor);

    const unsigned slots_max_;
    std::mutex mutex_; // guards what follows
    unsigned taken_ = 0;
    boost::intrusive::list<parked_coroutine, boost::intrusive::constant_time_size<false>> waiting_;
    std::vector<const asio::execution_context*> watched_;
};

} // namespace lifeguard::detail
