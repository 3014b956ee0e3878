#include <lifeguard/shared_breaker.hpp>

#include <boost/asio/error.hpp>

#include <deque>

namespace lifeguard {

class shared_breaker::core {
  public:
    core(std::string name, breaker_options options, breaker_judge judges,
         std::shared_ptr<time_source> source)
        : judge(std::move(judges)),
          time_(source ? std::move(source) : real_time_source()),
          breaker_(options, std::move(name)) {}

    const breaker_judge judge;
    broadcast<breaker_change> changes;

    const std::string& name() const noexcept { return breaker_.name(); } // never changes

    /// Does something with the breaker under the lock, and tells what it changed after it. Reading
    /// the clock costs more than all the rest: `now` is for who needs it.
    template <typename F>
    void with(F f) {
        std::unique_lock lock(mutex_);
        f(breaker_, [this] { return time_->now(); });
        if (auto change = breaker_.take_change())
            tell(std::move(*change), lock);
    }

  private:
    /// In the order in which the changes were made, and with the lock released: a callback may use
    /// the breaker. One thread tells at a time; others leave theirs to it.
    void tell(breaker_change change, std::unique_lock<std::mutex>& lock) {
        untold_.push_back(std::move(change));
        if (telling_)
            return;
        telling_ = true;
        while (!untold_.empty()) {
            const breaker_change next = std::move(untold_.front());
            untold_.pop_front();
            lock.unlock();
            changes.publish(next);
            lock.lock();
        }
        telling_ = false;
    }

    const std::shared_ptr<time_source> time_;
    std::mutex mutex_;
    circuit_breaker breaker_;
    std::deque<breaker_change> untold_;
    bool telling_ = false;
};

shared_breaker::shared_breaker(std::string name, breaker_options options, breaker_judge judge,
                               std::shared_ptr<time_source> time)
    : core_(std::make_shared<core>(std::move(name), options, std::move(judge), std::move(time))) {}

shared_breaker::permit shared_breaker::acquire() {
    circuit_breaker::ticket admitted;
    core_->with([&](circuit_breaker& breaker, const auto& now) {
        const time_point at = breaker.is_closed() ? time_point() : now();
        const auto ticket = breaker.admit(at);
        if (!ticket)
            throw breaker.rejection(at);
        admitted = *ticket;
    });
    return {core_, admitted};
}

std::optional<shared_breaker::permit> shared_breaker::try_acquire() {
    std::optional<circuit_breaker::ticket> admitted;
    core_->with([&](circuit_breaker& breaker, const auto& now) {
        admitted = breaker.admit(breaker.is_closed() ? time_point() : now());
    });
    if (!admitted)
        return std::nullopt;
    return permit(core_, *admitted);
}

const std::string& shared_breaker::name() const noexcept { return core_->name(); }

breaker_status shared_breaker::status() const {
    breaker_status s;
    core_->with(
        [&](const circuit_breaker& breaker, const auto& now) { s = breaker.status(now()); });
    return s;
}

broadcast<breaker_change>& shared_breaker::changes() noexcept { return core_->changes; }

void shared_breaker::trip() {
    core_->with([](circuit_breaker& breaker, const auto& now) { breaker.trip(now()); });
}

void shared_breaker::half_open() {
    core_->with([](circuit_breaker& breaker, const auto&) { breaker.half_open(); });
}

void shared_breaker::force_open() {
    core_->with([](circuit_breaker& breaker, const auto& now) { breaker.force_open(now()); });
}

void shared_breaker::disable() {
    core_->with([](circuit_breaker& breaker, const auto&) { breaker.disable(); });
}

void shared_breaker::enable() {
    core_->with([](circuit_breaker& breaker, const auto&) { breaker.enable(); });
}

void shared_breaker::reset() {
    core_->with([](circuit_breaker& breaker, const auto&) { breaker.reset(); });
}

// --- calls

void shared_breaker::refuse_cancelled(asio::cancellation_type cancelled) {
    if (cancelled != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
}

namespace {

/// Whether this is a rejection by the breaker itself, of a call within a call.
bool is_rejection_by(const std::string& name, const std::exception_ptr& thrown) noexcept {
    try {
        std::rethrow_exception(thrown);
    } catch (const breaker_open_error& e) {
        return e.name == name;
    } catch (...) {
        return false;
    }
}

} // namespace

void shared_breaker::judge(permit& admitted, const std::exception_ptr& thrown,
                           asio::cancellation_type cancelled) const noexcept {
    // A rejection as the cause of the next rejection, and so on: such an error would grow for ever.
    if (cancelled != asio::cancellation_type::none || is_rejection_by(name(), thrown))
        return admitted.exclude();
    switch (verdict_of(thrown, core_->judge)) {
    case breaker_verdict::success:
        return admitted.success();
    case breaker_verdict::failure:
        return admitted.failure(thrown);
    case breaker_verdict::excluded:
        return admitted.exclude();
    }
}

// --- permits

shared_breaker::permit& shared_breaker::permit::operator=(permit&& other) noexcept {
    if (this != &other) {
        exclude();
        core_ = std::move(other.core_);
        ticket_ = other.ticket_;
    }
    return *this;
}

void shared_breaker::permit::success() {
    if (const auto of = std::exchange(core_, nullptr))
        of->with([&](circuit_breaker& breaker, const auto& now) {
            breaker.success(ticket_, breaker.is_closed() ? time_point() : now());
        });
}

void shared_breaker::permit::failure(const std::exception_ptr& why) {
    if (const auto of = std::exchange(core_, nullptr))
        of->with([&](circuit_breaker& breaker, const auto& now) {
            breaker.failure(ticket_, now(), why);
        });
}

void shared_breaker::permit::exclude() noexcept {
    if (const auto of = std::exchange(core_, nullptr))
        of->with([&](circuit_breaker& breaker, const auto&) { breaker.exclude(ticket_); });
}

// --- by name

breaker_registry::breaker_registry(std::shared_ptr<time_source> time) : time_(std::move(time)) {}

shared_breaker breaker_registry::install(const std::string& name, breaker_options options,
                                         breaker_judge judge) {
    shared_breaker made(name, options, std::move(judge), time_);
    const std::lock_guard lock(mutex_);
    if (!breakers_.try_emplace(name, made).second)
        throw error(errc::duplicate_id, "breaker '" + name + "'");
    return made;
}

breaker_registry::by_name::const_iterator breaker_registry::at(std::string_view name) const {
    const auto found = breakers_.find(name);
    if (found == breakers_.end())
        throw error(errc::not_found, "breaker '" + std::string(name) + "'");
    return found;
}

shared_breaker breaker_registry::find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    return at(name)->second;
}

void breaker_registry::remove(std::string_view name) {
    const std::lock_guard lock(mutex_);
    breakers_.erase(at(name));
}

std::vector<breaker_status> breaker_registry::status() const {
    const std::lock_guard lock(mutex_);
    std::vector<breaker_status> all;
    for (const auto& [_, breaker] : breakers_)
        all.push_back(breaker.status());
    return all;
}

} // namespace lifeguard
