#include "supervision/incarnation.hpp"
#include "supervision/supervisor_shell.hpp"

namespace lifeguard::detail {
namespace {

shutdown_policy shutdown_of(const child_spec& spec) {
    if (spec.shutdown)
        return *spec.shutdown;
    return spec.type == child_type::supervisor ? shutdown_policy::infinity()
                                               : shutdown_policy::after(std::chrono::seconds(5));
}

} // namespace

shell_child::shell_child(child_spec spec) : start(new shared_start(std::move(spec.start))) {
    id = std::move(spec.id);
    restart = spec.restart;
    shutdown = shutdown_of(spec);
    type = spec.type;
    significant = spec.significant;
    waits_for_ready = spec.waits_for_ready;
    start_timeout = spec.start_timeout;
    if (spec.executor)
        set_own_executor(guarded_executor::make(std::move(spec.executor)));
    set_registered_name(std::move(spec.registered_name));
}

shell_child::shell_child(const shell_child& made_of, std::any argument)
    : start(made_of.start),
      argument_(argument.has_value() ? std::make_unique<std::any>(std::move(argument)) : nullptr) {
    supervised_child::adopt(made_of);
    if (made_of.rare_)
        set_own_executor(made_of.rare_->own_executor);
}

shell_child::~shell_child() = default;

void shell_child::adopt(const supervised_child& spec) {
    const auto& other = static_cast<const shell_child&>(spec);
    supervised_child::adopt(other);
    start = other.start;
    set_own_executor(other.rare_ ? other.rare_->own_executor : nullptr);
    set_registered_name(other.rare_ ? other.rare_->registered_name : std::string());
}

std::any shell_child::take_argument(bool last) {
    if (!argument_)
        return {};
    return last ? std::move(*argument_) : *argument_;
}

shell_child::rare& shell_child::made_rare() {
    if (!rare_)
        rare_ = std::make_unique<rare>();
    return *rare_;
}

void shell_child::set_nested_supervisor(std::unique_ptr<supervisor> s) {
    if (rare_ || s)
        made_rare().nested = std::move(s);
}

void shell_child::set_own_executor(std::shared_ptr<guarded_executor> e) {
    if (rare_ || e)
        made_rare().own_executor = std::move(e);
}

child_spec shell_child::spec() const {
    child_spec spec(id, start->call);
    spec.restart = restart;
    spec.shutdown = shutdown;
    spec.type = type;
    spec.significant = significant;
    spec.waits_for_ready = waits_for_ready;
    spec.start_timeout = start_timeout;
    if (own_executor() != nullptr)
        spec.executor = own_executor()->get();
    if (rare_)
        spec.registered_name = rare_->registered_name;
    return spec;
}

void shell_child::set_registered_name(std::string name) {
    if (rare_ || !name.empty())
        made_rare().registered_name = std::move(name);
}

void shell_child::claim_name(const std::shared_ptr<name_registry>& in) {
    if (rare_ && !rare_->registered_name.empty())
        rare_->claim = std::make_unique<name_claim>(in, rare_->registered_name);
}

void shell_child::announce(const std::string& supervisor, const std::any& info) const {
    if (rare_ && rare_->claim)
        rare_->claim->announce(
            {.supervisor = supervisor, .id = id, .incarnation = incarnation, .info = info});
}

incarnation_ptr shell_child::let_go() {
    if (rare_) {
        rare_->nested.reset();
        rare_->claim.reset();
    }
    return std::exchange(current, nullptr);
}

} // namespace lifeguard::detail
