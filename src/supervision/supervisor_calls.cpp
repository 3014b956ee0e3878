// The part of the supervisor's shell that other coroutines call.
#include "supervision/one_line.hpp"
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

child_info::state state_of(const detail::supervised_child& child) {
    using phase = detail::supervised_child::phase;
    if (child.is_stopping())
        return child_info::state::stopping;
    switch (child.now) {
    case phase::down:
        return child_info::state::not_started;
    case phase::starting:
        return child_info::state::starting;
    case phase::running:
        return child_info::state::running;
    case phase::restarting:
        return child_info::state::restarting;
    }
    return child_info::state::not_started;
}

const char* name_of(child_info::state state) {
    switch (state) {
    case child_info::state::not_started:
        return "not started";
    case child_info::state::starting:
        return "starting";
    case child_info::state::running:
        return "running";
    case child_info::state::stopping:
        return "stopping";
    case child_info::state::restarting:
        return "restarting";
    }
    return "unknown";
}

const char* name_of(strategy s) {
    switch (s) {
    case strategy::one_for_one:
        return "one_for_one";
    case strategy::one_for_all:
        return "one_for_all";
    case strategy::rest_for_one:
        return "rest_for_one";
    case strategy::simple_one_for_one:
        return "simple_one_for_one";
    }
    return "unknown";
}

child_info info_of(const detail::supervised_child& child) {
    child_info info;
    info.id = child.id;
    info.state_now = state_of(child);
    info.type = child.type;
    info.restart = child.restart;
    info.incarnation = child.incarnation;
    info.restarts = child.restarts;
    return info;
}

} // namespace

error supervisor::shell::error_about(errc code, const std::string& child) const {
    std::string what = "supervisor '" + detail::one_line(options_.name) + "'";
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
    const auto found = calls_.extract(t);
    return found ? std::move(found.mapped()) : nullptr;
}

asio::awaitable<void> supervisor::shell::wait_for(std::shared_ptr<detail::call> c) {
    co_await detail::reply::wait(c);
    if (c->failure)
        std::rethrow_exception(c->failure);
}

asio::awaitable<void> supervisor::shell::ask(std::shared_ptr<shell> self,
                                             std::shared_ptr<detail::call> c,
                                             child_request request) {
    c->started.id = request.fresh ? request.fresh->id : request.id;
    request.from = self->open(c);
    self->post([request = std::move(request)](shell& s) mutable {
        s.core_.submit(std::move(request), s.now_);
    });
    co_await wait_for(std::move(c));
}

