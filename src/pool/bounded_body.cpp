// A transaction's body that is cancelled when it takes too long.

#include "base/executors.hpp"
#include "base/parked_coroutine.hpp"
#include "base/saturate.hpp"
#include "base/stop_request.hpp"
#include "pool/resource_core.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

namespace lifeguard::detail {
namespace {

/// How long a cancelled body may clean up before it is cancelled for good, and then before nobody
/// waits for it any more.
constexpr duration cancel_grace = std::chrono::seconds(1);

/// A body that runs in a coroutine of its own, and the caller that waits for it.
class bounded final : public deadline {
  public:
    bounded(std::shared_ptr<bounded_body> body, asio::any_io_executor strand)
        : body_(std::move(body)),
          core_(body_->lease.core()),
          resource_(body_->lease.share()),
          strand_(std::move(strand)) {}

    static asio::awaitable<void> run(std::shared_ptr<bounded> self, duration timeout);

    void expired(time_point now) override {
        asio::post(strand_, [self = std::static_pointer_cast<bounded>(shared_from_this()), now] {
            self->press(now);
        });
    }

  private:
    /// Ends the wait for the body when its coroutine ends, however that happens.
    struct ending {
        std::shared_ptr<bounded> of;
        ~ending() { of->end(); }
    };

    static asio::awaitable<void> run_body(std::shared_ptr<bounded> self);
    void press(time_point now);
    void end();

    const std::shared_ptr<bounded_body> body_;
    const std::shared_ptr<resource_core> core_;
    const std::shared_ptr<void> resource_; // a body that is given up still uses it
    const asio::any_io_executor strand_;

    // On the strand.
    asio::cancellation_signal signal_;
    enum class step { running, asked, forced } reached_ = step::running;

    std::mutex mutex_; // guards what follows
    parked_coroutine caller_;
    bool over_ = false;
    bool late_ = false;
    std::exception_ptr failed_;
};

asio::awaitable<void> bounded::run(std::shared_ptr<bounded> self, duration timeout) {
    deadline_service& deadlines = *self->core_->shared().deadlines;
    deadlines.arm(*self, later(self->core_->shared().time->now(), timeout));
    asio::co_spawn(
        self->strand_, run_body(self),
        asio::bind_cancellation_slot(self->signal_.slot(), [self](const std::exception_ptr&) {}));

    asio::cancellation_slot slot;
    auto park = [&](resumption r) {
        slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign([self](asio::cancellation_type how) {
                asio::post(self->strand_, [self, how] { self->signal_.emit(how); });
            });
        {
            const std::lock_guard lock(self->mutex_);
            if (!self->over_) {
                self->caller_.park(std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await suspend(park);
    if (slot.is_connected())
        slot.clear();
    deadlines.disarm(*self);
    if (self->late_) {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
        throw error(errc::timeout, "pool '" + self->core_->options().name +
                                       "': the transaction's body took longer than " +
                                       std::to_string(ms) + " ms");
    }
    if (self->failed_)
        std::rethrow_exception(self->failed_);
}

asio::awaitable<void> bounded::run_body(std::shared_ptr<bounded> self) {
    const ending at_end{self};
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    std::exception_ptr failed;
    try {
        co_await self->body_->run();
    } catch (...) {
        failed = std::current_exception();
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != asio::cancellation_type::none;
    self->body_->lease.end(!failed && !cancelled ? body_end::returned
                           : cancelled           ? body_end::gone
                                                 : body_end::threw);
    const std::lock_guard lock(self->mutex_);
    self->failed_ = failed;
}

/// The body has had its time: it is asked to stop, then forced, then left to itself.
void bounded::press(time_point now) {
    {
        const std::lock_guard lock(mutex_);
        if (over_)
            return;
        late_ = true;
    }
    switch (reached_) {
    case step::running:
        reached_ = step::asked;
        core_->shared().deadlines->arm(*this, later(now, cancel_grace));
        signal_.emit(stop_request);
        break;
    case step::asked:
        reached_ = step::forced;
        core_->shared().deadlines->arm(*this, later(now, cancel_grace));
        signal_.emit(asio::cancellation_type::terminal);
        break;
    case step::forced:
        body_->lease.end(body_end::gone);
        end();
        break;
    }
}

void bounded::end() {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
        if (caller_.is_parked())
            wakes.add(caller_);
    }
    wakes.run();
}

} // namespace

asio::awaitable<void> run_bounded(std::shared_ptr<bounded_body> body, duration timeout) {
    auto call =
        std::make_shared<bounded>(std::move(body), strand_of(co_await asio::this_coro::executor));
    co_await bounded::run(std::move(call), timeout);
}

} // namespace lifeguard::detail
