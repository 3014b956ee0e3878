#include "supervision/supervisor_shell.hpp"

#include "base/stop_request.hpp"
#include "supervision/incarnation.hpp"
#include "supervision/supervisor_report.hpp"

namespace lifeguard {

using detail::incarnation;
using detail::incarnation_ptr;
using detail::shell_child;

namespace {

shell_child& of_shell(const detail::child_ptr& child) { return static_cast<shell_child&>(*child); }

} // namespace

/// The one deadline of a child, or of those that stop together.
class supervisor::shell::child_deadline final : public detail::deadline {
  public:
    child_deadline(std::weak_ptr<shell> of, detail::child_ptr child, std::uint64_t id)
        : shell_(std::move(of)), child_(std::move(child)), id_(id) {}

    std::uint64_t id() const noexcept { return id_; }

    void expired(time_point) override {
        if (const auto alive = shell_.lock())
            alive->deadline_passed(child_, id_);
    }

  private:
    std::weak_ptr<shell> shell_;
    detail::child_ptr child_;
    std::uint64_t id_;
};

supervisor::shell::shell(const asio::any_io_executor& executor, supervisor_options options)
    : home_(detail::guarded_executor::make(detail::strand_of(executor))),
      name_(options.name),
      log_(options.log),
      time_(options.time ? options.time : real_time_source()),
      deadlines_(detail::deadline_service::of(executor, time_)),
      names_(options.names),
      watchdog_(options.watchdog),
      core_(std::move(options)) {}

supervisor::shell::~shell() = default;

void supervisor::shell::add(child_spec spec) {
    detail::child_ptr child(new shell_child(std::move(spec)));
    if (core_.options().strategy == strategy::simple_one_for_one)
        core_.set_template(std::move(child));
    else
        core_.add(std::move(child));
}

bool supervisor::shell::add_first(child_spec spec) {
    return core_.add(detail::child_ptr(new shell_child(std::move(spec))), true);
}

// ---- what happens

void supervisor::shell::take_start(incarnation& of, std::any info) {
    shell_child& child = of.child();
    if (child.current == &of && child.now == detail::supervised_child::phase::starting)
        child.announce(name_, info);
    look_for_observers(); // its start function may have subscribed
    core_.started(child, of.number(), std::move(info), now_);
}

// The next sibling does not start inside this one: no launches here.
void supervisor::shell::started(incarnation& of, std::any info) {
    auto news = [of = incarnation_ptr(&of), info = std::move(info)](shell& self) mutable {
        self.take_start(*of, std::move(info));
    };
    on_strand(std::move(news), 0);
}

void supervisor::shell::started_here(incarnation& of, std::any info) {
    if (launching_) // within a step
        take_start(of, std::move(info));
    else
        step([&](shell& self) { self.take_start(of, std::move(info)); }, 0);
}

void supervisor::shell::is_nested(incarnation& of, std::any info, supervisor nested) {
    {
        shell& below = *nested.shell_;
        const std::lock_guard lock(below.mutex_);
        below.when_started_ = [of = incarnation_ptr(&of), info = std::move(info)] {
            of->ready(info);
        };
    }
    on_strand([of = incarnation_ptr(&of), nested = std::move(nested)](shell&) mutable {
        shell_child& child = of->child();
        if (child.current != of)
            return;
        child.nested = true;
        child.set_nested_supervisor(std::make_unique<supervisor>(std::move(nested)));
    });
}

void supervisor::shell::take_end(incarnation& of) {
    shell_child& child = of.child();
    if (child.current == &of)
        child.let_go();
    else
        abandoned_.erase(incarnation_ptr(&of));
    core_.ended(child, of.number(), of.take_end(), now_);
}

void supervisor::shell::ended(incarnation& of) {
    on_strand([of = incarnation_ptr(&of)](shell& self) { self.take_end(*of); });
}

void supervisor::shell::ended_here(incarnation& of) {
    if (!watchdog_) // a watch names the incarnation for which it was made
        renewable_ = &of;
    step([&of](shell& self) { self.take_end(of); });
    if (std::exchange(launching_, false)) { // it has ended while it was being launched
        perform_actions();
        launching_ = true;
    }
    renewable_ = nullptr;
}

void supervisor::shell::deadline_passed(const detail::child_ptr& child, std::uint64_t deadline) {
    post([child, deadline](shell& self) {
        const auto armed = self.armed_.find(child.get());
        if (armed != self.armed_.end() && armed->second->id() == deadline)
            self.armed_.erase(armed);
        self.core_.deadline_passed(child.get(), deadline, self.now_);
    });
}

void supervisor::shell::request_stop() {
    post([](shell& self) { self.core_.stop(self.now_); });
}

void supervisor::shell::request_force() {
    post([](shell& self) { self.core_.force(self.now_); });
}

// ---- what is to be done

void supervisor::shell::carry_out(unsigned launches) noexcept {
    carrying_out_ = true;
    do
        perform_actions();
    while (launch_next(launches));
    carrying_out_ = false;
    const std::lock_guard lock(mutex_);
    figures_ = core_.figures();
}

void supervisor::shell::perform_actions() noexcept {
    while (core_.has_actions()) {
        core_.take_actions(actions_);
        for (detail::supervisor_action& a : actions_)
            std::visit([this](auto& what) { perform(what); }, a);
        actions_.clear();
    }
}

void supervisor::shell::perform(detail::action::request_stop& a) {
    if (const auto& current = of_shell(a.child).current)
        current->cancel(detail::stop_request);
}

void supervisor::shell::perform(detail::action::force& a) {
    if (const auto& current = of_shell(a.child).current)
        current->cancel(asio::cancellation_type::terminal);
}

void supervisor::shell::perform(detail::action::abandon& a) {
    abandoned_.insert(of_shell(a.child).let_go());
}

void supervisor::shell::perform(detail::action::set_deadline& a) {
    auto& armed = armed_[a.child.get()];
    armed = std::make_shared<child_deadline>(weak_from_this(), a.child, a.deadline);
    deadlines_->arm(*armed, a.at);
}

void supervisor::shell::perform(detail::action::clear_deadline& a) { armed_.erase(a.child.get()); }

void supervisor::shell::perform(detail::action::repeat_restart& a) {
    detail::child_request repeat;
    repeat.what = detail::child_request::kind::repeat;
    repeat.child = std::move(a.child);
    repeat.incarnation = a.incarnation;
    post([repeat = std::move(repeat)](shell& self) mutable {
        self.core_.submit(std::move(repeat), self.now_);
    });
}

void supervisor::shell::perform(detail::action::started&) {
    std::function<void()> tell_parent;
    {
        const std::lock_guard lock(mutex_);
        tell_parent.swap(when_started_);
    }
    if (tell_parent)
        tell_parent();
}

void supervisor::shell::perform(detail::action::finished& a) {
    std::function<void()> dropped;
    std::vector<std::shared_ptr<detail::reply>> waiting;
    {
        const std::lock_guard lock(mutex_);
        outcome_ = std::move(a);
        ended_ = true;
        waiting.swap(at_end_);
        dropped.swap(when_started_);
    }
    for (const auto& w : waiting)
        w->arrive();
}

void supervisor::shell::perform(detail::action::emit& a) {
    supervisor_event event;
    event.what = a.what;
    event.when = a.when;
    event.supervisor = name_;
    if (a.child)
        event.child = a.child->id;
    event.incarnation = a.incarnation;
    event.reason = std::move(a.reason);
    event.at = now_;
    tell(event);
}

void supervisor::shell::tell(const supervisor_event& event) {
    if (log_)
        if (const auto record = detail::log_record_of(event))
            log_.write(*record);
    std::vector<std::shared_ptr<subscription>> listening;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
        has_subscribers_ = !subscriptions_.empty();
        for (const auto& weak : subscriptions_)
            if (auto alive = weak.lock())
                listening.push_back(std::move(alive));
    }
    for (const auto& subscriber : listening) {
        try {
            subscriber->f(event);
        } catch (...) {
            const std::lock_guard lock(mutex_);
            ++subscriber_errors_;
        }
    }
}

