#include <lifeguard/supervisor.hpp>

#include "supervision/supervisor_shell.hpp"
#include "supervision/validation.hpp"

#include <utility>

namespace lifeguard {
namespace {

using change = detail::child_request::kind;

asio::awaitable<std::string> drawn(asio::awaitable<detail::tree_node> tree) {
    const detail::tree_node root = co_await std::move(tree);
    co_return detail::draw(root);
}

} // namespace

supervisor::supervisor(asio::any_io_executor executor, supervisor_options options,
                       std::vector<child_spec> children) {
    detail::validate(options, children);
    shell_ = std::make_shared<shell>(executor, std::move(options));
    for (child_spec& spec : children)
        shell_->add(std::move(spec));
    detail::context_hooks::of(executor).add(shell_);
}

// None of these is a coroutine itself: the handle may be gone when the coroutine begins.

asio::awaitable<void> supervisor::run() { return shell::run(shell_); }

asio::awaitable<void> supervisor::stop() { return shell::stop(shell_); }

void supervisor::request_stop() { shell_->request_stop(); }

asio::awaitable<started_child> supervisor::start_child(child_spec spec) {
    return shell::start_child(shell_, std::move(spec));
}

asio::awaitable<started_child> supervisor::start_child(std::any argument) {
    return shell::start_child(shell_, std::move(argument));
}

asio::awaitable<void> supervisor::terminate_child(std::string id) {
    return shell::change(shell_, change::terminate, std::move(id));
}

asio::awaitable<started_child> supervisor::restart_child(std::string id) {
    return shell::restart_child(shell_, std::move(id));
}

asio::awaitable<void> supervisor::delete_child(std::string id) {
    return shell::change(shell_, change::remove, std::move(id));
}

asio::awaitable<void> supervisor::kill_child(std::string id) {
    return shell::change(shell_, change::kill, std::move(id));
}

asio::awaitable<std::vector<child_info>> supervisor::which_children() const {
    return shell::which_children(shell_);
}

asio::awaitable<child_counts> supervisor::count_children() const {
    return shell::count_children(shell_);
}

asio::awaitable<child_spec> supervisor::get_childspec(std::string id) const {
    return shell::get_childspec(shell_, std::move(id));
}

asio::awaitable<void> supervisor::reconfigure(supervisor_options options,
                                              std::vector<child_spec> children) {
    return shell::reconfigure(shell_, std::move(options), std::move(children));
}

asio::awaitable<std::string> supervisor::tree() const { return drawn(shell::tree(shell_)); }

std::shared_ptr<void> supervisor::subscribe(std::function<void(const supervisor_event&)> f) {
    return shell_->subscribe(std::move(f));
}

stop_figures supervisor::figures() const { return shell_->figures(); }

const std::string& supervisor::name() const noexcept { return shell_->name(); }

const asio::any_io_executor& supervisor::executor() const noexcept { return shell_->executor(); }

child_spec nested_supervisor(supervisor_options options, std::vector<child_spec> children) {
    detail::validate(options, children);
    std::string id = options.name;
    child_spec nested(std::move(id), [options = std::move(options), children = std::move(children)](
                                         const child_context& context) {
        return supervisor(context.executor(), options, children);
    });
    nested.type = child_type::supervisor;
    return nested;
}

} // namespace lifeguard
