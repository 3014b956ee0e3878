#include "supervision/puppet.hpp"

#include "base/deadline_service.hpp"
#include <lifeguard/shielded.hpp>

#include <boost/asio/this_coro.hpp>

#include <stdexcept>

namespace lifeguard::test {

using namespace std::chrono_literals;

// ---- waiting

namespace {

class nap final : public detail::deadline {
  public:
    const std::shared_ptr<detail::reply> over = std::make_shared<detail::reply>();
    void expired(time_point) override { over->arrive(); }
};

} // namespace

asio::awaitable<void> sleep(std::shared_ptr<time_source> time, duration by) {
    const auto service = detail::deadline_service::of(co_await asio::this_coro::executor, time);
    const auto n = std::make_shared<nap>();
    service->arm(*n, time->now() + by);
    co_await detail::reply::wait(n->over);
}

asio::awaitable<void> forever() { co_await detail::reply::wait(std::make_shared<detail::reply>()); }

asio::awaitable<void> deaf(std::shared_ptr<detail::reply> until) {
    co_await asio::this_coro::throw_if_cancelled(false);
    std::function<void(asio::cancellation_type)> hears_nothing = [](asio::cancellation_type) {};
    co_await detail::reply::wait(std::move(until), std::move(hears_nothing));
}

// ---- journal

void journal::add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
}

std::string journal::take() {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const auto& line : lines_)
        all += (all.empty() ? "" : ", ") + line;
    lines_.clear();
    return all;
}

// ---- puppet

struct puppet::strings {
    std::string id;
    std::shared_ptr<journal> notes;

    mutable std::mutex mutex;
    int starts = 0;
    int live = 0;
    int ignores = 0;
    int fails = 0;
    int fails_after = 0;
    order what = order::none;
    std::string detail;
    std::shared_ptr<detail::reply> told;

    void note(const char* sign) const {
        if (notes)
            notes->add(sign + id);
    }

    /// Lives as long as the coroutine's frame.
    struct presence {
        explicit presence(std::shared_ptr<strings> of) : s(std::move(of)) {
            const std::lock_guard lock(s->mutex);
            ++s->live;
        }
        presence(const presence&) = delete;
        presence& operator=(const presence&) = delete;
        ~presence() {
            s->note("-");
            const std::lock_guard lock(s->mutex);
            --s->live;
        }
        std::shared_ptr<strings> s;
    };
};

puppet::puppet(std::string id, std::shared_ptr<journal> notes)
    : strings_(std::make_shared<strings>()) {
    strings_->id = std::move(id);
    strings_->notes = std::move(notes);
}

child_spec puppet::spec(restart_type restart) const {
    child_spec spec(strings_->id, [s = strings_]() -> child_body {
        {
            const std::lock_guard lock(s->mutex);
            ++s->starts;
            if (s->fails_after > 0) {
                --s->fails_after;
            } else if (s->fails > 0) {
                --s->fails;
                throw std::runtime_error("no start");
            }
            if (s->ignores > 0) {
                --s->ignores;
                return child_body::ignore();
            }
            s->told = std::make_shared<detail::reply>();
        }
        s->note("+");
        return run(s);
    });
    spec.restart = restart;
    return spec;
}

asio::awaitable<void> puppet::run(std::shared_ptr<strings> s) {
    const strings::presence here(s);
    std::shared_ptr<detail::reply> told;
    {
        const std::lock_guard lock(s->mutex);
        told = s->told;
    }
    co_await detail::reply::wait(told);
    const std::lock_guard lock(s->mutex);
    switch (s->what) {
    case order::none:
    case order::returns:
        co_return;
    case order::crashes:
        throw std::runtime_error("crash");
    case order::leaves:
        throw exit_shutdown(s->detail);
    }
}

void puppet::tell(order what, std::string detail) const {
    std::shared_ptr<detail::reply> told;
    {
        const std::lock_guard lock(strings_->mutex);
        strings_->what = what;
        strings_->detail = std::move(detail);
        told = strings_->told;
    }
    told->arrive();
}

void puppet::fails_to_start(int times, int after) const {
    const std::lock_guard lock(strings_->mutex);
    strings_->fails = times;
    strings_->fails_after = after;
}

