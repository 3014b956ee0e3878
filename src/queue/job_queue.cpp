#include <lifeguard/job_queue.hpp>

#include "queue/queue_core.hpp"

#include <algorithm>
#include <cmath>

namespace lifeguard {

using detail::job_outcome;
using detail::job_record;
using detail::queue_core;
using detail::result_waiter;
using detail::wake_list;

namespace {

constexpr duration lease_min = std::chrono::seconds(1);
constexpr duration lease_max = std::chrono::hours(24);

duration lease_of(duration asked, const queue_core& core) {
    return asked < lease_min || asked > lease_max ? core.options().lease : asked;
}

/// Unlinks a waiter whose frame ends before it was answered.
class waiting {
  public:
    waiting(queue_core& core, result_waiter& w) noexcept : core_(core), waiter_(w) {}
    ~waiting() {
        const std::lock_guard lock(core_.shared().mutex);
        queue_core::remove_waiter(waiter_);
    }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

  private:
    queue_core& core_;
    result_waiter& waiter_;
};

void lease(queue_core& core, job_record& job, duration length) {
    core.start(job);
    core.index().watch_lease(job, core.clock().now_ns() + std::chrono::nanoseconds(length).count());
}

taken_job describe(const job_record& job) {
    taken_job taken;
    taken.id = job.id;
    taken.token = job.delivery;
    taken.kind = job.kind->name;
    taken.queue = job.queue->name;
    taken.priority = job.priority;
    taken.attempt = job.attempt;
    taken.payload = job.payload;
    taken.lease_until = time_point(std::chrono::nanoseconds(job.due));
    return taken;
}

/// A `take` that waits: takes when it is offered something.
class waiting_take final : public detail::taker, public detail::parked_coroutine {
  public:
    waiting_take(queue_core& core, const take_options& options) : core_(core), options_(options) {
        for (const std::string& name : options.queues)
            queues_.push_back(&core.queue(name));
        for (const std::string& name : options.kinds)
            kinds_.push_back(&core.kind(name));
        filter_.list = kinds_;
        if (!kinds_.empty())
            filter_.which = detail::take_filter::kinds::listed;
    }

    /// Takes what is there now.
    bool take() {
        const duration length = lease_of(options_.lease, core_);
        while (taken.size() < options_.jobs_max) {
            job_record* job = core_.index().take(queues_, options_.strict_order, filter_);
            if (job == nullptr)
                break;
            lease(core_, *job, length);
            taken.push_back(describe(*job));
        }
        return !taken.empty();
    }

    void offer(wake_list& wakes) override {
        if (!taken.empty() || !take())
            return;
        done = true;
        if (is_parked())
            wakes.add(*this);
    }

    void enlist() {
        for (detail::queue_entry* queue : queues_)
            core_.add_taker(*queue, *this);
    }
    void leave() noexcept {
        for (detail::queue_entry* queue : queues_)
            core_.remove_taker(*queue, *this);
    }

    std::vector<taken_job> taken;
    bool done = false;

  private:
    queue_core& core_;
    const take_options& options_;
    std::vector<detail::queue_entry*> queues_;
    std::vector<const detail::kind_entry*> kinds_;
    detail::take_filter filter_;
};

/// Ends a waiting take when its time is up. Outlives the take's frame, so it looks before it acts.
class take_deadline final : public detail::deadline {
  public:
    take_deadline(std::shared_ptr<queue_core> core, waiting_take& t)
        : core_(std::move(core)), take_(&t) {}

    void expired(time_point) override {
        wake_list wakes;
        {
            const std::lock_guard lock(core_->shared().mutex);
            if (take_ != nullptr && !take_->done) {
                take_->done = true;
                if (take_->is_parked())
                    wakes.add(*take_);
            }
        }
        wakes.run();
    }
    /// With the engine's lock held.
    void forget() noexcept { take_ = nullptr; }

  private:
    const std::shared_ptr<queue_core> core_;
    waiting_take* take_;
};

/// Leaves the queues however the frame ends, and gives back what its caller will never see.
class taking {
  public:
    taking(queue_core& core, waiting_take& t, take_deadline& d) noexcept
        : core_(core), take_(t), deadline_(d) {}
    ~taking() {
        wake_list wakes;
        {
            const std::lock_guard lock(core_.shared().mutex);
            take_.leave();
            deadline_.forget();
            if (!delivered) {
                core_.read_clock();
                for (const taken_job& taken : take_.taken)
                    return_unseen(taken, wakes);
            }
        }
        core_.shared().deadlines->disarm(deadline_);
        wakes.run();
    }
    taking(const taking&) = delete;
    taking& operator=(const taking&) = delete;

