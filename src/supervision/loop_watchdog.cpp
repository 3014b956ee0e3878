#include "supervision/watch_roster.hpp"
#include <lifeguard/error.hpp>

#include <condition_variable>

namespace lifeguard {

// ---- the roster

loop_watchdog::roster::roster(loop_watchdog_options options) : options_(std::move(options)) {}

loop_watchdog::roster::turn::turn(std::shared_ptr<roster> of, const loop_stall& who)
    : roster_(std::move(of)), who_(who), since_(roster_->options_.time->now()) {
    const std::lock_guard lock(roster_->mutex_);
    outer_ = std::exchange(roster_->running_[std::this_thread::get_id()], this);
}

loop_watchdog::roster::turn::~turn() {
    const std::lock_guard lock(roster_->mutex_);
    if (outer_ != nullptr)
        roster_->running_[std::this_thread::get_id()] = outer_;
    else
        roster_->running_.erase(std::this_thread::get_id());
}

void loop_watchdog::roster::look() {
    std::vector<loop_stall> stalls;
    const time_point now = options_.time->now();
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [thread, running] : running_) {
            if (running->reported_ || now - running->since_ < options_.stall_after)
                continue;
            running->reported_ = true;
            stalls.push_back(running->who_);
            stalls.back().held = now - running->since_;
        }
    }
    for (const loop_stall& stall : stalls)
        options_.on_stall(stall);
}

// ---- the thread

class loop_watchdog::patrol {
  public:
    explicit patrol(std::shared_ptr<roster> r)
        : roster_(std::move(r)), thread_([this] { walk(); }) {}
    patrol(const patrol&) = delete;
    patrol& operator=(const patrol&) = delete;
    ~patrol() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }

  private:
    void walk() {
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, roster_->stall_after() / 2, [this] { return over_; })) {
            lock.unlock();
            roster_->look();
            lock.lock();
        }
    }

    const std::shared_ptr<roster> roster_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool over_ = false;
    std::thread thread_; // last: it uses the others
};

// ---- the watchdog

loop_watchdog::loop_watchdog(loop_watchdog_options options) {
    if (options.stall_after <= duration::zero())
        throw error(errc::invalid_option, "loop_watchdog: stall_after must be positive");
    if (!options.on_stall)
        throw error(errc::invalid_option, "loop_watchdog: on_stall is empty");
    if (!options.time)
        options.time = real_time_source();
    roster_ = std::make_shared<roster>(std::move(options));
    patrol_ = std::make_unique<patrol>(roster_);
}

loop_watchdog::~loop_watchdog() = default;

void loop_watchdog::look() { roster_->look(); }

} // namespace lifeguard
