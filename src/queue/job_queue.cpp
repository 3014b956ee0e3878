#include <lifeguard/job_queue.hpp>

#include "base/saturate.hpp"
#include "queue/locate.hpp"
#include "queue/queue_core.hpp"
#include "queue/waiting_take.hpp"

#include <algorithm>

namespace lifeguard {

using detail::job_outcome;
using detail::job_record;
using detail::queue_core;
using detail::result_waiter;
using detail::wake_list;

namespace {

constexpr std::size_t take_max = 10'000;

/// Unlinks a waiter whose frame ends before it was answered.
class waiting {
  public:
    waiting(queue_core& core, result_waiter& w) noexcept : core_(core), waiter_(w) {}
    ~waiting() {
        if (answered)
            return;
        const std::lock_guard lock(core_.shared().mutex);
        queue_core::remove_waiter(waiter_);
    }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

    bool answered = false; ///< nothing is linked, which spares the lock

  private:
    queue_core& core_;
    result_waiter& waiter_;
};

/// A place in a full queue that a push waits for. One that is not used goes to who waits next.
class awaited_place {
  public:
    explicit awaited_place(queue_core& core) noexcept : core_(core) {}
    ~awaited_place() {
        if (queue_ == nullptr)
            return;
        wake_list wakes;
        {
            const std::lock_guard lock(core_.shared().mutex);
            auto& link = static_cast<detail::space_hook&>(wait_);
            if (link.is_linked())
                link.unlink();
            if (wait_.granted())
                --queue_->reserved;
            core_.grant_space(*queue_, wakes);
        }
        wakes.run();
    }
    awaited_place(const awaited_place&) = delete;
    awaited_place& operator=(const awaited_place&) = delete;

    /// With the lock held.
    void enlist(detail::queue_entry& queue) {
        queue_ = &queue;
        queue.space_waiters.push_back(wait_);
    }
    detail::space_wait& wait() noexcept { return wait_; }
    bool granted() const noexcept { return wait_.granted(); }

  private:
    queue_core& core_;
    detail::queue_entry* queue_ = nullptr;
    detail::space_wait wait_;
};

/// Leaves the queues however the frame ends, and gives back what its caller will never see.
class taking {
  public:
    taking(queue_core& core, detail::waiting_take& t) noexcept : core_(core), take_(t) {}
    ~taking() {
        wake_list wakes;
        {
            const std::lock_guard lock(core_.shared().mutex);
            take_.leave();
            take_.return_taken(wakes);
        }
        wakes.run();
    }
    taking(const taking&) = delete;
    taking& operator=(const taking&) = delete;

  private:
    queue_core& core_;
    detail::waiting_take& take_;
};

job_outcome outcome(job_outcome::kind what, std::string text = {}) {
    job_outcome o;
    o.what = what;
    o.text = std::move(text);
    return o;
}

/// Whether a push failed because there is a job of that id.
bool is_duplicate(const result_waiter& w) {
    if (w.got != result_waiter::answer::failed)
        return false;
    try {
        std::rethrow_exception(w.error);
    } catch (const error& e) {
        return e.code() == errc::duplicate_id;
    } catch (...) {
        return false;
    }
}

// The coroutines own the core: a handle may be a temporary, gone before its operation starts.

/// Answers a job_id or a submission: one frame more for either would be felt.
template <typename Answer>
asio::awaitable<Answer> push_job(std::shared_ptr<queue_core> core, new_job job,
                                 push_options options) {
    core->check(job);
    const auto by = core->identify(job, options.idempotent);
    detail::plain_waiter waiter(result_waiter::event::stored);
    waiting guard(*core, waiter);
    awaited_place place(*core);
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    time_point now = core->read_clock().now;
    detail::queue_entry& queue = core->queue(job.queue.empty() ? "default" : job.queue);
    job_record* twin = core->find_twin(job, by);
    if (options.wait > duration::zero() && twin == nullptr && core->is_full(queue)) {
        place.enlist(queue);
        lock.unlock();
        co_await core->wait_until(place.wait(), detail::later(now, options.wait));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted, "push");
        lock.lock();
        core->read_clock();
        twin = core->find_twin(job, by);
    }
    job_id id;
    if (twin != nullptr) {
        id = twin->id;
        if (twin->stored)
            waiter.got = result_waiter::answer::stored;
        else
            queue_core::add_waiter(*twin, waiter);
    } else {
        auto record =
            core->admit(std::move(job), queue, core->options().max_attempts, place.granted(), by);
        id = record->id;
        queue_core::add_waiter(*record, waiter);
        core->push(std::move(record), wakes);
    }
    guard.answered = waiter.got != result_waiter::answer::none;
    lock.unlock();
    wakes.run();
    if (!guard.answered)
        co_await core->wait(waiter);
    // Another engine may have stored it.
    const bool elsewhere = options.idempotent && is_duplicate(waiter);
    if (!elsewhere)
        queue_core::throw_unless_stored(waiter, id);
    if constexpr (std::is_same_v<Answer, submission>)
        co_return submission{id, twin != nullptr || elsewhere};
    else
        co_return id;
}

asio::awaitable<job_id> push_text(std::shared_ptr<queue_core> core, std::string text,
                                  push_options options) {
    new_job job = parse_job(text, core->options().limits).value();
    co_return co_await push_job<job_id>(core, std::move(job), options);
}

asio::awaitable<std::vector<taken_job>> take_jobs(std::shared_ptr<queue_core> core,
                                                  take_options options) {
    if (options.queues.empty())
        throw error(errc::invalid_option, "queues: must name one at least");
    if (options.jobs_max == 0 || options.jobs_max > take_max)
        throw error(errc::invalid_option, "jobs_max: must be 1 to 10,000");
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    const time_point now = core->read_clock().now;
    detail::waiting_take take(*core, options);
    const bool waits = options.wait > duration::zero();
    // What others share has to be asked for.
    if (take.take(wakes) || !(waits || core->store().is_shared())) {
        lock.unlock();
        wakes.run();
        co_return std::move(take.taken);
    }
    take.enlist();
    lock.unlock();
    const taking guard(*core, take);
    co_await core->wait_until(take, waits ? detail::later(now, options.wait) : time_point::max());
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted, "take");
    lock.lock();
    std::vector<taken_job> taken = std::move(take.taken);
    take.taken.clear(); // delivered: not to be given back
    lock.unlock();
    co_return taken;
}

