// The part of the supervisor's shell that starts coroutines.
#include "supervision/incarnation.hpp"
#include "supervision/supervisor_shell.hpp"
#include "supervision/watched_executor.hpp"

namespace lifeguard {

using detail::incarnation;
using detail::incarnation_ptr;
using detail::shell_child;

asio::any_io_executor supervisor::shell::watched(const asio::any_io_executor& executor,
                                                 const incarnation& of) const {
    if (!watchdog_)
        return executor;
    auto watch = std::make_shared<detail::watched_executor::watch>();
    watch->roster = watchdog_->share();
    watch->who.supervisor = name_;
    watch->who.child = of.child().id;
    watch->who.incarnation = of.number();
    return detail::watched_executor(executor, std::move(watch));
}

/// Starts a child that runs on this strand: here, once all is decided and done, because a turn of
/// its own would cost as much as the start. False when none is left, or enough have been started
/// for one turn.
bool supervisor::shell::launch_next(unsigned& launches) {
    if (launches_.empty())
        return false;
    if (launches-- == 0) {
        post([](shell&) {}); // goes on there
        return false;
    }
    incarnation_ptr next = std::move(launches_.front());
    launches_.pop_front();
    launching_ = true;
    incarnation::launch(std::move(next));
    launching_ = false;
    return true;
}

/// Lets the coroutine in which a child has just ended run the next incarnation, too.
bool supervisor::shell::renew(shell_child& child) {
    if (renewable_ == nullptr || &renewable_->child() != &child ||
        child.own_executor() != nullptr || !renewable_->renew())
        return false;
    child.current = std::exchange(renewable_, nullptr);
    return true;
}

void supervisor::shell::perform(detail::action::spawn& a) {
    shell_child& child = static_cast<shell_child&>(*a.child);
    try {
        child.claim_name(names_);
        if (renew(child))
            return;
        std::shared_ptr<detail::guarded_executor> own;
        if (child.own_executor() != nullptr) {
            auto strand = child.own_executor()->strand();
            if (!strand)
                throw error(errc::stopped, "the context of the child's executor was destroyed");
            own = detail::guarded_executor::make(std::move(strand));
        }
        child.current.reset(new incarnation(
            shared_from_this(), boost::intrusive_ptr<shell_child>(&child), std::move(own)));
        if (child.current->is_at_home())
            launches_.push_back(child.current);
        else
            child.current->post_launch();
    } catch (...) {
        child.let_go();
        detail::child_end end;
        end.what = detail::child_end::kind::failed;
        end.cause = std::current_exception();
        end.detail = describe(end.cause);
        core_.ended(child, child.incarnation, std::move(end), now_);
    }
}

} // namespace lifeguard
