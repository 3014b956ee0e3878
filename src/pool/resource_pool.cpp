#include <lifeguard/resource_pool.hpp>

#include "pool/resource_core.hpp"

namespace lifeguard {

using detail::pooled_resource;
using detail::resource_core;

namespace {

void require(bool ok, const resource_pool_options& options, const char* field, const char* rule) {
    if (!ok)
        throw error(errc::invalid_option, "pool '" + options.name + "', " + field + ": " + rule);
}

void validate_sizes(const resource_pool_options& o, unsigned size, unsigned max_overflow) {
    require(size <= 100'000, o, "size", "must be 100,000 at most");
    require(max_overflow <= 100'000, o, "max_overflow", "must be 100,000 at most");
}

void validate(const resource_pool_options& o) {
    require(!o.name.empty(), o, "name", "must not be empty");
    validate_sizes(o, o.size, o.max_overflow);
    const duration zero = duration::zero();
    require(o.checkout_timeout >= zero, o, "checkout_timeout", "must not be negative");
    require(o.waiters_max >= 1, o, "waiters_max", "must be 1 at least");
    require(o.overrun_warning >= zero, o, "overrun_warning", "must not be negative");
    require(o.ping_interval >= zero, o, "ping_interval", "must not be negative");
    require(o.shutdown >= zero, o, "shutdown", "must not be negative");
    require(o.period > zero, o, "period", "must be positive");
    try {
        o.start_retry.validate();
    } catch (const error& e) {
        throw error(errc::invalid_option, "pool '" + o.name + "', start_retry: " + e.detail());
    }
}

asio::awaitable<void> run_pool(std::shared_ptr<resource_core> core) {
    supervisor supervises = core->make_supervisor();
    co_await supervises.run();
}

asio::awaitable<void> stop_pool(std::shared_ptr<resource_core> core) {
    auto running = core->current_supervisor();
    core->refuse_all();
    if (running)
        co_await running->stop();
}

asio::awaitable<void> kill_in(std::shared_ptr<resource_core> core, std::string resource) {
    auto running = core->resources_supervisor();
    if (!running)
        throw error(errc::no_such_pool, "pool '" + core->options().name + "' does not run");
    co_await running->kill_child(std::move(resource));
}

} // namespace

std::string_view name_of(resource_pool_status::state state) noexcept {
    using enum resource_pool_status::state;
    switch (state) {
    case ready:
        return "ready";
    case overflow:
        return "overflow";
    case full:
        return "full";
    case stopped:
        return "stopped";
    }
    return "unknown";
}

// None of the members is a coroutine itself: the handle may be gone when the coroutine begins.

resource_pool_base::resource_pool_base(const asio::any_io_executor& executor,
                                       resource_pool_options options,
                                       detail::resource_functions functions) {
    validate(options);
    core_ = std::make_shared<resource_core>(executor, std::move(options), std::move(functions));
    core_->open();
}

asio::awaitable<void> resource_pool_base::run() { return run_pool(core_); }

child_spec resource_pool_base::spec() const {
    child_spec spec(core_->options().name,
                    [core = core_] { return child_body(core->make_supervisor()); });
    spec.type = child_type::supervisor;
    spec.shutdown = shutdown_policy::infinity();
    return spec;
}

resource_pool_status resource_pool_base::status() const { return core_->status(); }

asio::awaitable<void> resource_pool_base::ready() { return resource_core::ready(core_); }

void resource_pool_base::resize(unsigned size, unsigned max_overflow) {
    validate_sizes(core_->options(), size, max_overflow);
    core_->resize(size, max_overflow);
}

asio::awaitable<void> resource_pool_base::stop() { return stop_pool(core_); }

asio::awaitable<void> resource_pool_base::kill(std::string resource) {
    return kill_in(core_, std::move(resource));
}

const std::string& resource_pool_base::name() const noexcept { return core_->options().name; }

} // namespace lifeguard

namespace lifeguard::detail {

void leased_resource::checkin() noexcept {
    if (object_ == nullptr)
        return;
    object_ = nullptr;
    what_->core->checkin(*what_);
    what_.reset();
}

void leased_resource::replace(std::string why) noexcept {
    if (object_ == nullptr)
        return;
    object_ = nullptr;
    exit_reason reason;
    reason.what = exit_reason::kind::error;
    reason.detail = std::move(why);
    what_->core->recycle(*what_, std::move(reason));
    what_.reset();
}

bool leased_resource::is_alive() const noexcept {
    return object_ != nullptr && what_->core->is_alive(*what_);
}

const std::string& leased_resource::id() const noexcept {
    static const std::string none;
    return what_ ? what_->id : none;
}

const std::shared_ptr<resource_core>& leased_resource::core() const noexcept { return what_->core; }

std::shared_ptr<void> leased_resource::share() const noexcept { return what_; }

leased_resource take_idle(resource_core& core, std::string_view task) {
    return core.take_idle(task);
}

asio::awaitable<leased_resource> check_out(std::shared_ptr<resource_core> core,
                                           checkout_options options) {
    return resource_core::check_out(std::move(core), options, false);
}

asio::awaitable<leased_resource> try_check_out(std::shared_ptr<resource_core> core,
                                               std::string_view task) {
    return resource_core::check_out(std::move(core), {duration::max(), task}, true);
}

void transaction_lease::end(body_end how) noexcept {
    if (!lease_)
        return;
    const resource_pool_options& options = lease_.core()->options();
    const bool recycles = (how == body_end::threw && options.body_failed == after_use::recycle) ||
                          (how == body_end::gone && options.holder_gone == after_use::recycle);
    if (recycles)
        lease_.replace(how == body_end::threw ? "its user threw" : "its user has gone");
    else
        lease_.checkin();
}

} // namespace lifeguard::detail
