#include "queue/queue_core.hpp"

#include <lifeguard/exit_reason.hpp>

#include <algorithm>

namespace lifeguard::detail {
namespace {

constexpr std::size_t name_max = 200; // bytes, of kinds and queues

void check_name(std::string_view what, std::string_view name) {
    const bool blank = std::ranges::all_of(name, [](char c) { return c == ' ' || c == '\t'; });
    if (name.empty() || blank)
        throw error(errc::invalid_job, std::string(what) + ": must not be empty");
    if (name.size() > name_max)
        throw error(errc::invalid_job, std::string(what) + ": longer than 200 bytes");
    if (std::ranges::any_of(
            name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        throw error(errc::invalid_job, std::string(what) + ": holds a control character");
}

} // namespace

queue_core::queue_core(std::shared_ptr<runtime> shared, queue_options options,
                       std::unique_ptr<job_store> store)
    : runtime_(std::move(shared)), options_(std::move(options)), store_(std::move(store)) {
    options_.retry.validate();
    if (options_.lease < std::chrono::seconds(1) || options_.lease > std::chrono::hours(24))
        options_.lease = queue_options().lease;
    store_->attach(*this);
}

queue_core::~queue_core() = default;

const moment& queue_core::read_clock() {
    const time_point now = runtime_->time->now();
    if (now >= wall_read_at_ + std::chrono::seconds(1) || wall_read_at_ == time_point::min()) {
        const auto wall = runtime_->time->wall_now().time_since_epoch();
        wall_offset_ = std::chrono::duration_cast<duration>(wall) - now.time_since_epoch();
        wall_read_at_ = now;
    }
    at_.now = now;
    at_.wall = wall_time(
        std::chrono::duration_cast<wall_time::duration>(now.time_since_epoch() + wall_offset_));
    return at_;
}

// --- kinds and queues
// -----------------------------------------------------------------------------------

kind_entry& queue_core::kind(std::string_view name) {
    const auto found = kinds_.find(name);
    if (found != kinds_.end())
        return *found->second;
    check_name("kind", name);
    if (kinds_.size() >= options_.kinds_max)
        throw error(errc::invalid_job,
                    "kind '" + std::string(name) + "': there are too many kinds");
    auto entry = std::make_unique<kind_entry>();
    entry->name = name;
    entry->index = kinds_.size();
    handlers_.emplace_back();
    return *kinds_.emplace(entry->name, std::move(entry)).first->second;
}

queue_entry& queue_core::queue(std::string_view name) {
    const auto found = queues_.find(name);
    if (found != queues_.end())
        return *found->second;
    check_name("queue", name);
    if (queues_.size() >= options_.queues_max)
        throw error(errc::invalid_job,
                    "queue '" + std::string(name) + "': there are too many queues");
    auto entry = std::make_unique<queue_entry>();
    entry->name = name;
    if (metrics_)
        describe_metrics(*entry);
    return *queues_.emplace(entry->name, std::move(entry)).first->second;
}

queue_entry* queue_core::find_queue(std::string_view name) noexcept {
    const auto found = queues_.find(name);
    return found == queues_.end() ? nullptr : found->second.get();
}

const handler* queue_core::find_handler(const kind_entry& kind) const noexcept {
    return &handlers_[kind.index];
}

void queue_core::set_handler(std::string_view name, handler run) {
    wake_list wakes;
    {
        const std::lock_guard lock(runtime_->mutex);
        read_clock();
        kind_entry& entry = kind(name);
        if (entry.handlers != 0)
            throw error(errc::duplicate_id, "kind '" + std::string(name) + "' has a handler already");
        handlers_[entry.index] = std::move(run);
        entry.handlers = 1;
        // Jobs that waited for a handler may run now.
        for (const auto& [_, queue] : queues_)
            offer(*queue, wakes);
    }
    wakes.run();
}

void queue_core::set_validator(std::string_view name, validator check) {
    const std::lock_guard lock(runtime_->mutex);
    kind(name);
    validators_.insert_or_assign(std::string(name), std::move(check));
    validates_ = true;
}

void queue_core::for_each_queue(const std::function<void(const queue_entry&)>& f) const {
    for (const auto& [_, queue] : queues_)
        f(*queue);
}

// --- submission
// -----------------------------------------------------------------------------------------

void queue_core::check(const new_job& job) {
    if (job.priority < priority_first || job.priority > priority_last)
        throw error(errc::invalid_job,
                    "priority: must be 0 to 9, is " + std::to_string(job.priority));
    if (job.delay < duration::zero())
        throw error(errc::invalid_job, "delay: must not be negative");
    if (job.delay != duration::zero() && job.run_at)
        throw error(errc::invalid_job, "delay: not together with run_at");
    if (job.timeout < duration::zero())
        throw error(errc::invalid_job, "timeout: must not be negative");
    if (!job.payload_checked() || job.payload_text().size() > options_.limits.payload_max)
        check_payload(job.payload_text(), options_.limits);
    if (!validates_.load(std::memory_order_relaxed))
        return;
    validator validate;
    {
        const std::lock_guard lock(runtime_->mutex);
        if (const auto found = validators_.find(job.kind); found != validators_.end())
            validate = found->second;
    }
    if (!validate)
        return;
    try {
        validate(json::parse(job.payload_text()));
    } catch (...) {
        throw error(errc::invalid_job, "payload: " + lifeguard::describe(std::current_exception()));
    }
}

std::unique_ptr<job_record> queue_core::admit(new_job&& job, queue_entry& queue,
                                              unsigned attempts) {
    if (closed)
        throw error(errc::stopped, "queue '" + queue.name + "'");
    if (queue.unfinished() >= options_.jobs_max)
        throw error(errc::queue_full, "queue '" + queue.name + "' holds " +
                                          std::to_string(queue.unfinished()) + " jobs");
    kind_entry& kind_of_job = kind(job.kind);
    if (options_.strict_kinds && kind_of_job.handlers == 0)
        throw error(errc::unknown_kind, "kind '" + job.kind + "'");
    if (!job.id.is_nil() && index().find(job.id) != nullptr)
        throw error(errc::duplicate_id, "job " + job.id.to_string());

    auto record = std::make_unique<job_record>();
    record->id = job.id.is_nil() ? ids_.next(at_.wall) : job.id;
    record->queue = &queue;
    record->kind = &kind_of_job;
    record->payload = job.take_payload();
    record->created_at = at_.wall;
    record->due = moment::nanoseconds(job.run_at.value_or(at_.wall)) +
                  std::chrono::duration_cast<std::chrono::nanoseconds>(job.delay).count();
    record->timeout = job.timeout;
    record->max_attempts = job.max_attempts == 0 ? attempts : job.max_attempts;
    record->priority = static_cast<std::uint8_t>(job.priority);
    return record;
}

job_record& queue_core::push(std::unique_ptr<job_record> job, wake_list& wakes) {
    job_record& record = *job;
    store_->push(std::move(job), at_.wall_ns(), wakes);
    return record;
}

// --- the life of an executing job
// -----------------------------------------------------------------------

void queue_core::start(job_record& job) {
    for (result_waiter* w = job.waiters; w != nullptr; w = w->next)
        w->started();
    ++job.attempt;
    job.started = true;
    job.attempted_at = at_.wall;
    store_->start(job);
}

void queue_core::settle(job_record& job, job_outcome&& outcome, wake_list& wakes) {
    switch (outcome.what) {
    case job_outcome::kind::completed:
        job.result = std::move(outcome.result);
        return finish(job, job_state::completed, wakes);
    case job_outcome::kind::failed:
    case job_outcome::kind::crashed:
    case job_outcome::kind::retry_at:
        return fail(job, std::move(outcome), wakes);
    case job_outcome::kind::snoozed:
        job.attempt -= job.started ? 1 : 0;
        if (outcome.delay <= duration::zero())
            return store_->give_back(job, wakes);
        return store_->postpone(
            job, job_state::scheduled,
            at_.wall_ns() +
                std::chrono::duration_cast<std::chrono::nanoseconds>(outcome.delay).count(),
            wakes);
    case job_outcome::kind::discarded:
        last_error_ = std::move(outcome.error);
        ++counts.failed;
        record_error(job, std::move(outcome.text));
        return finish(job, job_state::discarded, wakes);
    case job_outcome::kind::revoked: {
        const job_index::pinned keep(job);
        record_error(job, std::move(outcome.text)); // for those who wait; it goes with the job
        finish(job, job_state::cancelled, wakes);
        if (!job.removed)
            store_->remove(job);
        return;
    }
    case job_outcome::kind::returned:
        job.attempt -= job.started ? 1 : 0;
        return store_->give_back(job, wakes);
    }
}

void queue_core::fail(job_record& job, job_outcome&& outcome, wake_list& wakes) {
    ++counts.failed;
    record_error(job, std::move(outcome.text));
    if (job.attempt >= job.max_attempts) {
        last_error_ = std::move(outcome.error);
        return finish(job, job_state::discarded, wakes);
    }
    if (outcome.what == job_outcome::kind::crashed)
        return store_->give_back(job, wakes);
    const bool own_time = outcome.what == job_outcome::kind::retry_at && outcome.at > at_.wall;
    const std::int64_t due = own_time ? moment::nanoseconds(outcome.at) : retry_due(job.attempt);
    if (due <= at_.wall_ns())
        return store_->give_back(job, wakes);
    store_->postpone(job, job_state::retryable, due, wakes);
}

std::int64_t queue_core::retry_due(unsigned attempt) {
    const duration delay = options_.retry.delay(attempt, random01());
    return at_.wall_ns() + std::chrono::duration_cast<std::chrono::nanoseconds>(delay).count();
}

void queue_core::finish(job_record& job, job_state state, wake_list& wakes) {
    job.finished_at = at_.wall;
    auto& counted = state == job_state::completed   ? counts.completed
                    : state == job_state::discarded ? counts.discarded
                                                    : counts.cancelled;
    ++counted;
    store_->finish(job, state, wakes);
    last_error_ = nullptr;
}

void queue_core::withdraw(job_record& job, const std::string& why, wake_list& wakes) {
    if (!why.empty())
        record_error(job, why);
    finish(job, job_state::cancelled, wakes);
}

void queue_core::record_error(job_record& job, std::string text) {
    if (!job.errors)
        job.errors = std::make_unique<std::vector<attempt_error>>();
    job.errors->push_back({job.attempt, at_.wall, std::move(text)});
}

double queue_core::random01() noexcept {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<double>(random_ >> 11) * 0x1p-53;
}

// --- who waits
// ------------------------------------------------------------------------------------------

void queue_core::add_taker(queue_entry& queue, taker& t) { queue.takers.push_back(&t); }

void queue_core::remove_taker(queue_entry& queue, taker& t) noexcept {
    std::erase(queue.takers, &t);
}

void queue_core::offer(queue_entry& queue, wake_list& wakes) {
    // By position: a taker that has what it wanted may leave while it is asked.
    for (std::size_t i = 0; i < queue.takers.size() && queue.ready != 0; ++i)
        queue.takers[i]->offer(wakes);
}

void queue_core::add_waiter(job_record& job, result_waiter& w) noexcept {
    w.job = &job;
    w.next = std::exchange(job.waiters, &w);
}

void queue_core::remove_waiter(result_waiter& w) noexcept {
    if (w.job == nullptr)
        return;
    for (result_waiter** link = &w.job->waiters; *link != nullptr; link = &(*link)->next) {
        if (*link == &w) {
            *link = w.next;
            break;
        }
    }
    w.job = nullptr;
}

void queue_core::answer(job_record& job, wake_list& wakes) {
    result_waiter* next = std::exchange(job.waiters, nullptr);
    while (next != nullptr) {
        result_waiter& w = *next;
        next = w.next;
        w.job = nullptr;
        answer(job, w, next == nullptr);
        if (w.is_parked())
            wakes.add(w, true);
    }
}

void queue_core::answer(job_record& job, result_waiter& w, bool last) {
    w.got = result_waiter::answer::finished;
    w.state = job.state;
    if (job.state != job_state::completed) {
        w.error = last_error_;
        if (job.errors && !job.errors->empty())
            w.error_text = job.errors->back().text;
        return;
    }
    w.lent_result = job.result_lent;
    if (w.takes_result && last && !job.result.is_primitive()) {
        w.result = std::move(job.result);
        job.result_lent = true;
    } else {
        w.result = job.result;
    }
}

void queue_core::add_result_waiter(job_record& job, result_waiter& w) {
    if (is_final(job.state))
        answer(job, w, true);
    else
        add_waiter(job, w);
}

json queue_core::result_of(result_waiter&& w, const job_id& id) {
    const auto job = [&] { return "job " + id.to_string(); };
    switch (w.got) {
    case result_waiter::answer::finished:
        break;
    case result_waiter::answer::timed_out:
        throw error(errc::timeout, job() + ": still not finished");
    case result_waiter::answer::none:
    case result_waiter::answer::stored:
    case result_waiter::answer::withdrawn:
    case result_waiter::answer::cancelled:
    case result_waiter::answer::closed:
        throw boost::system::system_error(asio::error::operation_aborted, job());
    }
    if (w.state == job_state::completed) {
        if (w.lent_result)
            throw error(errc::not_found, job() + ": its result was handed to who executed it");
        return std::move(w.result);
    }
    const errc code = w.state == job_state::cancelled ? errc::job_cancelled : errc::job_discarded;
    throw error(code, job() + ": " + w.error_text);
}

void queue_core::detach(result_waiter& w) {
    wake_list wakes;
    {
        const std::lock_guard lock(runtime_->mutex);
        if (!w.is_parked())
            return;
        w.started(); // the job is not to be withdrawn on behalf of nobody
        remove_waiter(w);
        w.got = result_waiter::answer::cancelled;
        wakes.add(w);
    }
    wakes.run();
}

asio::awaitable<void> queue_core::wait(result_waiter& w) {
    const auto self = shared_from_this();
    auto park = [&](resumption r) {
        auto slot = r.get_cancellation_slot();
        if (slot.is_connected())
            slot.assign(detach_on_cancel(w));
        {
            const std::lock_guard lock(runtime_->mutex);
            if (w.got == result_waiter::answer::none && !closed) {
                parked.park(w, std::move(r));
                return;
            }
        }
        asio::post(std::move(r));
    };
    co_await suspend(park);
}

// --- what the store says
// --------------------------------------------------------------------------------

void queue_core::job_pushed(job_record& job, wake_list& wakes) {
    ++counts.pushed;
    job.stored = true;
    for (result_waiter** link = &job.waiters; *link != nullptr;) {
        result_waiter& w = **link;
        if (w.waits_for != result_waiter::event::stored) {
            link = &w.next;
            continue;
        }
        *link = w.next;
        w.job = nullptr;
        w.got = result_waiter::answer::stored;
        if (w.is_parked())
            wakes.add(w);
    }
    if (job.state == job_state::available)
        became_available(job, wakes);
    else
        hurry_upkeep(wakes);
}

void queue_core::job_finished(job_record& job, wake_list& wakes) { answer(job, wakes); }

void queue_core::job_returned(job_record& job, wake_list& wakes) {
    if (job.state == job_state::available)
        became_available(job, wakes);
    else
        hurry_upkeep(wakes);
}

void queue_core::became_available(job_record& job, wake_list& wakes) {
    job.available_since = at_.now;
    offer(*job.queue, wakes);
}

job_info queue_core::describe(const job_record& job) const {
    job_info info;
    info.id = job.id;
    info.kind = job.kind->name;
    info.queue = job.queue->name;
    info.state = job.state;
    info.priority = job.priority;
    info.attempt = job.attempt;
    info.max_attempts = job.max_attempts;
    info.deliveries = job.delivery;
    info.created_at = job.created_at;
    const bool waits = job.state == job_state::scheduled || job.state == job_state::retryable;
    info.run_at = waits ? wall_time(std::chrono::duration_cast<wall_time::duration>(
                              std::chrono::nanoseconds(job.due)))
                        : job.created_at;
    if (job.attempted_at != wall_time())
        info.attempted_at = job.attempted_at;
    if (is_final(job.state))
        info.finished_at = job.finished_at;
    info.payload = job.payload;
    if (job.state == job_state::completed && !job.result_lent)
        info.result = job.result.dump();
    if (job.errors)
        info.errors = *job.errors;
    info.waits_for_handler = job.state == job_state::available && job.kind->handlers == 0;
    return info;
}

queue_counts queue_core::counts_of(const std::string& name) const {
    queue_counts c;
    const auto found = queues_.find(name);
    if (found == queues_.end())
        return c;
    const queue_entry& queue = *found->second;
    c.scheduled = queue.count(job_state::scheduled);
    c.available = queue.count(job_state::available);
    c.executing = queue.count(job_state::executing);
    c.retryable = queue.count(job_state::retryable);
    c.completed = queue.count(job_state::completed);
    c.cancelled = queue.count(job_state::cancelled);
    c.discarded = queue.count(job_state::discarded);
    for (const auto& lane : queue.lanes)
        if (lane->kind->handlers == 0)
            for (const place_list& jobs : lane->by_priority)
                c.waiting_for_handler += jobs.size();
    return c;
}

void queue_core::context_shutdown() noexcept {
    std::vector<resumption> gone;
    {
        const std::lock_guard lock(runtime_->mutex);
        closed = true;
        gone = parked.clear();
    }
    gone.clear(); // unwinds frames, which may take the lock
    upkeep_.reset();
}

} // namespace lifeguard::detail
