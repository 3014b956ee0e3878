#include "worker/pool_core.hpp"

#include <lifeguard/log.hpp>

namespace lifeguard::detail {

/// Wakes the pool when an execute has waited long enough, or a breaker may let a probe through.
class pool_deadline final : public deadline {
  public:
    explicit pool_deadline(std::weak_ptr<pool_core> pool) noexcept : pool_(std::move(pool)) {}

    void expired(time_point now) override {
        if (const auto pool = pool_.lock())
            pool->on_deadline(now);
    }

  private:
    const std::weak_ptr<pool_core> pool_;
};

pool_core::pool_core(std::shared_ptr<queue_core> queue, worker_pool_options options,
                     std::shared_ptr<log_sink> log)
    : jobs_(std::move(queue)), options_(std::move(options)), log_(std::move(log)) {
    filter_.which = take_filter::kinds::handled;
    filter_.priority = options_.priority.value_or(-1);
}

pool_core::~pool_core() {
    const std::lock_guard lock(mutex());
    for (queue_entry* queue : queues_)
        jobs_->remove_taker(*queue, *this);
}

void pool_core::open() {
    deadline_ = std::make_shared<pool_deadline>(weak_from_this());
    for (unsigned n = 1; n <= options_.size; ++n)
        workers_.push_back(std::make_shared<worker>(options_.name + "/" + std::to_string(n), false,
                                                    options_.breaker));
    context_hooks::of(shared().executor).add(weak_from_this());
    metrics_.emplace(weak_from_this(), shared(), options_.name);
    const std::lock_guard lock(mutex());
    for (const std::string& name : options_.queues)
        queues_.push_back(&jobs_->queue(name));
    if (queues_.empty())
        queues_.push_back(&jobs_->queue("default"));
    for (queue_entry* queue : queues_)
        jobs_->add_taker(*queue, *this);
}

std::shared_ptr<worker> pool_core::find(const std::string& id) const {
    for (const auto& w : workers_)
        if (w->id == id)
            return w;
    return nullptr;
}

// --- taking
// ---------------------------------------------------------------------------------------------

/// How many jobs a worker should take at once: its share of what is ready, so that none sits on
/// jobs while others idle.
std::size_t pool_core::share(worker& w) {
    std::size_t ready = 0;
    for (const queue_entry* queue : queues_)
        ready += queue->ready;
    const std::size_t idle = idle_count_ + (static_cast<idle_hook&>(w).is_linked() ? 0 : 1);
    return std::min<std::size_t>(options_.pull_size, (ready + idle - 1) / idle);
}

bool pool_core::pull(worker& w, wake_list&) {
    const std::size_t most = w.breaker.capacity(share(w), jobs_->clock().now);
    std::size_t got = 0;
    for (; got < most; ++got) {
        job_record* job = jobs_->index().take(queues_, options_.strict_order, filter_);
        if (job == nullptr)
            break;
        job->holder = &w;
        w.local.push_back(*job);
    }
    w.pulled += got;
    return got != 0;
}

job_record* pool_core::next_local(worker& w) {
    if (w.local.empty())
        return nullptr;
    job_record& job = w.local.front();
    w.local.pop_front();
    return &job;
}

bool pool_core::begin(lane& l, job_record& job, wake_list& wakes) {
    const time_point now = jobs_->clock().now;
    worker& w = *l.owner;
    const auto permit = w.breaker.admit(now);
    if (!permit)
        return false;
    jobs_->start(job);
    job_index::pin(job);
    job.holder = &l;
    l.job = &job;
    l.handle = jobs_->find_handler(*job.kind);
    l.delivery = job.delivery;
    ++l.number;
    l.permit = *permit;
    l.started_at = now;
    l.timeout = job.timeout == duration::zero() ? options_.process_timeout : job.timeout;
    l.reached = lane::step::running;
    l.due = l.timeout >= time_point::max() - now ? time_point::max() : now + l.timeout;
    if (l.due < l.armed_at) {
        l.armed_at = l.due;
        wakes.defer([this, self = l.shared_from_this(), at = l.due] {
            shared().deadlines->arm(*self, at);
        });
    }
    ++figures.timeouts_armed;
    metrics_->waited(now - job.available_since);
    ++w.busy;
    return true;
}

pool_core::next pool_core::advance(lane& l, wake_list& wakes) {
    worker& w = *l.owner;
    if (l.abandoned || l.ending || w.stopping)
        return next::end;
    job_record* job = std::exchange(l.assigned, nullptr);
    if (job == nullptr)
        job = next_local(w);
    if (job == nullptr && pull(w, wakes))
        job = next_local(w);
    if (job == nullptr)
        return next::idle;
    if (begin(l, *job, wakes))
        return next::run;
    // The breaker has opened, or probes already: others shall have what this worker has taken.
    jobs_->give_back(*job, wakes);
    give_back_local(w, wakes);
    return next::idle;
}

bool pool_core::park(lane& l, resumption& r, wake_list& wakes) {
    worker& w = *l.owner;
    if (l.abandoned || l.ending || w.stopping || l.assigned != nullptr)
        return false;
    // Something may have come since the lane looked, and jobs that others have taken in advance are
    // better off here.
    if (!w.local.empty() || pull(w, wakes) || (steal_for(w, wakes) && pull(w, wakes))) {
        l.assigned = next_local(w);
        return false;
    }
    jobs_->parked.park(l, std::move(r));
    w.idle.push_back(&l);
    if (w.overflow && w.busy == 0 && w.idle.size() == w.lanes.size()) {
        stop_worker(w, wakes);
    } else if (w.breaker.capacity(1, jobs_->clock().now) == 0) {
        trip(w, wakes);
    } else if (!static_cast<idle_hook&>(w).is_linked()) {
        idle_.push_back(w);
        ++idle_count_;
    }
    return true;
}

void pool_core::leave_idle(worker& w) noexcept {
    auto& hook = static_cast<idle_hook&>(w);
    if (!hook.is_linked())
        return;
    hook.unlink();
    --idle_count_;
}

/// Gives the worker's jobs to its idle lanes.
void pool_core::hand_out(worker& w, wake_list& wakes) {
    while (!w.idle.empty() && !w.local.empty()) {
        lane& l = *w.idle.back();
        w.idle.pop_back();
        l.assigned = next_local(w);
        wakes.add(l);
    }
    if (w.idle.empty())
        leave_idle(w);
}

void pool_core::offer(wake_list& wakes) {
    while (!idle_.empty()) {
        worker& w = idle_.front();
        if (w.breaker.capacity(1, jobs_->clock().now) == 0) {
            trip(w, wakes);
            continue;
        }
        if (!pull(w, wakes))
            return; // nothing that we can run
        hand_out(w, wakes);
    }
    want_overflow(wakes);
}

/// Takes back a job that another worker has taken and not started, so that this idle one can have
/// it.
bool pool_core::steal_for(worker& w, wake_list& wakes) {
    for (const auto& other : workers_) {
        if (other.get() == &w || other->local.empty() || other->busy == 0)
            continue;
        jobs_->give_back(*next_local(*other), wakes);
        return true;
    }
    return false;
}

/// The worker's breaker is open: it takes nothing until a probe may run.
void pool_core::trip(worker& w, wake_list& wakes) {
    leave_idle(w);
    arm(w.breaker.open_until(), wakes);
}

void pool_core::give_back_local(worker& w, wake_list& wakes) {
    while (job_record* job = next_local(w))
        jobs_->give_back(*job, wakes);
}

// --- the end of a run
// -----------------------------------------------------------------------------------

namespace {

std::string timed_out_text(duration after) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(after).count();
    return "timed out after " + std::to_string(ms) + " ms";
}

bool is_failure(job_outcome::kind what) noexcept {
    switch (what) {
    case job_outcome::kind::failed:
    case job_outcome::kind::crashed:
    case job_outcome::kind::retry_at:
    case job_outcome::kind::discarded:
        return true;
    case job_outcome::kind::completed:
    case job_outcome::kind::snoozed:
    case job_outcome::kind::revoked:
    case job_outcome::kind::returned:
        break;
    }
    return false;
}

} // namespace