std::shared_ptr<void> supervisor::shell::subscribe(std::function<void(const supervisor_event&)> f) {
    auto subscriber = std::make_shared<subscription>(std::move(f));
    const std::lock_guard lock(mutex_);
    subscriptions_.push_back(subscriber);
    has_subscribers_ = true;
    return subscriber;
}

stop_figures supervisor::shell::figures() const {
    const std::lock_guard lock(mutex_);
    stop_figures all = figures_;
    all.stop_latency_p50 = core_.stop_latency().percentile(0.5);
    all.stop_latency_p99 = core_.stop_latency().percentile(0.99);
    all.observer_errors = subscriber_errors_ + log_.errors();
    return all;
}

void supervisor::shell::context_shutdown() noexcept {
    // Everything here may be the last to own what it lets go of, and user code may run while it
    // goes: first take it out, then let it go, without the lock.
    decltype(calls_) calls;
    decltype(at_end_) waiting;
    std::function<void()> dropped;
    {
        const std::lock_guard lock(mutex_);
        ended_ = context_gone_ = true;
        calls.swap(calls_);
        waiting.swap(at_end_);
        dropped.swap(when_started_);
    }
    home_->context_shutdown();
    armed_.clear();
    abandoned_.clear();
    for (const auto& c : core_.children()) {
        auto& child = of_shell(detail::child_ptr(const_cast<detail::supervised_child*>(&c)));
        // In another context it would run on without a supervisor.
        if (child.current && !child.current->is_at_home())
            child.current->cancel(asio::cancellation_type::terminal);
        child.let_go();
    }
    core_.clear();
    actions_.clear();
    launches_.clear();
    // Callers that live in another context go on there.
    for (const auto& [t, c] : calls) {
        c->failure = std::make_exception_ptr(error_about(errc::no_such_supervisor, {}));
        c->arrive();
    }
    for (const auto& w : waiting)
        w->arrive();
}

} // namespace lifeguard
