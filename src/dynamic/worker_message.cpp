#include "dynamic/worker_message.hpp"

#include "base/saturate.hpp"
#include <lifeguard/error.hpp>

namespace lifeguard::detail {

/// Lets go of the call when the caller's frame ends, however that happens.
class pending_call::caller {
  public:
    explicit caller(pending_call& call) noexcept : call_(call) {}
    caller(const caller&) = delete;
    caller& operator=(const caller&) = delete;
    ~caller() { call_.settle(json(), nullptr); }

  private:
    pending_call& call_;
};

asio::awaitable<json> pending_call::wait(std::shared_ptr<pending_call> self,
                                         std::shared_ptr<deadline_service> deadlines,
                                         duration timeout, std::string whom) {
    const caller here(*self);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
    {
        const std::lock_guard lock(self->mutex_);
        self->timed_out_ = std::move(whom) + ": no reply within " + std::to_string(ms) + " ms";
    }
    deadlines->arm(*self, later(deadlines->time().now(), timeout));
    std::exception_ptr cancelled;
    try {
        co_await reply::wait(self->done_);
    } catch (...) {
        cancelled = std::current_exception();
    }
    deadlines->disarm(*self);
    if (cancelled)
        std::rethrow_exception(cancelled);
    const std::lock_guard lock(self->mutex_);
    if (self->failed_)
        std::rethrow_exception(self->failed_);
    co_return std::move(self->reply_);
}

void pending_call::answer(json reply) { settle(std::move(reply), nullptr); }

void pending_call::fail(std::exception_ptr why) { settle(json(), std::move(why)); }

bool pending_call::is_settled() const {
    const std::lock_guard lock(mutex_);
    return settled_;
}

void pending_call::expired(time_point) {
    std::string text;
    {
        const std::lock_guard lock(mutex_);
        text = timed_out_;
    }
    fail(std::make_exception_ptr(error(errc::timeout, std::move(text))));
}

bool pending_call::settle(json reply, std::exception_ptr why) {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(settled_, true))
            return false;
        reply_ = std::move(reply);
        failed_ = std::move(why);
    }
    done_->arrive();
    return true;
}

worker_message::~worker_message() {
    if (call)
        call->fail(std::make_exception_ptr(
            error(errc::stopped, "the worker was stopped before it answered")));
}

} // namespace lifeguard::detail