void supervisor::shell::perform(detail::action::answer& a) {
    const auto c = close(a.to);
    if (!c)
        return;
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

asio::awaitable<started_child> supervisor::shell::start_child(std::shared_ptr<shell> self,
                                                              child_spec spec) {
    detail::validate(spec, self->options_);
    child_request request;
    request.what = child_request::kind::start;
    request.fresh.reset(new shell_child(std::move(spec)));
    const auto c = std::make_shared<detail::call>();
    co_await ask(std::move(self), c, std::move(request));
    co_return std::move(c->started);
}

asio::awaitable<started_child> supervisor::shell::restart_child(std::shared_ptr<shell> self,
                                                                std::string id) {
    child_request request;
    request.what = child_request::kind::restart;
    request.id = std::move(id);
    const auto c = std::make_shared<detail::call>();
    co_await ask(std::move(self), c, std::move(request));
    co_return std::move(c->started);
}

asio::awaitable<void> supervisor::shell::change(std::shared_ptr<shell> self,
                                                child_request::kind what, std::string id) {
    child_request request;
    request.what = what;
    request.id = std::move(id);
    co_await ask(std::move(self), std::make_shared<detail::call>(), std::move(request));
}

asio::awaitable<void> supervisor::shell::read(std::shared_ptr<shell> self,
                                              std::function<void(shell&)> reader) {
    child_request request;
    co_await ask(std::move(self), std::make_shared<detail::call>(std::move(reader)),
                 std::move(request));
}

// What is read lies beside the frame: a cancelled caller does not wait for the reader.

asio::awaitable<std::vector<child_info>>
supervisor::shell::which_children(std::shared_ptr<shell> self) {
    const auto list = std::make_shared<std::vector<child_info>>();
    std::function<void(shell&)> reader = [list](shell& s) {
        for (const auto& child : s.core_.children())
            list->push_back(info_of(child));
    };
    co_await read(std::move(self), std::move(reader));
    co_return std::move(*list);
}

asio::awaitable<child_counts> supervisor::shell::count_children(std::shared_ptr<shell> self) {
    const auto counts = std::make_shared<child_counts>();
    std::function<void(shell&)> reader = [counts](shell& s) { *counts = s.core_.counts(); };
    co_await read(std::move(self), std::move(reader));
    co_return *counts;
}

asio::awaitable<child_spec> supervisor::shell::get_childspec(std::shared_ptr<shell> self,
                                                             std::string id) {
    const auto found = std::make_shared<std::vector<child_spec>>();
    std::function<void(shell&)> reader = [found, id = std::move(id)](shell& s) {
        const auto* child = s.core_.find(id);
        if (child == nullptr)
            throw s.error_about(errc::not_found, id);
        found->push_back(static_cast<const shell_child*>(child)->spec());
    };
    co_await read(std::move(self), std::move(reader));
    co_return std::move(found->front());
}

// ---- the tree

/// A supervisor's own lines, and the supervisors below it that have not drawn theirs yet.
struct supervisor::shell::sketch {
    detail::tree_node top;
    std::vector<std::pair<std::size_t, supervisor>> below;
};

supervisor::shell::sketch supervisor::shell::draw() const {
    const auto about = [](const supervisor_options& o) {
        return std::string(name_of(o.strategy)) + ", " +
               detail::describe_intensity(o.intensity, o.period);
    };
    sketch drawn;
    drawn.top.name = options_.name;
    drawn.top.about = about(options_);
    for (const auto& c : core_.children()) {
        const auto& child = static_cast<const shell_child&>(c);
        const child_info::state state = state_of(child);
        const supervisor* nested = child.nested_supervisor();
        detail::tree_node node;
        node.name = child.id;
        node.about = child.type == child_type::supervisor || nested ? "supervisor" : "worker";
        if (nested)
            node.about += ", " + about(nested->shell_->options_);
        if (!nested || state != child_info::state::running)
            node.about.append(", ").append(name_of(state));
        if (child.incarnation > 1)
            node.about.append(", incarnation ").append(std::to_string(child.incarnation));
        if (nested)
            drawn.below.emplace_back(drawn.top.children.size(), *nested);
        drawn.top.children.push_back(std::move(node));
    }
    return drawn;
}

asio::awaitable<detail::tree_node> supervisor::shell::tree(std::shared_ptr<shell> self) {
    // Not a request: a tree that is stuck in its start must still be drawn.
    const auto drawn = std::make_shared<sketch>();
    const auto c = std::make_shared<detail::call>();
    const auto from = self->open(c);
    self->post([from, drawn](shell& s) {
        const auto asked = s.close(from);
        if (!asked)
            return;
        if (s.core_.mode_now() == core::mode::ended)
            asked->failure = std::make_exception_ptr(s.error_about(errc::no_such_supervisor, {}));
        else
            *drawn = s.draw();
        asked->arrive();
    });
    co_await wait_for(c);
    for (auto& [at, nested] : drawn->below) {
        try {
            auto below = co_await tree(nested.shell_);
            drawn->top.children[at].children = std::move(below.children);
        } catch (const error& e) {
            if (e.code() != errc::no_such_supervisor) // it may have ended meanwhile
                throw;
        }
    }
    co_return std::move(drawn->top);
}

} // namespace lifeguard
