// The part of the supervisor's shell that other coroutines call.
#include "base/one_line.hpp"
#include "supervision/supervisor_shell.hpp"
#include "supervision/validation.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

namespace lifeguard {

using detail::child_request;
using detail::shell_child;

namespace {

/// `what` with `cause` nested in it, when there is one.
std::exception_ptr nest(const error& what, const std::exception_ptr& cause) {
    if (!cause)
        return std::make_exception_ptr(what);
    try {
        try {
            std::rethrow_exception(cause);
        } catch (...) {
            std::throw_with_nested(what);
        }
    } catch (...) {
        return std::current_exception();
    }
}

} // namespace

error supervisor::shell::error_about(errc code, const std::string& child) const {
    std::string what = "supervisor '" + detail::one_line(name_) + "'";
    if (!child.empty())
        what += ", child '" + detail::one_line(child) + "'";
    return error(code, what);
}

// ---- run and stop

/// The reply that arrives when the supervisor has ended; empty when it has.
std::shared_ptr<detail::reply> supervisor::shell::at_end(bool first) {
    const std::lock_guard lock(mutex_);
    if (ended_)
        return nullptr;
    auto end = std::make_shared<detail::reply>();
    at_end_.insert(first ? at_end_.begin() : at_end_.end(), end);
    return end;
}

void supervisor::shell::begin_run() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ran_, true))
        throw error_about(errc::already_started, {});
}

/// Stops the children when the frame of `run` is destroyed before it has ended: its caller's
/// context may go while theirs stays.
class supervisor::shell::orphanage {
  public:
    explicit orphanage(std::shared_ptr<shell> of) noexcept : of_(std::move(of)) {}
    orphanage(const orphanage&) = delete;
    orphanage& operator=(const orphanage&) = delete;
    ~orphanage() {
        if (of_)
            of_->request_force();
    }
    void are_gone() noexcept { of_.reset(); }

  private:
    std::shared_ptr<shell> of_;
};

asio::awaitable<void> supervisor::shell::run(std::shared_ptr<shell> self) {
    const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    self->begin_run();
    if (const auto end = self->at_end(true)) {
        orphanage children(self);
        const auto cancel = [weak = std::weak_ptr<shell>(self)](asio::cancellation_type type) {
            const auto alive = weak.lock();
            if (!alive || type == asio::cancellation_type::none)
                return;
            if ((type & asio::cancellation_type::terminal) != asio::cancellation_type::none)
                alive->request_force();
            else
                alive->request_stop();
        };
        self->post([](shell& s) { s.core_.start(s.now_); });
        cancel(cancelled);
        std::function<void(asio::cancellation_type)> on_cancel = cancel;
        co_await detail::reply::wait(end, std::move(on_cancel));
        children.are_gone();
    }
    self->throw_outcome();
}

void supervisor::shell::throw_outcome() const {
    using outcome = detail::action::finished::outcome;
    switch (outcome_.how) {
    case outcome::stopped:
    case outcome::auto_shutdown:
        return;
    case outcome::gave_up:
        throw exit_shutdown("intensity_exceeded");
    case outcome::start_failed:
        std::rethrow_exception(
            nest(error(errc::start_failed,
                       error_about(errc::start_failed, outcome_.failed_child).detail() + ": " +
                           outcome_.why.detail),
                 outcome_.why.cause));
    }
}

asio::awaitable<void> supervisor::shell::stop(std::shared_ptr<shell> self) {
    if (const auto end = self->at_end(false)) {
        self->request_stop();
        co_await detail::reply::wait(end);
    }
}

// ---- requests

detail::ticket supervisor::shell::open(std::shared_ptr<detail::call> c) {
    const std::lock_guard lock(mutex_);
    if (context_gone_)
        throw error_about(errc::no_such_supervisor, {});
    calls_.emplace(++tickets_, std::move(c));
    return tickets_;
}

std::shared_ptr<detail::call> supervisor::shell::close(detail::ticket t) {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(t);
    if (found == calls_.end())
        return nullptr;
    auto c = std::move(found->second);
    calls_.erase(found);
    return c;
}

