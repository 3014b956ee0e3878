// The part of the supervisor's shell that tells how things are: lists, counts, specs, the tree.
#include "supervision/supervisor_shell.hpp"
#include "supervision/tree.hpp"

namespace lifeguard {

using detail::child_request;
using detail::shell_child;

namespace {

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
        const detail::supervised_child* child = s.core_.find(id);
        if (const auto& made_of = s.core_.template_spec();
            made_of && (child != nullptr || id == made_of->id))
            child = made_of.get();
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
    struct gap {
        std::size_t at; ///< of its line among its parent's
        supervisor of;
        std::string state; ///< as its parent knows it: ends its line
    };
    detail::tree_node top;
    std::vector<gap> below;
};

supervisor::shell::sketch supervisor::shell::draw() const {
    sketch drawn;
    const supervisor_options& o = core_.options();
    drawn.top.name = name_;
    drawn.top.is_supervisor = true;
    drawn.top.by = detail::tree_node::rules{name_of(o.strategy), o.intensity, o.period,
                                            core_.restarts_left(now_)};
    drawn.top.about =
        std::string(name_of(o.strategy)) + ", " + detail::describe_intensity(o.intensity, o.period);
    if (const unsigned left = core_.restarts_left(now_); left != o.intensity)
        drawn.top.about += ", " + std::to_string(left) + " left";
    for (const auto& c : core_.children()) {
        const auto& child = static_cast<const shell_child&>(c);
        const supervisor* nested = child.nested_supervisor();
        const child_info::state now = state_of(child);
        std::string state;
        if (!nested || now != child_info::state::running)
            state.append(", ").append(name_of(now));
        if (child.incarnation > 1)
            state.append(", incarnation ").append(std::to_string(child.incarnation));
        detail::tree_node node;
        node.name = child.id;
        node.is_supervisor = child.type == child_type::supervisor || nested != nullptr;
        node.about = node.is_supervisor ? "supervisor" : "worker";
        node.state = name_of(now);
        node.incarnation = child.incarnation;
        node.restarts = child.restarts;
        if (nested)
            drawn.below.push_back({drawn.top.children.size(), *nested, std::move(state)});
        else
            node.about += state;
        drawn.top.children.push_back(std::move(node));
    }
    return drawn;
}

asio::awaitable<std::optional<supervisor>> supervisor::shell::nested(std::shared_ptr<shell> self,
                                                                     std::string id) {
    const auto found = std::make_shared<std::optional<supervisor>>();
    std::function<void(shell&)> reader = [found, id = std::move(id)](shell& s) {
        const detail::supervised_child* child = s.core_.find(id);
        if (child == nullptr)
            throw s.error_about(errc::not_found, id);
        if (const supervisor* of = static_cast<const shell_child*>(child)->nested_supervisor())
            *found = *of;
    };
    co_await read(std::move(self), std::move(reader));
    co_return std::move(*found);
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
    co_await detail::reply::wait(c);
    if (c->failure)
        std::rethrow_exception(c->failure);
    for (sketch::gap& gap : drawn->below) {
        detail::tree_node& line = drawn->top.children[gap.at];
        try {
            auto below = co_await tree(gap.of.shell_);
            line.about += ", " + below.about;
            line.children = std::move(below.children);
            line.by = below.by;
        } catch (const error& e) {
            if (e.code() != errc::no_such_supervisor) // it may have ended meanwhile
                throw;
        }
        line.about += gap.state;
    }
    co_return std::move(drawn->top);
}

} // namespace lifeguard