void pool_core::tell_breaker(worker& w, const lane& l, job_outcome::kind what, wake_list& wakes) {
    const time_point now = jobs_->clock().now;
    const std::uint64_t opened = w.breaker.opened_total();
    const std::uint64_t closed = w.breaker.closed_total();
    if (what == job_outcome::kind::completed)
        w.breaker.success(l.permit, now);
    else if (is_failure(what))
        w.breaker.failure(l.permit, now);
    else
        w.breaker.give_back(l.permit);
    figures.breakers_opened_total += w.breaker.opened_total() - opened;
    figures.breakers_closed_total += w.breaker.closed_total() - closed;
    if (w.breaker.opened_total() != opened || w.breaker.closed_total() != closed)
        log_breaker(w, wakes);
}

pool_core::next pool_core::finish(lane& l, job_outcome&& outcome) {
    wake_list wakes;
    std::unique_lock lock(mutex());
    const time_point now = jobs_->read_clock().now;
    job_record& job = *l.job;
    worker& w = *l.owner;

    const bool timed_out = l.reached != lane::step::running;
    if (outcome.what == job_outcome::kind::failed && timed_out) {
        outcome.text = timed_out_text(l.timeout);
        outcome.error = std::make_exception_ptr(
            error(errc::timeout, "job " + job.id.to_string() + " " + outcome.text));
    } else if (outcome.what == job_outcome::kind::failed && l.returning) {
        outcome.what = job_outcome::kind::returned;
    } else if (outcome.what == job_outcome::kind::failed && options_.let_it_crash && !l.abandoned) {
        outcome.what = job_outcome::kind::crashed;
        w.crash = outcome.error;
    }
    log_end(l, outcome, now, wakes);

    const bool current =
        job.state == job_state::executing && job.holder == &l && job.delivery == l.delivery;
    if (!l.abandoned) {
        --w.busy;
        tell_breaker(w, l, outcome.what, wakes);
        w.processed += outcome.what == job_outcome::kind::completed ? 1 : 0;
        w.failed += is_failure(outcome.what) ? 1 : 0;
        w.acked += current ? 1 : 0;
    }
    metrics_->ran(now - l.started_at, is_failure(outcome.what));
    l.job = nullptr;
    l.due = time_point::max();
    if (current)
        jobs_->settle(job, std::move(outcome), wakes);
    job_index::unpin(job);
    if (w.crash && !l.abandoned) {
        w.stopping = true;
        leave_idle(w);
    }
    if (w.stopping)
        wake_worker(w, wakes);
    const next what = advance(l, wakes);
    lock.unlock();
    wakes.run();
    return what;
}

