#include "queue/queue_core.hpp"

#include <algorithm>

namespace lifeguard::detail {

/// Wakes the upkeep coroutine when something is due.
class upkeep_deadline final : public deadline {
  public:
    explicit upkeep_deadline(std::weak_ptr<queue_core> core) noexcept : core_(std::move(core)) {}

    void expired(time_point) override {
        if (const auto core = core_.lock())
            wake(*core, [this] { armed_at = time_point::max(); });
    }

    /// The upkeep is asked to end.
    void stop() {
        if (const auto core = core_.lock())
            wake(*core, [this] { stopped = true; });
    }

    // Guarded by the engine's lock.
    parked_coroutine parked;
    time_point armed_at = time_point::max();
    bool stopped = false;

  private:
    template <typename F>
    void wake(queue_core& core, F note) {
        wake_list wakes;
        {
            const std::lock_guard lock(core.shared().mutex);
            note();
            if (parked.is_parked())
                wakes.add(parked);
        }
        wakes.run();
    }

    const std::weak_ptr<queue_core> core_;
};

/// While it lives, the queue has an upkeep.
class queue_core::upkeep_turn {
  public:
    explicit upkeep_turn(queue_core& core) noexcept : core_(core) {}
    ~upkeep_turn() {
        std::shared_ptr<upkeep_deadline> mine;
        {
            const std::lock_guard lock(core_.shared().mutex);
            mine.swap(core_.upkeep_);
        }
        if (mine)
            core_.shared().deadlines->disarm(*mine);
    }
    upkeep_turn(const upkeep_turn&) = delete;
    upkeep_turn& operator=(const upkeep_turn&) = delete;

  private:
    queue_core& core_;
};

namespace {

/// The wall clock may be set while we sleep, so a job that waits for a wall time is looked at so
/// often.
constexpr duration longest_sleep = std::chrono::minutes(1);

/// How many jobs are moved on in one go, so that nobody waits long for the lock when a million are
/// due at once.
constexpr std::size_t batch_max = 500;

/// Finished jobs grow old one by one, and are forgotten together.
constexpr duration between_prunes = std::chrono::milliseconds(100);

} // namespace

void queue_core::tick(wake_list& wakes) {
    if (store_->next_retry() <= at_.now)
        store_->retry();
    end_pauses(wakes);
    for (std::size_t n = 0; n < batch_max; ++n) {
        job_record* job = index().make_due(at_.wall_ns());
        if (job == nullptr)
            break;
        became_available(*job, wakes);
    }
    for (std::size_t n = 0; n < batch_max; ++n) {
        job_record* job = index().expired(at_.now_ns());
        if (job == nullptr)
            break;
        ++counts.lease_timeouts;
        job_outcome lost;
        lost.what = job_outcome::kind::crashed;
        lost.text = "lease expired";
        settle(*job, std::move(lost), wakes);
    }
    prune();
}

void queue_core::prune() {
    const auto due = index().next_prune();
    if (!due || *due > at_.wall_ns() || at_.now < prune_after_)
        return;
    const std::size_t forgotten = index().prune(at_.wall_ns(), batch_max);
    index().take_prune_news(); // this is what it was about
    if (forgotten < batch_max)
        prune_after_ = at_.now + between_prunes;
    store_->pruned();
}

time_point queue_core::next_tick() const {
    time_point next = store_->next_retry();
    for (const auto due : {store_->index().next_due(), next_pause_end()}) {
        if (!due)
            continue;
        const auto sleep = std::chrono::nanoseconds(*due - at_.wall_ns());
        next =
            std::min(next, at_.now + std::clamp<duration>(sleep, duration::zero(), longest_sleep));
    }
    if (const auto prune = store_->index().next_prune()) {
        const auto sleep = std::chrono::nanoseconds(*prune - at_.wall_ns());
        const auto due = at_.now + std::clamp<duration>(sleep, duration::zero(), longest_sleep);
        next = std::min(next, std::max(due, prune_after_));
    }
    if (const auto expiry = store_->index().next_expiry())
        next = std::min(next, time_point(std::chrono::nanoseconds(*expiry)));
    return next;
}

void queue_core::hurry_upkeep(wake_list& wakes) {
    if (!upkeep_)
        return;
    const time_point next = next_tick();
    if (next >= upkeep_->armed_at)
        return;
    upkeep_->armed_at = next;
    // Not `arm`: another thread's call for a moment before ours may come first.
    wakes.defer([self = shared_from_this(), deadline = upkeep_, next] {
        self->shared().deadlines->arm_earlier(*deadline, next);
    });
}

asio::awaitable<void> queue_core::run_upkeep() { return upkeep(shared_from_this()); }

asio::awaitable<void> queue_core::upkeep(std::shared_ptr<queue_core> self) {
    std::mutex& mutex = self->runtime_->mutex;
    const auto deadline = std::make_shared<upkeep_deadline>(self);
    co_await asio::this_coro::throw_if_cancelled(false);
    {
        const std::lock_guard lock(mutex);
        if (self->upkeep_)
            throw error(errc::already_started, "the queue's upkeep");
        self->upkeep_ = deadline;
    }
    const upkeep_turn turn(*self);
    auto park = [&](resumption r) {
        auto slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign([deadline](asio::cancellation_type) { deadline->stop(); });
        wake_list wakes;
        bool parks = false;
        {
            const std::lock_guard lock(mutex);
            self->read_clock();
            parks = !self->closed && !deadline->stopped && self->next_tick() > self->at_.now;
            if (parks) {
                self->parked.park(deadline->parked, std::move(r));
                self->hurry_upkeep(wakes);
            }
        }
        wakes.run();
        if (!parks)
            asio::post(std::move(r)); // NOLINT(bugprone-use-after-move): it has not been parked
    };
    for (;;) {
        wake_list wakes;
        {
            const std::lock_guard lock(mutex);
            if (deadline->stopped || self->closed)
                break;
            self->read_clock();
            self->tick(wakes);
        }
        wakes.run();
        co_await suspend(park);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            break;
    }
}

} // namespace lifeguard::detail