asio::awaitable<taken_job> take_job(std::shared_ptr<queue_core> core, job_id id) {
    core->refuse_when_shared("taking by id");
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    core->read_clock();
    job_record* job = core->index().find(id);
    const bool takeable = job != nullptr && !job->settling && job->state != job_state::executing &&
                          job->state != job_state::completed && job->state != job_state::cancelled;
    if (!takeable)
        throw error(errc::not_found, "job " + id.to_string() + " is not there to be taken");
    core->index().take(*job);
    core->lease(*job, duration::zero(), wakes);
    taken_job taken = detail::describe_taken(*job);
    lock.unlock();
    wakes.run();
    co_return taken;
}

asio::awaitable<void> settle(std::shared_ptr<queue_core> core, job_id id, std::uint32_t token,
                             job_outcome how) {
    detail::plain_waiter waiter(result_waiter::event::changed);
    waiting guard(*core, waiter);
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    core->read_clock();
    job_record* const known = core->index().find(id);
    // The same was asked before, and is on its way: what becomes of it is the answer to both.
    const bool again = known != nullptr && known->settling && !known->away && known->acknowledged &&
                       known->delivery == token && known->holder == nullptr;
    job_record& job = again ? *known : core->held(id, token);
    queue_core::add_waiter(job, waiter);
    if (!again) {
        job.acknowledged = true;
        core->settle(job, std::move(how), wakes, true);
    }
    guard.answered = waiter.got != result_waiter::answer::none;
    lock.unlock();
    wakes.run();
    if (!guard.answered)
        co_await core->wait(waiter);
    queue_core::throw_unless_stored(waiter, id);
    if (again)
        throw error(errc::already_done, "job " + id.to_string());
}

/// The job whose lease is to last longer.
job_record& held_and_wanted(queue_core& core, const job_id& id, std::uint32_t token) {
    job_record& job = core.held(id, token);
    if (job.cancel_asked)
        throw error(errc::job_cancelled, "job " + id.to_string());
    return job;
}

asio::awaitable<time_point> extend_lease(std::shared_ptr<queue_core> core, job_id id,
                                         std::uint32_t token, duration lease) {
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    core->read_clock();
    job_record& job = held_and_wanted(*core, id, token);
    core->watch_lease(job, core->lease_length(job, lease), wakes);
    const time_point until{std::chrono::nanoseconds(job.due)};
    lock.unlock();
    wakes.run();
    co_return until;
}

asio::awaitable<std::vector<error_code>>
extend_leases(std::shared_ptr<queue_core> core, std::vector<lease_token> leases, duration lease) {
    std::vector<error_code> answers(leases.size());
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    core->read_clock();
    for (std::size_t i = 0; i < leases.size(); ++i) {
        try {
            job_record& job = held_and_wanted(*core, leases[i].id, leases[i].token);
            core->watch_lease(job, core->lease_length(job, lease), wakes);
        } catch (const error& e) {
            answers[i] = e.code();
        }
    }
    lock.unlock();
    wakes.run();
    co_return answers;
}

asio::awaitable<void> remove_job(std::shared_ptr<queue_core> core, job_id id) {
    core->refuse_when_shared("removing jobs");
    detail::plain_waiter waiter(result_waiter::event::changed);
    waiting guard(*core, waiter);
    wake_list wakes;
    std::unique_lock lock(core->shared().mutex);
    core->read_clock();
    job_record* job = core->index().find(id);
    if (job == nullptr || (job->settling && job->state != job_state::executing))
        throw error(errc::not_found, "job " + id.to_string()); // or about to be gone
    if (job->state == job_state::executing)
        throw error(errc::executing, "job " + id.to_string());
    queue_core::add_waiter(*job, waiter);
    core->remove(*job, wakes);
    guard.answered = waiter.got != result_waiter::answer::none;
    lock.unlock();
    wakes.run();
    if (!guard.answered)
        co_await core->wait(waiter);
    queue_core::throw_unless_stored(waiter, id);
}

