#include <lifeguard/time_source.hpp>

#include <boost/asio/steady_timer.hpp>

#include <optional>

namespace lifeguard {
namespace {

/// Its timer is made when it is first needed: from then on every turn of the context's scheduler
/// also asks the kernel.
class steady_alarm final : public alarm {
  public:
    steady_alarm(asio::any_io_executor executor, std::function<void()> wake)
        : executor_(std::move(executor)),
          wake_(std::make_shared<std::function<void()>>(std::move(wake))) {}

    void set(time_point at) override {
        if (!timer_)
            timer_.emplace(executor_);
        timer_->expires_at(at);
        // The handler owns what it calls: a wake-up that was already queued may outlive the alarm.
        timer_->async_wait([wake = wake_](const error_code_type& ec) {
            if (!ec)
                (*wake)();
        });
    }

    void clear() override {
        if (timer_)
            timer_->cancel();
    }

  private:
    using error_code_type = boost::system::error_code;

    asio::any_io_executor executor_;
    std::optional<asio::steady_timer> timer_;
    std::shared_ptr<std::function<void()>> wake_;
};

class machine_time final : public time_source {
  public:
    time_point now() const noexcept override { return std::chrono::steady_clock::now(); }
    wall_time wall_now() const noexcept override { return std::chrono::system_clock::now(); }

    std::unique_ptr<alarm> make_alarm(asio::any_io_executor executor,
                                      std::function<void()> wake) override {
        return std::make_unique<steady_alarm>(std::move(executor), std::move(wake));
    }
};

} // namespace

std::shared_ptr<time_source> real_time_source() {
    static const std::shared_ptr<time_source> instance = std::make_shared<machine_time>();
    return instance;
}

} // namespace lifeguard
