// Workers by id: put, deleted, looked at.
#include "dynamic/dynamic_core.hpp"

#include "base/one_line.hpp"
#include "dynamic/dynamic_turn.hpp"
#include "supervision/reasons.hpp"

namespace lifeguard::detail {

dynamic_core::dynamic_core(const asio::any_io_executor& executor, dynamic_workers_options options,
                           worker_behaviour behaviour)
    : options_(std::move(options)),
      runtime_(std::make_shared<runtime>(executor, options_.time, options_.log, options_.metrics)),
      home_(guarded_executor::make(strand_of(executor))),
      log_(options_.log),
      behaviour_(std::make_shared<const worker_behaviour>(std::move(behaviour))),
      registry_(options_.workers_max),
      answered_(options_.intensity, options_.period) {}

void dynamic_core::open() {
    context_hooks::of(runtime_->executor).add(weak_from_this());
    describe_metrics();
}

std::string dynamic_core::whose() const { return "workers '" + one_line(options_.name) + "'"; }

error dynamic_core::not_running() const { return {errc::stopped, whose() + " do not run"}; }

std::shared_ptr<const worker_behaviour> dynamic_core::behaviour() {
    const std::lock_guard lock(runtime_->mutex);
    return behaviour_;
}

// --- put and del

asio::awaitable<void> dynamic_core::wait_for(std::shared_ptr<completion> s) {
    co_await reply::wait(s->done);
    if (s->failed)
        std::rethrow_exception(s->failed);
}

asio::awaitable<bool> dynamic_core::put(std::shared_ptr<dynamic_core> self, std::string id,
                                        worker_spec spec, worker_registry::put_mode mode) {
    const auto s = self->begin_put(id, std::move(spec), mode);
    if (!s)
        co_return false;
    co_await wait_for(s);
    co_return true;
}

std::shared_ptr<completion> dynamic_core::begin_put(const std::string& id, worker_spec spec,
                                                    worker_registry::put_mode mode) {
    turn t(*this);
    if (stopped_ || closed_ || workers_.expired())
        throw not_running();
    switch (registry_.put(id, std::move(spec), mode, t)) {
    case worker_registry::put_result::exists:
        return nullptr;
    case worker_registry::put_result::full:
        throw error(errc::limit_reached, whose() + ": workers_max: there are " +
                                             std::to_string(options_.workers_max) + " already");
    case worker_registry::put_result::done:
        break;
    }
    auto s = std::make_shared<completion>();
    static_cast<dynamic_worker&>(*registry_.found(id)).waiters.push_back(s);
    return s;
}

asio::awaitable<bool> dynamic_core::del(std::shared_ptr<dynamic_core> self, std::string id) {
    const auto s = self->begin_del(id);
    if (!s)
        co_return false;
    co_await wait_for(s);
    co_return true;
}

std::shared_ptr<completion> dynamic_core::begin_del(const std::string& id) {
    turn t(*this);
    const auto found = std::static_pointer_cast<dynamic_worker>(registry_.found(id));
    if (!found || !registry_.del(*found, reason_of(exit_reason::kind::shutdown, "deleted"), t))
        return nullptr;
    refuse_mail(*found, errc::not_found, t.wakes);
    auto s = std::make_shared<completion>();
    s->wants_it_to_run = false;
    found->waiters.push_back(s);
    return s;
}

/// Those who wait for an answer are told; what was cast is dropped, and counted.
void dynamic_core::refuse_mail(dynamic_worker& w, errc why, wake_list& wakes) {
    auto mail = std::exchange(w.mailbox, {});
    w.waiting = 0;
    registry_.load_changed(w);
    if (mail.empty())
        return;
    for (const auto& m : mail)
        totals_.casts_dropped_total += m->call ? 0U : 1U;
    const auto failed = std::make_exception_ptr(
        error(why, whose() + ": '" + one_line(w.id) + "' went before it answered"));
    wakes.defer([mail = std::move(mail), failed] {
        for (const auto& m : mail)
            if (m->call)
                m->call->fail(failed);
    });
}

// --- the children behind them

child_spec dynamic_core::spec_of(const std::shared_ptr<dynamic_worker>& w) {
    child_spec spec(w->id, [self = shared_from_this(), w](child_context context) {
        return live(self, w, std::move(context));
    });
    spec.shutdown = shutdown_policy::after(options_.shutdown);
    spec.waits_for_ready = true; // so that what has been started also runs
    spec.executor = runtime_->executor;
    return spec;
}

/// The supervisor of this very worker: one that is gone must not disturb its namesake in a later
/// run.
std::optional<supervisor> dynamic_core::supervisor_of(const dynamic_worker& w) {
    const std::lock_guard lock(runtime_->mutex);
    auto shell = workers_.lock();
    if (!shell || w.now == worker_record::phase::gone)
        return std::nullopt;
    return supervisor(std::move(shell));
}

asio::awaitable<void> dynamic_core::start_child(std::shared_ptr<dynamic_core> self,
                                                std::shared_ptr<dynamic_worker> w) {
    bool has_begun = false;
    if (auto workers = self->supervisor_of(*w)) {
        child_spec spec = self->spec_of(w);
        try {
            co_await workers->start_child(std::move(spec));
            has_begun = true; // and the registry knows
        } catch (...) {
            has_begun = false; // the supervisor ends
        }
    }
    if (has_begun)
        co_return;
    turn t(*self);
    t.failure_of_gone = std::make_exception_ptr(self->not_running());
    self->registry_.lost(*w, t);
}

asio::awaitable<void> dynamic_core::stop_child(std::shared_ptr<dynamic_core> self,
                                               std::shared_ptr<dynamic_worker> w) {
    auto workers = self->supervisor_of(*w);
    if (workers) {
        try {
            co_await workers->terminate_child(w->id);
            co_await workers->delete_child(w->id);
        } catch (...) {
            workers.reset(); // it ends, and all its children with it
        }
    }
    turn t(*self);
    self->registry_.stopped(*w, t);
}

// --- looking

worker_info dynamic_core::info_of(const dynamic_worker& w) {
    worker_info info;
    if (w.current != nullptr && !w.next) {
        const worker_cycle& cycle = w.current->cycle;
        info.payload = cycle.payload();
        info.value = cycle.value();
        info.interval = cycle.rhythm().interval;
        info.lull = cycle.rhythm().lull;
        info.performs = cycle.performs();
    } else {
        const worker_spec& from = w.next ? *w.next : w.spec;
        info.payload = from.payload;
        info.interval = from.rhythm->interval;
        info.lull = from.rhythm->lull;
    }
    info.incarnation = w.incarnation;
    info.busy = w.busy;
    info.waiting = w.waiting;
    return info;
}

std::optional<worker_info> dynamic_core::get(const std::string& id) {
    const std::lock_guard lock(runtime_->mutex);
    const auto* found = static_cast<dynamic_worker*>(registry_.find(id));
    if (found == nullptr)
        return std::nullopt;
    return info_of(*found);
}

std::vector<std::string> dynamic_core::ids() {
    std::vector<std::string> all;
    const std::lock_guard lock(runtime_->mutex);
    for (const auto& [id, w] : registry_.all())
        if (w->is_reachable())
            all.push_back(id);
    return all;
}

dynamic_workers_state dynamic_core::state() {
    const std::lock_guard lock(runtime_->mutex);
    dynamic_workers_state s = totals_;
    s.now = state_;
    for (const auto& [id, w] : registry_.all())
        if (w->is_reachable())
            s.workers.emplace(id, info_of(static_cast<const dynamic_worker&>(*w)));
    return s;
}

// --- reports

void dynamic_core::log(wake_list& wakes, log_level level, std::string_view event,
                       std::string message, std::vector<log_field> fields) const {
    if (!log_)
        return;
    log_record record;
    record.level = level;
    record.event = event;
    record.message = std::move(message);
    record.fields = std::move(fields);
    record.fields.push_back({"workers", options_.name});
    wakes.defer([sink = log_, record = std::move(record)] { sink.write(record); });
}

void dynamic_core::callback_failed(std::string_view which, const std::exception_ptr& why) {
    turn t(*this);
    ++totals_.callback_errors_total;
    log(t.wakes, log_level::error, "callback_failed",
        std::string(which) + " threw: " + one_line(describe(why)),
        {{"callback", std::string(which)}, {"reason", one_line(describe(why))}});
}

void dynamic_core::context_shutdown() noexcept {
    std::vector<resumption> gone;
    std::vector<std::shared_ptr<worker_record>> workers;
    std::shared_ptr<const worker_behaviour> behaviour;
    {
        turn t(*this);
        closed_ = true;
        state_ = manager_state::unknown;
        gone = parked_.clear();
        t.failure_of_gone = std::make_exception_ptr(not_running());
        workers = registry_.clear(t);
        for (auto& s : std::exchange(restarters_, {}))
            t.settle(std::move(s), t.failure_of_gone);
        // It may own a handle of ours.
        behaviour.swap(behaviour_);
    }
    gone.clear(); // unwinds frames, which may take the lock
}

} // namespace lifeguard::detail
