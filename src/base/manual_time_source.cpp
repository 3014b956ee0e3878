#include <lifeguard/manual_time_source.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>

namespace lifeguard {

class manual_time_source::manual_alarm final : public alarm {
  public:
    manual_alarm(manual_time_source& source, asio::any_io_executor executor,
                 std::function<void()> wake)
        : source_(source),
          executor_(std::move(executor)),
          wake_(std::make_shared<std::function<void()>>(std::move(wake))) {}

    ~manual_alarm() override { clear(); }

    void set(time_point at) override {
        const std::lock_guard lock(source_.mutex_);
        source_.alarms_.erase(this);
        at_ = at;
        order_ = ++source_.sets_;
        if (at > source_.now_)
            source_.alarms_.insert(this);
        else
            fire();
    }

    void clear() override {
        const std::lock_guard lock(source_.mutex_);
        source_.alarms_.erase(this);
    }

    time_point at() const noexcept { return at_; }
    std::uint64_t order() const noexcept { return order_; }

    void fire() {
        asio::post(executor_, [wake = wake_] { (*wake)(); });
    }

  private:
    manual_time_source& source_;
    asio::any_io_executor executor_;
    std::shared_ptr<std::function<void()>> wake_;
    time_point at_;
    std::uint64_t order_ = 0;
};

bool manual_time_source::earlier::operator()(const manual_alarm* a,
                                             const manual_alarm* b) const noexcept {
    if (a->at() != b->at())
        return a->at() < b->at();
    return a->order() < b->order();
}

// An ordinary date, so that wall times in tests look like wall times.
manual_time_source::manual_time_source()
    : now_(std::chrono::hours(1)), wall_offset_(std::chrono::hours(24 * 365 * 50)) {}

manual_time_source::~manual_time_source() = default;

time_point manual_time_source::now() const noexcept {
    const std::lock_guard lock(mutex_);
    return now_;
}

wall_time manual_time_source::wall_now() const noexcept {
    const std::lock_guard lock(mutex_);
    const duration since_epoch = now_.time_since_epoch() + wall_offset_;
    return wall_time(std::chrono::duration_cast<wall_time::duration>(since_epoch));
}

std::unique_ptr<alarm> manual_time_source::make_alarm(asio::any_io_executor executor,
                                                      std::function<void()> wake) {
    return std::make_unique<manual_alarm>(*this, std::move(executor), std::move(wake));
}

void manual_time_source::advance_to(time_point at) {
    const std::lock_guard lock(mutex_);
    now_ = std::max(now_, at);
    while (!alarms_.empty() && (*alarms_.begin())->at() <= now_) {
        manual_alarm* due = *alarms_.begin();
        alarms_.erase(alarms_.begin());
        due->fire();
    }
}

std::optional<time_point> manual_time_source::next_alarm() const {
    const std::lock_guard lock(mutex_);
    if (alarms_.empty())
        return std::nullopt;
    return (*alarms_.begin())->at();
}

std::size_t manual_time_source::alarms() const {
    const std::lock_guard lock(mutex_);
    return alarms_.size();
}

void manual_time_source::set_wall(wall_time at) {
    const std::lock_guard lock(mutex_);
    const auto since_epoch = std::chrono::duration_cast<duration>(at.time_since_epoch());
    wall_offset_ = since_epoch - now_.time_since_epoch();
}

} // namespace lifeguard