// One coroutine, whatever is asked: each frame more would cost as much as the request itself.
asio::awaitable<started_child>
supervisor::shell::ask(std::shared_ptr<shell> self, std::shared_ptr<detail::call> c,
                       child_request request,
                       std::function<void(shell&, child_request&)> complete) {
    if (c->started.id.empty())
        c->started.id = request.id;
    request.from = self->open(c);
    self->on_strand(
        [request = std::move(request), complete = std::move(complete)](shell& s) mutable {
            try {
                if (complete)
                    complete(s, request);
            } catch (...) {
                if (const auto refused = s.close(request.from)) {
                    refused->failure = std::current_exception();
                    refused->arrive();
                }
                return;
            }
            s.core_.submit(std::move(request), s.now_);
        });
    // An answer that came in place is taken in place, but not always: others want the strand, too.
    if (!c->has_arrived() ||
        self->answered_.fetch_add(1, std::memory_order_relaxed) % answers_per_turn == 0) {
        detail::reply::waiting answer(c);
        co_await detail::suspend(answer);
        answer.resumed();
    }
    if (c->failure)
        std::rethrow_exception(c->failure);
    co_return std::move(c->started);
}

void supervisor::shell::perform(detail::action::answer& a) {
    const auto c = close(a.to);
    if (!c)
        return;
    if (a.child)
        c->started.id = a.child->id;
    if (a.code) {
        error what = error_about(*a.code, c->started.id);
        if (a.cause)
            what = error(*a.code, what.detail() + ": " + detail::one_line(describe(a.cause)));
        c->failure = nest(what, a.cause);
    } else if (c->read) {
        try {
            c->read(*this);
        } catch (...) {
            c->failure = std::current_exception();
        }
    } else {
        c->started.incarnation = a.incarnation;
        c->started.info = std::move(a.info);
    }
    c->arrive();
}

asio::awaitable<started_child>
supervisor::shell::start(std::shared_ptr<shell> self, std::string id,
                         std::function<void(shell&, child_request&)> complete) {
    child_request request;
    request.what = child_request::kind::start;
    auto c = std::make_shared<detail::call>();
    c->started.id = std::move(id);
    return ask(std::move(self), std::move(c), std::move(request), std::move(complete));
}

asio::awaitable<started_child> supervisor::shell::start_child(std::shared_ptr<shell> self,
                                                              child_spec spec) {
    std::string id = spec.id;
    return start(std::move(self), std::move(id),
                 [spec = std::move(spec)](shell& s, child_request& request) mutable {
                     detail::validate(spec, s.core_.options());
                     if (s.core_.options().strategy == strategy::simple_one_for_one)
                         throw s.error_about(errc::simple_one_for_one, spec.id);
                     request.child.reset(new shell_child(std::move(spec)));
                 });
}

asio::awaitable<started_child> supervisor::shell::start_child(std::shared_ptr<shell> self,
                                                              std::any argument) {
    return start(std::move(self), {},
                 [argument = std::move(argument)](shell& s, child_request& request) mutable {
                     if (s.core_.options().strategy != strategy::simple_one_for_one)
                         throw s.error_about(errc::unsupported, {});
                     const auto& made_of = s.core_.template_spec();
                     if (!made_of)
                         return; // it has ended, and will say so
                     request.child.reset(
                         new shell_child(static_cast<shell_child&>(*made_of), std::move(argument)));
                 });
}

asio::awaitable<void> supervisor::shell::reconfigure(std::shared_ptr<shell> self,
                                                     supervisor_options options,
                                                     std::vector<child_spec> children) {
    detail::validate(options, children);
    child_request request;
    request.what = child_request::kind::reconfigure;
    request.configuration = std::make_shared<detail::new_configuration>();
    request.configuration->options = std::move(options);
    for (child_spec& spec : children)
        request.configuration->children.emplace_back(new shell_child(std::move(spec)));
    std::function<void(shell&, child_request&)> keep = [](shell& s, child_request& r) {
        const supervisor_options& now = s.core_.options();
        supervisor_options& then = r.configuration->options;
        then.name = now.name;
        then.time = now.time;
        then.log = now.log;
        then.names = now.names;
        then.watchdog = now.watchdog;
    };
    co_await ask(std::move(self), std::make_shared<detail::call>(), std::move(request),
                 std::move(keep));
}

asio::awaitable<started_child> supervisor::shell::restart_child(std::shared_ptr<shell> self,
                                                                std::string id) {
    child_request request;
    request.what = child_request::kind::restart;
    request.id = std::move(id);
    return ask(std::move(self), std::make_shared<detail::call>(), std::move(request));
}

asio::awaitable<void> supervisor::shell::change(std::shared_ptr<shell> self,
                                                child_request::kind what, std::string id) {
    child_request request;
    request.what = what;
    request.id = std::move(id);
    co_await ask(std::move(self), std::make_shared<detail::call>(), std::move(request));
}

} // namespace lifeguard