void pool_core::stuck(lane& l, wake_list& wakes) {
    ++figures.stuck_total;
    log_stuck(l, wakes);
    if (l.abandoned)
        return;
    // Its attempt is over for the queue; what it may still answer comes too late and changes
    // nothing.
    const auto self = std::static_pointer_cast<lane>(l.shared_from_this());
    l.abandoned = true;
    ++lanes_abandoned_;
    worker& w = *l.owner;
    --w.busy;
    std::erase(w.lanes, self);
    tell_breaker(w, l, job_outcome::kind::failed, wakes);
    ++w.failed;
    if (!w.stopping) {
        const auto fresh = make_lane(l.owner);
        wakes.defer([this, fresh] { spawn(fresh); });
    }
    job_outcome lost;
    lost.what = job_outcome::kind::failed;
    lost.text = timed_out_text(l.timeout) + " and did not stop";
    lost.error = std::make_exception_ptr(
        error(errc::timeout, "job " + l.job->id.to_string() + " " + lost.text));
    jobs_->settle(*l.job, std::move(lost), wakes);
}

void pool_core::ended(lane& l) {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        jobs_->read_clock();
        if (l.assigned != nullptr)
            jobs_->give_back(*std::exchange(l.assigned, nullptr), wakes);
        if (l.abandoned)
            --lanes_abandoned_;
        std::erase_if(l.owner->lanes, [&](const auto& other) { return other.get() == &l; });
        wake_worker(*l.owner, wakes);
    }
    shared().deadlines->disarm(l);
    wakes.run();
}

