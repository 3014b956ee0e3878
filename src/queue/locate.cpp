#include "queue/locate.hpp"

namespace lifeguard::detail {
namespace {

/// The request forgets a waiter whose frame ends.
class locating {
  public:
    locating(queue_core& core, locate_request& r) noexcept : core_(core), request_(r) {}
    ~locating() {
        const std::lock_guard lock(core_.shared().mutex);
        request_.waiter = nullptr;
    }
    locating(const locating&) = delete;
    locating& operator=(const locating&) = delete;

  private:
    queue_core& core_;
    locate_request& request_;
};

} // namespace

asio::awaitable<void> locate(std::shared_ptr<queue_core> core, job_id id) {
    locate_wait waiter;
    const auto request = std::make_shared<locate_request>();
    request->id = id;
    request->waiter = &waiter;
    const locating guard(*core, *request);
    {
        const std::lock_guard lock(core->shared().mutex);
        if (core->closed)
            throw error(errc::stopped, "job " + id.to_string());
        core->store().locate(request);
    }
    co_await core->wait_until(waiter, time_point::max());
    if (waiter.error)
        std::rethrow_exception(waiter.error);
    if (waiter.ended() != timed_wait::end::served)
        throw boost::system::system_error(asio::error::operation_aborted, "job " + id.to_string());
}

} // namespace lifeguard::detail
