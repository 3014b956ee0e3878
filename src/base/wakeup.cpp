#include "base/wakeup.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace lifeguard::detail {

wakeup::wakeup(const asio::any_io_executor& strand)
    : strand_(strand), never_(strand, time_point::max()) {}

void wakeup::wake() {
    if (on_its_way_.exchange(true))
        return;
    asio::post(strand_, [self = std::static_pointer_cast<wakeup>(shared_from_this())] {
        self->on_its_way_ = false;
        self->woken_ = true;
        self->never_.cancel();
    });
}

asio::awaitable<void> wakeup::wait(std::shared_ptr<wakeup> self,
                                   std::shared_ptr<deadline_service> deadlines, time_point until) {
    if (!self->woken_) {
        deadlines->arm(*self, until);
        boost::system::error_code ended;
        auto token = asio::redirect_error(asio::use_awaitable, ended);
        co_await self->never_.async_wait(token);
        deadlines->disarm(*self);
    }
    self->woken_ = false;
}

} // namespace lifeguard::detail