    bool delivered = false;

  private:
    void return_unseen(const taken_job& taken, wake_list& wakes) {
        job_record* job = core_.index().find(taken.id);
        if (job == nullptr || job->state != job_state::executing || job->delivery != taken.token)
            return;
        job_outcome returned;
        returned.what = job_outcome::kind::returned;
        core_.settle(*job, std::move(returned), wakes);
    }

    queue_core& core_;
    waiting_take& take_;
    take_deadline& deadline_;
};

/// The executing job that `token` is the current one of. Throws otherwise.
job_record& held(queue_core& core, const job_id& id, std::uint32_t token) {
    job_record* job = core.index().find(id);
    if (job == nullptr)
        throw error(errc::not_found, "job " + id.to_string());
    if (job->state == job_state::executing && job->delivery == token && job->holder == nullptr)
        return *job;
    if (is_final(job->state) && job->delivery == token)
        throw error(errc::already_done, "job " + id.to_string());
    throw error(errc::lease_lost, "job " + id.to_string());
}

void settle_held(const std::shared_ptr<queue_core>& core, const job_id& id, std::uint32_t token,
                 job_outcome outcome) {
    wake_list wakes;
    {
        const std::lock_guard lock(core->shared().mutex);
        core->read_clock();
        core->settle(held(*core, id, token), std::move(outcome), wakes);
    }
    wakes.run();
}

job_outcome outcome(job_outcome::kind what, std::string text = {}) {
    job_outcome o;
    o.what = what;
    o.text = std::move(text);
    return o;
}

} // namespace

job_queue::job_queue(asio::any_io_executor executor, store jobs, queue_options options,
                     std::shared_ptr<time_source> time)
    : core_(std::make_shared<queue_core>(
          std::make_shared<detail::runtime>(executor, std::move(time), nullptr, nullptr),
          std::move(options), jobs.release())) {
    core_->open();
}

asio::awaitable<void> job_queue::run() { return core_->run_upkeep(); }

asio::awaitable<job_id> job_queue::push(new_job job) {
    const auto core = core_;
    core->check(job);
    detail::plain_waiter waiter(result_waiter::event::stored);
    const waiting guard(*core, waiter);
    job_id id;
    bool stored = false;
    wake_list wakes;
    {
        const std::lock_guard lock(core->shared().mutex);
        core->read_clock();
        detail::queue_entry& queue = core->queue(job.queue.empty() ? "default" : job.queue);
        auto record = core->admit(std::move(job), queue, core->options().max_attempts);
        id = record->id;
        queue_core::add_waiter(*record, waiter);
        core->push(std::move(record), wakes);
        stored = waiter.got != result_waiter::answer::none;
    }
    wakes.run();
    if (!stored)
        co_await core->wait(waiter);
    co_return id;
}

asio::awaitable<job_id> job_queue::push_json(std::string text) {
    new_job job = parse_job(text, core_->options().limits).value();
    co_return co_await push(std::move(job));
}

asio::awaitable<std::vector<taken_job>> job_queue::take(take_options options) {
    const auto core = core_;
    if (options.queues.empty())
        throw error(errc::invalid_option, "queues: must name one at least");
    if (options.jobs_max == 0)
        throw error(errc::invalid_option, "jobs_max: must be 1 at least");
    std::unique_lock lock(core->shared().mutex);
    const time_point now = core->read_clock().now;
    waiting_take take(*core, options);
    if (take.take() || options.wait <= duration::zero()) {
        lock.unlock();
        co_return std::move(take.taken);
    }
    const auto deadline = std::make_shared<take_deadline>(core, take);
    take.enlist();
    lock.unlock();
    taking guard(*core, take, *deadline);
    core->shared().deadlines->arm(*deadline, now + options.wait);
    auto park = [&](detail::resumption r) {
        auto slot = r.get_cancellation_slot();
        if (slot.is_connected()) {
            slot.assign([&core, &take](asio::cancellation_type) {
                wake_list wakes;
                {
                    const std::lock_guard hold(core->shared().mutex);
                    if (take.is_parked())
                        wakes.add(take);
                }
                wakes.run();
            });
        }
        {
            const std::lock_guard hold(core->shared().mutex);
            if (!take.done && !core->closed) {
                core->parked.park(take, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await detail::suspend(park);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted, "take");
    const std::lock_guard hold(core->shared().mutex);
    guard.delivered = true;
    co_return std::move(take.taken);
}

asio::awaitable<taken_job> job_queue::take_by_id(job_id id) {
    const auto core = core_;
    const std::lock_guard lock(core->shared().mutex);
    core->read_clock();
    job_record* job = core->index().find(id);
    const bool takeable = job != nullptr && job->state != job_state::executing &&
                          job->state != job_state::completed && job->state != job_state::cancelled;
    if (!takeable)
        throw error(errc::not_found, "job " + id.to_string() + " is not there to be taken");
    core->index().take(*job);
    lease(*core, *job, core->options().lease);
    co_return describe(*job);
}

asio::awaitable<void> job_queue::complete(job_id id, std::uint32_t token, json result) {
    job_outcome done;
    done.result = std::move(result);
    settle_held(core_, id, token, std::move(done));
    co_return;
}

asio::awaitable<void> job_queue::fail(job_id id, std::uint32_t token, std::string why) {
    settle_held(core_, id, token, outcome(job_outcome::kind::failed, std::move(why)));
    co_return;
}

asio::awaitable<void> job_queue::retry_at(job_id id, std::uint32_t token, wall_time at,
                                          std::string why) {
    job_outcome later = outcome(job_outcome::kind::retry_at, std::move(why));
    later.at = at;
    settle_held(core_, id, token, std::move(later));
    co_return;
}

asio::awaitable<void> job_queue::snooze(job_id id, std::uint32_t token, duration delay) {
    job_outcome later = outcome(job_outcome::kind::snoozed);
    later.delay = delay;
    settle_held(core_, id, token, std::move(later));
    co_return;
}

asio::awaitable<void> job_queue::discard(job_id id, std::uint32_t token, std::string why) {
    settle_held(core_, id, token, outcome(job_outcome::kind::discarded, std::move(why)));
    co_return;
}

asio::awaitable<void> job_queue::release(job_id id, std::uint32_t token) {
    settle_held(core_, id, token, outcome(job_outcome::kind::returned));
    co_return;
}

asio::awaitable<void> job_queue::extend(job_id id, std::uint32_t token, duration lease) {
    const std::lock_guard lock(core_->shared().mutex);
    core_->read_clock();
    const std::chrono::nanoseconds length(lease_of(lease, *core_));
    core_->index().watch_lease(held(*core_, id, token), core_->clock().now_ns() + length.count());
    co_return;
}

asio::awaitable<void> job_queue::remove(job_id id) {
    const auto core = core_;
    wake_list wakes;
    {
        const std::lock_guard lock(core->shared().mutex);
        core->read_clock();
        job_record* job = core->index().find(id);
        if (job == nullptr)
            throw error(errc::not_found, "job " + id.to_string());
        if (job->state == job_state::executing)
            throw error(errc::executing, "job " + id.to_string());
        const detail::job_index::pinned keep(*job);
        if (!is_final(job->state))
            core->withdraw(*job, "removed", wakes);
        if (!job->removed)
            core->store().remove(*job);
    }
    wakes.run();
    co_return;
}

asio::awaitable<json> job_queue::result(job_id id) {
    const auto core = core_;
    detail::plain_waiter waiter(result_waiter::event::finished);
    const waiting guard(*core, waiter);
    {
        const std::lock_guard lock(core->shared().mutex);
        job_record* job = core->index().find(id);
        if (job == nullptr)
            throw error(errc::not_found, "job " + id.to_string());
        core->add_result_waiter(*job, waiter);
    }
    if (waiter.got == result_waiter::answer::none)
        co_await core->wait(waiter);
    co_return queue_core::result_of(std::move(waiter), id);
}

std::optional<job_info> job_queue::find(job_id id) const {
    const std::lock_guard lock(core_->shared().mutex);
    const job_record* job = core_->index().find(id);
    if (job == nullptr)
        return std::nullopt;
    return core_->describe(*job);
}

queue_counts job_queue::counts(const std::string& queue) const {
    const std::lock_guard lock(core_->shared().mutex);
    return core_->counts_of(queue);
}

std::vector<std::string> job_queue::queues() const {
    std::vector<std::string> names;
    {
        const std::lock_guard lock(core_->shared().mutex);
        core_->for_each_queue([&](const detail::queue_entry& q) { names.push_back(q.name); });
    }
    std::ranges::sort(names);
    return names;
}

} // namespace lifeguard
