// Jobs are taken, their leases extended, and what became of them is told.

#include "base/saturate.hpp"
#include "queue/waiting_guard.hpp"
#include "queue/waiting_take.hpp"
#include <lifeguard/job_queue.hpp>

namespace lifeguard {

using detail::job_outcome;
using detail::job_record;
using detail::queue_core;
using detail::result_waiter;
using detail::wake_list;

namespace {

constexpr std::size_t take_max = 10'000;

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

// The coroutines own the core: a handle may be a temporary, gone before its operation starts.

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
    detail::waiting_guard guard(*core, waiter);
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

} // namespace

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

} // namespace lifeguard
