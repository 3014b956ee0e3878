#include "supervision/supervisor_core.hpp"

#include "supervision/reasons.hpp"

#include <algorithm>
#include <utility>

namespace lifeguard::detail {
namespace {

time_point later(time_point now, duration by) noexcept {
    return by < time_point::max() - now ? now + by : time_point::max();
}

} // namespace

supervisor_core::supervisor_core(supervisor_options options)
    : options_(std::move(options)), intensity_(options_.intensity, options_.period) {}

supervisor_core::~supervisor_core() { clear(); }

// ---- the children

bool supervisor_core::add(child_ptr child, bool first) {
    if (!index_.insert(indexed_child(*child)).second)
        return false;
    if (child->type == child_type::supervisor)
        ++supervisors_;
    children_.insert(first ? children_.begin() : children_.end(), *child.detach());
    return true;
}

/// Of a child that is down.
void supervisor_core::remove(supervised_child& child) {
    delays_.forget(&child);
    index_.erase(indexed_child(child));
    children_.erase(children_.iterator_to(child));
    if (child.type == child_type::supervisor)
        --supervisors_;
    intrusive_ptr_release(&child);
}

void supervisor_core::clear() noexcept {
    // Start functions may own anything, also whoever owns this core.
    const auto waiting = std::move(waiting_);
    const auto actions = std::move(actions_);
    const auto made_of = std::move(template_);
    waiting_.clear();
    actions_.clear();
    remove_all();
}

void supervisor_core::remove_all() noexcept {
    index_.clear();
    children_.clear_and_dispose([](supervised_child* c) { intrusive_ptr_release(c); });
}

supervised_child* supervisor_core::find(std::string_view id) const {
    const auto found = index_.find(id);
    return found == index_.end() ? nullptr : found->child;
}

child_counts supervisor_core::counts() const noexcept {
    return {.specs = is_simple() ? 1 : index_.size(),
            .active = alive_,
            .supervisors = supervisors_,
            .workers = index_.size() - supervisors_};
}

/// Changes what is counted of a child.
template <typename Change>
void supervisor_core::recount(supervised_child& child, Change change) {
    const auto is_significant = [&] { return child.significant && child.now != phase::down; };
    alive_ -= child.is_alive() ? 1 : 0;
    significant_ -= is_significant() ? 1 : 0;
    supervisors_ -= child.type == child_type::supervisor ? 1 : 0;
    change(child);
    alive_ += child.is_alive() ? 1 : 0;
    significant_ += is_significant() ? 1 : 0;
    supervisors_ += child.type == child_type::supervisor ? 1 : 0;
}

void supervisor_core::set_phase(supervised_child& child, phase now) {
    recount(child, [now](supervised_child& c) { c.now = now; });
}

/// Of a child without a coroutine: it may have waited for its restart.
void supervisor_core::put_down(supervised_child& child) {
    clear_deadline(child);
    child.work.reset();
    set_phase(child, phase::down);
}

void supervisor_core::handle_reconfigure(child_request& request, time_point now) {
    new_configuration& to = *request.configuration;
    if (is_simple() != (to.options.strategy == strategy::simple_one_for_one))
        return answer(request.from, errc::unsupported);
    options_ = std::move(to.options);
    intensity_.reconfigure(options_.intensity, options_.period, now);
    if (is_simple()) {
        template_->adopt(*to.children.front());
        for (supervised_child& child : children_)
            recount(child, [this](supervised_child& c) { c.adopt(*template_); });
        return answer(request.from);
    }
    // In the new order, behind those that the new list does not know.
    for (child_ptr& spec : to.children) {
        supervised_child* known = find(spec->id);
        if (known == nullptr) {
            add(std::move(spec));
            continue;
        }
        recount(*known, [&](supervised_child& c) { c.adopt(*spec); });
        children_.splice(children_.end(), children_, children_.iterator_to(*known));
    }
    answer(request.from);
}

// ---- starting

void supervisor_core::start(time_point now) {
    if (mode_ != mode::idle)
        return;
    mode_ = mode::starting;
    start_from(children_.begin(), now);
}

void supervisor_core::start_from(const child_list::iterator& next, time_point now) {
    if (next != children_.end()) {
        turn_ = &*next;
        return begun_ ? respawn(*next, now) : spawn(*next, start_cause::initial, now);
    }
    actions_.emplace_back(action::started());
    settle(now);
}

/// Nobody starts or stops in turn any more: whoever waited for that goes on.
void supervisor_core::settle(time_point now) {
    turn_ = nullptr;
    begun_ = true;
    mode_ = mode::running;
    resubmit(std::exchange(waiting_, {}), now);
}

void supervisor_core::spawn(supervised_child& child, start_cause cause, time_point now) {
    set_phase(child, phase::starting);
    child.cause = cause;
    child.lost = false;
    child.nested = false;
    ++child.incarnation;
    if (child.start_timeout > duration::zero())
        set_deadline(child, now, child.start_timeout);
    actions_.emplace_back(action::spawn{child_ptr(&child)});
}

void supervisor_core::started(supervised_child& child, unsigned incarnation, std::any info,
                              time_point now) {
    if (incarnation != child.incarnation || child.now != phase::starting)
        return;
    set_phase(child, phase::running);
    if (!child.is_stopping())
        clear_deadline(child);
    emit(event::child_started, context::none, &child);
    if (child.work && child.work->starter != 0)
        actions_.emplace_back(action::answer{.to = std::exchange(child.work->starter, 0),
                                             .code = {},
                                             .cause = {},
                                             .child = child_ptr(&child),
                                             .incarnation = incarnation,
                                             .info = std::move(info)});
    if (!child.is_stopping())
        child.work.reset();
    if (turn_ == &child && mode_ == mode::starting)
        start_from(std::next(children_.iterator_to(child)), now);
}

void supervisor_core::start_ignored(supervised_child& child, last_moments& last, time_point now) {
    --child.incarnation; // it did not run
    answer(last.work.starter, {}, {}, &child);
    const auto next = std::next(children_.iterator_to(child));
    const bool in_turn = turn_ == &child && mode_ == mode::starting;
    stay_down(child, last, false, now);
    if (in_turn)
        start_from(next, now);
}

void supervisor_core::start_refused(supervised_child& child, last_moments& last, time_point now) {
    if (last.told_to_end())
        report_exit(child, last);
    else
        emit(event::start_failed, context::start_error, &child, last.reason);
    const bool ending = mode_ == mode::stopping;
    answer(last.work.starter, ending ? errc::no_such_supervisor : errc::start_failed,
           last.reason.cause, &child);
    if (!last.told_to_end() && !ending) {
        if (child.cause == start_cause::automatic)
            return restart_failed(child, now);
        if (child.cause == start_cause::initial) {
            outcome_.failed_child = child.id;
            outcome_.why = last.reason;
            begin_stop(outcome::start_failed, now);
        }
    }
    stay_down(child, last, child.cause == start_cause::start_call, now);
}

// ---- odds and ends

child_work& supervisor_core::work_of(supervised_child& child) {
    if (!child.work)
        child.work = std::make_unique<child_work>();
    return *child.work;
}

void supervisor_core::set_deadline(supervised_child& child, time_point now, duration after) {
    const std::uint64_t deadline = ++deadlines_;
    work_of(child).deadline = deadline;
    actions_.emplace_back(action::set_deadline{child_ptr(&child), deadline, later(now, after)});
}

void supervisor_core::clear_deadline(supervised_child& child) {
    if (child.work && std::exchange(child.work->deadline, 0) != 0)
        actions_.emplace_back(action::clear_deadline{child_ptr(&child)});
}

void supervisor_core::set_shared_deadline(time_point now, duration after) {
    shared_deadline_ = ++deadlines_;
    actions_.emplace_back(action::set_deadline{{}, shared_deadline_, later(now, after)});
}

void supervisor_core::answer(ticket to, std::optional<errc> code, std::exception_ptr cause,
                             supervised_child* child) {
    if (to != 0)
        actions_.emplace_back(action::answer{
            .to = to, .code = code, .cause = std::move(cause), .child = child_ptr(child)});
}

void supervisor_core::emit(event what, context when, supervised_child* child,
                           const exit_reason& reason) {
    if (!observed_)
        return;
    actions_.emplace_back(action::emit{.what = what,
                                       .when = when,
                                       .child = child_ptr(child),
                                       .incarnation = child ? child->incarnation : 0,
                                       .reason = reason});
}

} // namespace lifeguard::detail