void puppet::ignores(int times) const {
    const std::lock_guard lock(strings_->mutex);
    strings_->ignores = times;
}

const std::string& puppet::id() const noexcept { return strings_->id; }

int puppet::starts() const {
    const std::lock_guard lock(strings_->mutex);
    return strings_->starts;
}

int puppet::live() const {
    const std::lock_guard lock(strings_->mutex);
    return strings_->live;
}

child_spec puppets(restart_type restart) {
    child_spec spec("p", [](const child_context& self, const std::any& who) {
        return std::any_cast<const puppet&>(who).spec().start(self);
    });
    spec.restart = restart;
    return spec;
}

// ---- difficult children

child_spec immovable::spec(shutdown_policy shutdown) const {
    child_spec s("rock", [*this]() -> asio::awaitable<void> {
        co_await deaf(let_go);
        notes->add("let go");
        if (throws_at_the_end)
            throw std::runtime_error("too late");
    });
    s.shutdown = shutdown;
    return s;
}

asio::awaitable<void> cleans_up(std::shared_ptr<time_source> time, duration by,
                                std::shared_ptr<journal> notes) {
    try {
        co_await forever();
    } catch (const boost::system::system_error&) {
        notes->add("asked");
    }
    co_await shield();
    co_await sleep(std::move(time), by);
    notes->add("clean");
}

// ---- reading a supervisor

namespace {

std::string line_of(const supervisor_event& e) {
    const std::string child = e.child + std::to_string(e.incarnation);
    switch (e.what) {
    case supervisor_event::kind::child_started:
        return "started " + child;
    case supervisor_event::kind::child_exited:
        return "exited " + child + " " + to_string(e.reason);
    case supervisor_event::kind::restart_scheduled:
        return "restart " + child;
    case supervisor_event::kind::start_failed:
        return "failed " + child + " " + to_string(e.reason);
    case supervisor_event::kind::child_abandoned:
        return "abandoned " + child;
    case supervisor_event::kind::gave_up:
        return "gave up";
    case supervisor_event::kind::ended:
        return "ended " + to_string(e.reason);
    }
    return "?";
}

const char* name_of(child_info::state s) {
    switch (s) {
    case child_info::state::not_started:
        return "not_started";
    case child_info::state::starting:
        return "starting";
    case child_info::state::running:
        return "running";
    case child_info::state::stopping:
        return "stopping";
    case child_info::state::restarting:
        return "restarting";
    }
    return "?";
}

} // namespace

listener::listener(supervisor& to) {
    subscription_ =
        to.subscribe([heard = heard_](const supervisor_event& e) { heard->add(line_of(e)); });
}

supervisor_options flags(test_context& ctx, unsigned intensity, duration period) {
    supervisor_options options;
    options.name = "top";
    options.intensity = intensity;
    options.period = period;
    options.time = ctx.time;
    return options;
}

supervisor_options flags(test_context& ctx, strategy s, unsigned intensity) {
    supervisor_options options = flags(ctx, intensity);
    options.strategy = s;
    return options;
}

supervisor_options impatient(test_context& ctx) {
    supervisor_options options = flags(ctx);
    options.kill_grace = 50ms;
    return options;
}

std::string counts(test_context& ctx, const supervisor& of) {
    const child_counts c = ctx.await(of.count_children());
    std::string text;
    for (const std::size_t n : {c.specs, c.active, c.supervisors, c.workers})
        text += (text.empty() ? "" : ",") + std::to_string(n);
    return text;
}

std::string list(test_context& ctx, const supervisor& of) {
    std::string text;
    for (const child_info& c : ctx.await(of.which_children()))
        text += (text.empty() ? "" : ", ") + c.id + " " + name_of(c.state_now) + " " +
                std::to_string(c.incarnation);
    return text;
}

std::string outcome(const test_future<void>& run) {
    if (!run.ready())
        return "running";
    if (!run.exception())
        return "returned";
    try {
        std::rethrow_exception(run.exception());
    } catch (const exit_shutdown& e) {
        return "shutdown(" + e.detail + ")";
    } catch (const std::exception& e) {
        return std::string("error(") + e.what() + ")";
    }
}

} // namespace lifeguard::test