// --- deadlines
// ------------------------------------------------------------------------------------------

void pool_core::arm(time_point at, wake_list& wakes) {
    if (at >= armed_at_ || !deadline_)
        return;
    armed_at_ = at;
    wakes.defer(
        [this, keep = shared_from_this(), d = deadline_, at] { shared().deadlines->arm(*d, at); });
}

void pool_core::rest(wake_list& wakes) {
    const bool alive = std::ranges::any_of(workers_, [](const auto& w) { return w->alive; });
    if (alive || !checkouts_.empty() || armed_at_ == time_point::max() || !deadline_)
        return;
    armed_at_ = time_point::max();
    wakes.defer([this, keep = shared_from_this(), d = deadline_] { shared().deadlines->disarm(*d); });
}

void pool_core::on_deadline(time_point) {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        const time_point now = jobs_->read_clock().now;
        armed_at_ = time_point::max();
        withdraw_late(wakes);
        for (const auto& w : workers_) {
            if (w->idle.empty() || w->stopping || static_cast<idle_hook&>(*w).is_linked())
                continue;
            if (w->breaker.capacity(1, now) != 0) {
                idle_.push_back(*w);
                ++idle_count_;
            } else {
                arm(w->breaker.open_until(), wakes);
            }
        }
        offer(wakes);
    }
    wakes.run();
}

// --- executes
// -------------------------------------------------------------------------------------------

queue_entry& pool_core::queue_for(const new_job& job) {
    if (job.queue.empty())
        return *queues_.front();
    for (queue_entry* queue : queues_)
        if (queue->name == job.queue)
            return *queue;
    throw error(errc::no_such_queue, "queue '" + job.queue + "' of pool '" + options_.name + "'");
}

job_id pool_core::submit(new_job&& job, const execute_options& how, execution& e,
                         wake_list& wakes) {
    const time_point now = jobs_->read_clock().now;
    refuse_when_tripped();
    auto record = jobs_->admit(std::move(job), queue_for(job), 1);
    const job_id id = record->id;
    queue_core::add_waiter(*record, e);
    job_record& pushed = jobs_->push(std::move(record), wakes);
    if (how.dispatch == dispatch::least_busy)
        assign_least_busy(pushed, wakes);
    // Taken and assigned to an idle lane is as good as started; anything else may have to wait.
    const bool idle_lane_has_it =
        pushed.state == job_state::executing && e.got == result_waiter::answer::none;
    const duration wait =
        how.checkout_wait < duration::zero() ? options_.checkout_wait : how.checkout_wait;
    if (!idle_lane_has_it || how.dispatch != dispatch::pull)
        await_checkout(e, wait >= time_point::max() - now ? time_point::max() : now + wait, wakes);
    return id;
}

void pool_core::refuse_when_tripped() {
    const time_point now = jobs_->clock().now;
    duration soonest = duration::max();
    for (const auto& w : workers_) {
        if (!w->alive)
            continue;
        const duration wait = w->breaker.retry_after(now);
        if (wait == duration::zero())
            return;
        soonest = std::min(soonest, wait);
    }
    if (soonest != duration::max())
        throw breaker_open_error(options_.name, soonest);
}

void pool_core::await_checkout(execution& e, time_point until, wake_list& wakes) {
    e.checkout_until = until;
    // Nearly all wait equally long, so the newest belongs at the end.
    auto at = checkouts_.end();
    while (at != checkouts_.begin() && std::prev(at)->checkout_until > until)
        --at;
    checkouts_.insert(at, e);
    arm(checkouts_.front().checkout_until, wakes);
}

