#include "queue/change_waiters.hpp"

#include <algorithm>

namespace lifeguard::detail {

change_waiters::~change_waiters() {
    if (answered_ || waiters_.empty())
        return;
    const std::lock_guard lock(core_.shared().mutex);
    for (plain_waiter& w : waiters_)
        queue_core::remove_waiter(w);
}

void change_waiters::add(job_record& job, result_waiter::event what) {
    queue_core::add_waiter(job, waiters_.emplace_back(what));
}

asio::awaitable<void> change_waiters::wait() {
    const auto is_open = [this](const plain_waiter& w) {
        const std::lock_guard lock(core_.shared().mutex);
        return w.got == result_waiter::answer::none;
    };
    for (plain_waiter& w : waiters_) {
        if (is_open(w))
            co_await core_.wait(w);
        if (w.got != result_waiter::answer::stored && w.got != result_waiter::answer::failed)
            throw boost::system::system_error(asio::error::operation_aborted, "change of a job");
    }
    answered_ = true;
}

std::size_t change_waiters::stored() const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count(waiters_, result_waiter::answer::stored, &result_waiter::got));
}

std::exception_ptr change_waiters::failure() const noexcept {
    const auto failed =
        std::ranges::find(waiters_, result_waiter::answer::failed, &result_waiter::got);
    return failed == waiters_.end() ? nullptr : failed->error;
}

} // namespace lifeguard::detail
