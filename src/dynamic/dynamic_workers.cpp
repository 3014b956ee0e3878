#include <lifeguard/dynamic_workers.hpp>

#include "base/one_line.hpp"
#include "dynamic/dynamic_core.hpp"
#include "dynamic/validate_rhythm.hpp"

#include <cmath>

namespace lifeguard {

using detail::dynamic_core;
using put_mode = detail::worker_registry::put_mode;

namespace {

void require(bool ok, const std::string& whose, const char* field, const char* rule) {
    if (!ok)
        throw error(errc::invalid_option, whose + ", " + field + ": " + rule);
}

void validate(const dynamic_workers_options& o) {
    const std::string whose = "workers '" + detail::one_line(o.name) + "'";
    require(!o.name.empty(), whose, "name", "must not be empty");
    detail::validate(o.rhythm, whose + ", rhythm");
    require(o.workers_max >= 1, whose, "workers_max", "must be 1 at least");
    require(o.mailbox_max >= 1, whose, "mailbox_max", "must be 1 at least");
    require(o.call_timeout >= duration::zero(), whose, "call_timeout", "must not be negative");
    require(o.shutdown >= duration::zero(), whose, "shutdown", "must not be negative");
    require(o.period > duration::zero(), whose, "period", "must be positive");
}

asio::awaitable<void> put_always(std::shared_ptr<dynamic_core> core, std::string id,
                                 worker_spec spec) {
    co_await dynamic_core::put(std::move(core), std::move(id), std::move(spec), put_mode::replace);
}

worker_spec checked(const dynamic_core& core, const std::string& id, json payload,
                    worker_rhythm rhythm) {
    require(!id.empty(), core.whose(), "id", "must not be empty");
    detail::validate(rhythm, core.whose() + ": '" + detail::one_line(id) + "'");
    return {std::move(payload), rhythm};
}

} // namespace

void detail::validate(const worker_rhythm& rhythm, const std::string& whose) {
    require(std::isfinite(rhythm.lull) && rhythm.lull >= 0, whose, "lull",
            "must be finite and not negative");
    require(!rhythm.first_perform || *rhythm.first_perform >= duration::zero(), whose,
            "first_perform", "must not be negative");
}

std::string_view name_of(manager_state state) noexcept {
    switch (state) {
    case manager_state::unknown:
        return "unknown";
    case manager_state::starting:
        return "starting";
    case manager_state::up:
        return "up";
    case manager_state::down:
        return "down";
    }
    return "unknown";
}

dynamic_workers::dynamic_workers(const asio::any_io_executor& executor,
                                 dynamic_workers_options options, worker_behaviour behaviour) {
    validate(options);
    core_ = std::make_shared<dynamic_core>(executor, std::move(options), std::move(behaviour));
    core_->open();
}

// None of the members is a coroutine itself: the handle may be gone when the coroutine begins.

asio::awaitable<void> dynamic_workers::run() { return dynamic_core::run(core_); }

asio::awaitable<void> dynamic_workers::stop() { return dynamic_core::stop(core_); }

asio::awaitable<void> dynamic_workers::restart() { return dynamic_core::restart(core_); }

child_spec dynamic_workers::spec() const {
    child_spec spec(name(), [core = core_] { return child_body(core->make_supervisor()); });
    spec.type = child_type::supervisor;
    spec.shutdown = shutdown_policy::infinity();
    return spec;
}

asio::awaitable<void> dynamic_workers::put(std::string id, json payload) {
    return put(std::move(id), std::move(payload), core_->options().rhythm);
}

asio::awaitable<void> dynamic_workers::put(std::string id, json payload, worker_rhythm rhythm) {
    worker_spec spec = checked(*core_, id, std::move(payload), rhythm);
    return put_always(core_, std::move(id), std::move(spec));
}

asio::awaitable<bool> dynamic_workers::put_new(std::string id, json payload) {
    return put_new(std::move(id), std::move(payload), core_->options().rhythm);
}

asio::awaitable<bool> dynamic_workers::put_new(std::string id, json payload, worker_rhythm rhythm) {
    worker_spec spec = checked(*core_, id, std::move(payload), rhythm);
    return dynamic_core::put(core_, std::move(id), std::move(spec), put_mode::only_new);
}

asio::awaitable<bool> dynamic_workers::del(std::string id) {
    return dynamic_core::del(core_, std::move(id));
}

asio::awaitable<json> dynamic_workers::call(std::string id, json message,
                                            worker_call_options options) {
    return dynamic_core::call(core_, std::move(id), std::move(message), options.timeout);
}

asio::awaitable<json> dynamic_workers::call_any(json message, worker_call_options options) {
    return dynamic_core::call(core_, std::nullopt, std::move(message), options.timeout);
}

void dynamic_workers::cast(const std::string& id, json message) {
    core_->cast(id, std::move(message));
}

void dynamic_workers::cast_any(json message) { core_->cast(std::nullopt, std::move(message)); }

std::optional<worker_info> dynamic_workers::get(const std::string& id) const {
    return core_->get(id);
}

std::vector<std::string> dynamic_workers::ids() const { return core_->ids(); }

dynamic_workers_state dynamic_workers::state() const { return core_->state(); }

asio::awaitable<std::string> dynamic_workers::tree() const { return dynamic_core::tree(core_); }

const std::string& dynamic_workers::name() const noexcept { return core_->options().name; }

} // namespace lifeguard