asio::awaitable<json> await_result(std::shared_ptr<queue_core> core, job_id id) {
    detail::plain_waiter waiter(result_waiter::event::finished);
    waiting guard(*core, waiter);
    std::unique_lock lock(core->shared().mutex);
    job_record* job = core->index().find(id);
    if (job == nullptr && core->store().is_shared()) {
        lock.unlock();
        co_await detail::locate(core, id);
        lock.lock();
        job = core->index().find(id);
    }
    if (job == nullptr)
        throw error(errc::not_found, "job " + id.to_string());
    core->add_result_waiter(*job, waiter);
    guard.answered = waiter.got != result_waiter::answer::none;
    lock.unlock();
    if (!guard.answered)
        co_await core->wait(waiter);
    co_return queue_core::result_of(std::move(waiter), id);
}

} // namespace

job_queue::job_queue(asio::any_io_executor executor, store jobs, queue_options options,
                     std::shared_ptr<time_source> time)
    : core_(std::make_shared<queue_core>(
          std::make_shared<detail::runtime>(executor, std::move(time), nullptr, nullptr), options,
          jobs.release())) {
    core_->open();
}

asio::awaitable<void> job_queue::run() { return core_->run_upkeep(); }

asio::awaitable<job_id> job_queue::push(new_job job, push_options options) {
    return push_job<job_id>(core_, std::move(job), options);
}

asio::awaitable<submission> job_queue::submit(new_job job, push_options options) {
    return push_job<submission>(core_, std::move(job), options);
}

asio::awaitable<job_id> job_queue::push_json(std::string text, push_options options) {
    return push_text(core_, std::move(text), options);
}

asio::awaitable<std::vector<taken_job>> job_queue::take(take_options options) {
    return take_jobs(core_, std::move(options));
}

asio::awaitable<taken_job> job_queue::take_by_id(job_id id) { return take_job(core_, id); }

asio::awaitable<void> job_queue::complete(job_id id, std::uint32_t token, json result) {
    job_outcome how = outcome(job_outcome::kind::completed);
    how.result = std::move(result);
    return settle(core_, id, token, std::move(how));
}

asio::awaitable<void> job_queue::fail(job_id id, std::uint32_t token, std::string why) {
    return settle(core_, id, token, outcome(job_outcome::kind::failed, std::move(why)));
}

asio::awaitable<void> job_queue::retry_at(job_id id, std::uint32_t token, wall_time at,
                                          std::string why) {
    job_outcome how = outcome(job_outcome::kind::retry_at, std::move(why));
    how.at = at;
    return settle(core_, id, token, std::move(how));
}

asio::awaitable<void> job_queue::snooze(job_id id, std::uint32_t token, duration delay) {
    job_outcome how = outcome(job_outcome::kind::snoozed);
    how.delay = delay;
    return settle(core_, id, token, std::move(how));
}

asio::awaitable<void> job_queue::discard(job_id id, std::uint32_t token, std::string why) {
    return settle(core_, id, token, outcome(job_outcome::kind::discarded, std::move(why)));
}

asio::awaitable<void> job_queue::release(job_id id, std::uint32_t token) {
    return settle(core_, id, token, outcome(job_outcome::kind::returned));
}

asio::awaitable<time_point> job_queue::extend(job_id id, std::uint32_t token, duration lease) {
    return extend_lease(core_, id, token, lease);
}

asio::awaitable<std::vector<error_code>> job_queue::extend(std::vector<lease_token> leases,
                                                           duration lease) {
    return extend_leases(core_, std::move(leases), lease);
}

asio::awaitable<void> job_queue::remove(job_id id) { return remove_job(core_, id); }

asio::awaitable<json> job_queue::result(job_id id) { return await_result(core_, id); }

asio::awaitable<void> job_queue::pause(std::string queue, duration length) {
    return queue_core::set_pause(core_, std::move(queue), true, length);
}

asio::awaitable<void> job_queue::resume(std::string queue) {
    return queue_core::set_pause(core_, std::move(queue), false, duration::zero());
}

void job_queue::set_draining(bool on) { core_->set_draining(on); }

queue_status job_queue::status(const std::string& queue) const {
    const std::lock_guard lock(core_->shared().mutex);
    return core_->status_of(queue);
}

std::optional<job_info> job_queue::find(job_id id) const {
    const std::lock_guard lock(core_->shared().mutex);
    const job_record* job = core_->index().find(id);
    if (job == nullptr)
        return std::nullopt;
    return core_->describe(*job);
}

asio::awaitable<job_page> job_queue::list(list_options options) {
    return queue_core::list(core_, std::move(options));
}

std::optional<job_explanation> job_queue::explain(job_id id) const {
    const std::lock_guard lock(core_->shared().mutex);
    core_->read_clock();
    const job_record* job = core_->index().find(id);
    if (job == nullptr)
        return std::nullopt;
    return core_->explain(*job);
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