void pool_core::leave_checkout(execution& e, wake_list& wakes) {
    e.started();
    if (checkouts_.empty())
        rest(wakes);
}

void pool_core::withdraw_late(wake_list& wakes) {
    const time_point now = jobs_->clock().now;
    while (!checkouts_.empty() && checkouts_.front().checkout_until <= now) {
        execution& e = checkouts_.front();
        checkouts_.pop_front();
        job_record& job = *e.job;
        if (job.state == job_state::executing) { // taken by a worker that has not come to it
            auto& w = static_cast<worker&>(*job.holder);
            const auto its =
                std::ranges::find_if(w.lanes, [&](const auto& l) { return l->assigned == &job; });
            if (its != w.lanes.end())
                (*its)->assigned = nullptr;
            else
                w.local.erase(w.local.iterator_to(job));
        }
        e.exhausted = true;
        ++figures.exhausted_total;
        jobs_->withdraw(job, "no worker was free in time", wakes);
    }
    if (!checkouts_.empty())
        arm(checkouts_.front().checkout_until, wakes);
}

void pool_core::assign_least_busy(job_record& job, wake_list& wakes) {
    if (job.state != job_state::available || job.kind->handlers == 0)
        return;
    worker* least = nullptr;
    for (const auto& w : workers_) {
        if (!w->alive || w->stopping || w->breaker.capacity(1, jobs_->clock().now) == 0)
            continue;
        if (least == nullptr || w->load() < least->load())
            least = w.get();
    }
    if (least == nullptr)
        return; // nobody lives: whoever comes takes it
    jobs_->index().take(job);
    job.holder = least;
    least->local.push_back(job);
    ++least->pulled;
    hand_out(*least, wakes);
}

// --- status
// ---------------------------------------------------------------------------------------------

std::uint64_t pool_core::total(std::uint64_t pool_status::*which) {
    const std::lock_guard lock(mutex());
    return figures.*which;
}

pool_status pool_core::status() {
    const std::lock_guard lock(mutex());
    const time_point now = jobs_->read_clock().now;
    pool_status s = figures;
    s.name = options_.name;
    s.size = options_.size;
    s.max_overflow = options_.max_overflow;
    for (const auto& w : workers_) {
        s.restarts_total += w->incarnation > 1 ? w->incarnation - 1 : 0;
        if (!w->alive)
            continue;
        ++s.workers;
        s.overflow += w->overflow ? 1 : 0;
        ++(w->busy == 0 ? s.idle : s.busy);
        s.breakers_open += w->breaker.state(now) == breaker_state::open ? 1 : 0;
    }
    s.running = !supervisor_.expired() && s.workers != 0;
    for (const queue_entry* queue : queues_) {
        s.available += queue->count(job_state::available);
        s.executing += queue->count(job_state::executing);
    }
    s.callers_waiting = checkouts_.size();
    s.lanes_abandoned = lanes_abandoned_;
    return s;
}

worker_status pool_core::describe(const worker& w) {
    worker_status s;
    s.id = w.id;
    s.alive = w.alive;
    s.overflow = w.overflow;
    s.breaker = w.breaker.state(jobs_->clock().now);
    s.busy = w.busy;
    s.assigned = static_cast<unsigned>(w.assigned());
    s.incarnation = w.incarnation;
    s.restarts = w.incarnation > 1 ? w.incarnation - 1 : 0;
    s.pulled = w.pulled;
    s.processed = w.processed;
    s.failed = w.failed;
    s.acked = w.acked;
    s.breaker_opened = w.breaker.opened_total();
    s.breaker_successes = w.breaker.successes_total();
    for (const auto& l : w.lanes)
        if (l->job != nullptr)
            s.jobs.push_back(l->job->id);
    return s;
}

} // namespace lifeguard::detail
