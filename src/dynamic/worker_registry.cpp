#include "dynamic/worker_registry.hpp"

#include "supervision/reasons.hpp"

#include <algorithm>
#include <utility>

namespace lifeguard::detail {

using phase = worker_record::phase;

// --- what callers ask for

worker_registry::put_result worker_registry::put(const std::string& id, worker_spec spec,
                                                 put_mode mode, registry_actions& a) {
    const auto at = workers_.find(id);
    if (at == workers_.end()) {
        if (mode != put_mode::move && workers_.size() >= max_)
            return put_result::full;
        auto made = a.make(id, std::move(spec));
        workers_.emplace(id, made);
        refresh(*made);
        a.start(*made);
        return put_result::done;
    }
    worker_record& w = *at->second;
    if (mode == put_mode::only_new && w.is_reachable())
        return put_result::exists;
    const bool ends_already = w.now == phase::ending || w.doomed;
    w.next = std::move(spec);
    if (!ends_already) {
        w.why = reason_of(exit_reason::kind::shutdown, "replaced");
        begin_to_end(w, a);
    }
    refresh(w);
    return put_result::done;
}

bool worker_registry::del(const std::string& id, exit_reason why, registry_actions& a) {
    const auto at = workers_.find(id);
    return at != workers_.end() && del(*at->second, std::move(why), a);
}

bool worker_registry::del(worker_record& w, exit_reason why, registry_actions& a) {
    if (w.now == phase::gone || !w.is_reachable())
        return false;
    w.next.reset();
    if (w.now != phase::ending && !w.doomed) {
        w.why = std::move(why);
        begin_to_end(w, a);
    }
    refresh(w);
    return true;
}

/// A child that the supervisor does not know yet cannot be ended: that has to wait.
void worker_registry::begin_to_end(worker_record& w, registry_actions& a) {
    if (w.now == phase::starting) {
        w.doomed = true;
        return;
    }
    w.now = phase::ending;
    a.stop(w);
}

// --- what happens

void worker_registry::add(std::shared_ptr<worker_record> w) {
    worker_record& added = *w;
    workers_.emplace(added.id, std::move(w));
    refresh(added);
}

bool worker_registry::began(worker_record& w, registry_actions& a) {
    if (w.now != phase::starting)
        return w.now == phase::running;
    w.now = phase::running;
    if (std::exchange(w.doomed, false)) {
        begin_to_end(w, a);
        refresh(w);
        return false;
    }
    refresh(w);
    a.settled(w);
    return true;
}

void worker_registry::lost(worker_record& w, registry_actions& a) {
    if (w.now != phase::gone)
        erase(w, a);
}

void worker_registry::stopped(worker_record& w, registry_actions& a) {
    if (w.now != phase::ending)
        return;
    if (!w.next) {
        erase(w, a);
        return;
    }
    w.spec = std::move(*w.next);
    w.next.reset();
    w.now = phase::starting;
    refresh(w);
    a.start(w);
}

void worker_registry::erase(worker_record& w, registry_actions& a) {
    w.unlink();
    w.next.reset();
    w.now = phase::gone;
    a.settled(w);
    workers_.erase(w.id); // may be its last owner
}

std::vector<std::shared_ptr<worker_record>> worker_registry::clear(registry_actions& a) {
    std::vector<std::shared_ptr<worker_record>> all;
    for (auto& [id, w] : workers_) {
        w->unlink();
        w->next.reset();
        w->now = phase::gone;
        a.settled(*w);
        all.push_back(std::move(w));
    }
    workers_.clear();
    return all;
}

// --- the least busy

void worker_registry::load_changed(worker_record& w) {
    if (w.is_linked())
        refresh(w);
}

void worker_registry::refresh(worker_record& w) {
    w.unlink();
    if (w.now == phase::gone || !w.is_reachable())
        return;
    if (by_load_.size() <= w.load())
        by_load_.resize(w.load() + 1);
    by_load_[w.load()].push_back(w);
}

worker_record* worker_registry::least_busy() noexcept {
    const auto least =
        std::ranges::find_if(by_load_, [](const same_load& all) { return !all.empty(); });
    return least == by_load_.end() ? nullptr : &least->front();
}

worker_record* worker_registry::find(const std::string& id) noexcept {
    const auto at = workers_.find(id);
    return at != workers_.end() && at->second->is_reachable() ? at->second.get() : nullptr;
}

std::shared_ptr<worker_record> worker_registry::found(const std::string& id) const {
    const auto at = workers_.find(id);
    return at != workers_.end() ? at->second : nullptr;
}

} // namespace lifeguard::detail
