// Circuit breakers at work: who may take what while one is not closed, and who hears of it.

#include "worker/pool_breakers.hpp"

#include "worker/pool_core.hpp"

namespace lifeguard::detail {

pool_breakers::pool_breakers(const worker_pool_options& options) : options_(options) {
    if (options.breaker_scope == breaker_scope::pool)
        entries_.push_back(std::make_unique<entry>(
            entry{nullptr, circuit_breaker(options.breaker, options.name)}));
}

circuit_breaker* pool_breakers::shared(const kind_entry& kind) {
    switch (options_.breaker_scope) {
    case breaker_scope::worker:
        return nullptr;
    case breaker_scope::pool:
        return &entries_.front()->breaker;
    case breaker_scope::kind:
        break;
    }
    if (kind.index >= entries_.size())
        entries_.resize(kind.index + 1);
    auto& its = entries_[kind.index];
    if (!its)
        its = std::make_unique<entry>(
            entry{&kind, circuit_breaker(options_.breaker, options_.name + ":" + kind.name)});
    return &its->breaker;
}

circuit_breaker* pool_breakers::common() noexcept {
    return options_.breaker_scope == breaker_scope::pool ? &entries_.front()->breaker : nullptr;
}

circuit_breaker* pool_breakers::find(std::string_view name) noexcept {
    for (const auto& e : entries_)
        if (e && e->breaker.name() == name)
            return &e->breaker;
    return nullptr;
}

void pool_breakers::changed(const circuit_breaker& breaker) {
    std::erase_if(troubled_, [&](const entry* e) { return &e->breaker == &breaker; });
    for (const auto& e : entries_)
        if (e && &e->breaker == &breaker && !breaker.is_closed())
            troubled_.push_back(e.get());
}

time_point pool_breakers::next_probe(time_point now) const noexcept {
    time_point first = time_point::max();
    for (const entry* e : troubled_)
        if (e->breaker.state(now) == breaker_state::open)
            first = std::min(first, e->breaker.open_until());
    return first;
}

// --- in the pool

circuit_breaker& pool_core::breaker_for(worker& w, const kind_entry& kind) {
    circuit_breaker* const shared = breakers_.shared(kind);
    return shared != nullptr ? *shared : w.breaker;
}

/// How many jobs, at most `wanted`, the breaker of the worker, or of the pool, would let it start
/// now.
std::size_t pool_core::room(worker& w, std::size_t wanted) {
    circuit_breaker* const common = breakers_.common();
    const circuit_breaker& breaker = common != nullptr ? *common : w.breaker;
    const time_point now = jobs_->clock().now;
    if (breaker.is_closed() || breaker.capacity(1, now) == 0)
        return breaker.capacity(wanted, now);
    // What has been taken will ask to be admitted, too.
    const std::size_t taken =
        common != nullptr ? taken_if([](const job_record&) { return true; }) : w.assigned();
    const std::size_t free = breaker.capacity(wanted + taken, now);
    return free - std::min(free, taken);
}

/// Whether the worker has a breaker of its own that lets nothing through.
bool pool_core::tripped(worker& w) {
    return options_.breaker_scope == breaker_scope::worker && room(w, 1) == 0;
}

/// How many jobs like that have been taken and not been started.
template <typename Predicate>
std::size_t pool_core::taken_if(Predicate p) const {
    std::size_t count = 0;
    for (const auto& w : workers_) {
        for (const place_list* list : {&w->local, &w->bound})
            count += static_cast<std::size_t>(std::ranges::count_if(*list, p));
        for (const auto& l : w->lanes)
            count += l->assigned != nullptr && p(*l->assigned) ? 1 : 0;
    }
    return count;
}

/// What may be taken now. A job whose kind has to wait for a breaker stays where it is.
const take_filter& pool_core::filter() {
    if (breakers_.in_trouble() || !filter_.barred.empty())
        filter_.barred = breakers_.barred(jobs_->clock().now, [&](const kind_entry& kind) {
            return taken_if([&](const job_record& job) { return job.kind == &kind; });
        });
    return filter_;
}

breaker_verdict pool_core::verdict_on(const job_outcome& outcome) const noexcept {
    switch (outcome.what) {
    case job_outcome::kind::completed:
        return breaker_verdict::success;
    case job_outcome::kind::failed:
        return verdict_of(outcome.error, options_.judge);
    case job_outcome::kind::crashed:
    case job_outcome::kind::retry_at:
        return breaker_verdict::failure;
    case job_outcome::kind::discarded: // the job's fault, not the worker's
    case job_outcome::kind::snoozed:
    case job_outcome::kind::revoked:
    case job_outcome::kind::cancelled:
    case job_outcome::kind::returned:
        break;
    }
    return breaker_verdict::excluded;
}

void pool_core::tell_breaker(const lane& l, breaker_verdict verdict, const std::exception_ptr& why,
                             wake_list& wakes) {
    const time_point now = jobs_->clock().now;
    switch (verdict) {
    case breaker_verdict::success:
        l.breaker->success(l.permit, now);
        break;
    case breaker_verdict::failure:
        l.breaker->failure(l.permit, now, why);
        break;
    case breaker_verdict::excluded:
        l.breaker->exclude(l.permit);
        break;
    }
    note_change(*l.breaker, wakes);
}

void pool_core::arm_breakers() {
    if (breakers_.in_trouble())
        arm(breakers_.next_probe(jobs_->clock().now));
}

/// To be called after everything that may change a breaker's state.
void pool_core::note_change(circuit_breaker& breaker, wake_list& wakes, bool by_hand) {
    const auto change = breaker.take_change();
    if (!change)
        return;
    figures.breakers_opened_total += change->to == breaker_state::open ? 1 : 0;
    figures.breakers_closed_total += change->to == breaker_state::closed && !by_hand ? 1 : 0;
    breakers_.changed(breaker);
    arm_breakers();
    log_breaker(*change, wakes);
}

void pool_core::refuse_when_tripped(const kind_entry& kind) {
    const time_point now = jobs_->clock().now;
    const circuit_breaker* soonest = nullptr;
    if (options_.breaker_scope == breaker_scope::worker) {
        for (const auto& w : workers_) {
            if (!w->alive)
                continue;
            if (w->breaker.is_closed())
                return;
            if (soonest == nullptr || w->breaker.retry_after(now) < soonest->retry_after(now))
                soonest = &w->breaker;
        }
    } else {
        soonest = breakers_.shared(kind);
    }
    if (soonest != nullptr && soonest->retry_after(now) > duration::zero())
        throw soonest->rejection(now);
}

std::vector<breaker_status> pool_core::breakers() const {
    const time_point now = jobs_->clock().now;
    std::vector<breaker_status> all;
    if (options_.breaker_scope == breaker_scope::worker)
        for (const auto& w : workers_)
            all.push_back(w->breaker.status(now));
    else
        breakers_.for_each([&](const circuit_breaker& b) { all.push_back(b.status(now)); });
    return all;
}

// --- by hand

namespace {

void apply(breaker_command command, circuit_breaker& to, time_point now) {
    switch (command) {
    case breaker_command::trip:
        return to.trip(now);
    case breaker_command::half_open:
        return to.half_open();
    case breaker_command::force_open:
        return to.force_open(now);
    case breaker_command::disable:
        return to.disable();
    case breaker_command::enable:
        return to.enable();
    case breaker_command::reset:
        return to.reset();
    }
}

} // namespace

circuit_breaker& pool_core::breaker_named(std::string_view name) {
    circuit_breaker* found = breakers_.find(name);
    if (options_.breaker_scope == breaker_scope::worker)
        if (const auto w = find(std::string(name)))
            found = &w->breaker;
    if (found == nullptr)
        throw error(errc::not_found,
                    "pool '" + options_.name + "': breaker '" + std::string(name) + "'");
    return *found;
}

void pool_core::control_breaker(const std::string& name, breaker_command command) {
    wake_list wakes;
    {
        const std::lock_guard lock(mutex());
        const time_point now = jobs_->read_clock().now;
        circuit_breaker& breaker = breaker_named(name);
        apply(command, breaker, now);
        note_change(breaker, wakes, true);
        // Others shall have what was taken by workers that may not start it any more. In the scope
        // of a kind these go on, and give back its jobs when they come to them.
        if (breaker.capacity(1, now) == 0 && options_.breaker_scope != breaker_scope::kind)
            for (const auto& w : workers_)
                if (&w->breaker == &breaker || breakers_.common() == &breaker)
                    give_back_local(*w, wakes);
        resume_idle(wakes);
    }
    wakes.run();
}

} // namespace lifeguard::detail
