// The supervision tree: shown, and worked on by hand.

#include "base/option_members.hpp"
#include "base/saturate.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/bodies.hpp"
#include "http/json_writer.hpp"
#include "supervision/supervisor_shell.hpp"

#include <algorithm>
#include <set>

namespace lifeguard::detail::web {
namespace {

/// The tree is drawn at most so often, whoever asks.
constexpr duration tree_age = std::chrono::milliseconds(250);

/// The id of the child that this server is.
constexpr std::string_view server_child = "http";

/// What is known of a node by its place.
struct place {
    std::string_view kind;
    std::string pool; ///< of which it is, or which it is
    bool worker = false;
};

place place_of(const tree_node& node, unsigned depth, const place& parent,
               const std::set<std::string>& pools) {
    if (depth == 0)
        return {"engine", "", false};
    if (parent.kind == "pool")
        return {"worker", parent.pool, true};
    if (depth != 1)
        return {"", "", false};
    if (node.is_supervisor && pools.contains(node.name))
        return {"pool", node.name, false};
    if (node.name == server_child)
        return {"server", "", false};
    return {node.name == "queue" ? std::string_view("queue") : std::string_view(), "", false};
}

void write_node(json_writer& w, const tree_node& node, unsigned depth, const place& parent,
                const std::set<std::string>& pools) {
    const place here = place_of(node, depth, parent, pools);
    w.begin_object()
        .member("name", node.name)
        .member("type", node.is_supervisor ? "supervisor" : "worker")
        .member("kind", here.kind)
        .member("state", node.state);
    if (depth != 0)
        w.member("incarnation", node.incarnation).member("restarts", node.restarts);
    if (node.by)
        w.member("strategy", node.by->strategy)
            .member("intensity", node.by->intensity)
            .member("period_ms",
                    std::chrono::duration_cast<std::chrono::milliseconds>(node.by->period).count())
            .member("restarts_left", node.by->restarts_left);
    if (!here.pool.empty())
        w.member("pool", here.pool);
    if (here.worker)
        w.member("worker", node.name);
    w.key("children").begin_array();
    for (const tree_node& child : node.children)
        write_node(w, child, depth + 1, here, pools);
    w.end_array().end_object();
}

/// The supervisor of the child that a path names, and that child's id.
struct found_child {
    supervisor parent;
    std::string id;
};

asio::awaitable<found_child> find_child(const api& a, std::vector<std::string> path) {
    supervisor at = a.served.root();
    if (path.size() < 2 || path.front() != at.name())
        throw refusal{422, name_of(errc::invalid_option),
                      "must begin with the engine's name and go on with that of a child", "path"};
    if (path[1] == server_child)
        throw refusal{409, name_of(errc::illegal_transition), "the server does not work on itself",
                      "path"};
    for (std::size_t i = 1; i + 1 < path.size(); ++i) {
        const std::optional<supervisor> below =
            co_await supervisor::shell::nested(at.share(), path[i]);
        if (!below)
            throw refusal{404, name_of(errc::not_found), "no supervisor runs there", path[i]};
        at = *below;
    }
    found_child found{at, std::move(path.back())};
    co_return found;
}

/// A pool's worker has no business of its own to finish: asked to stop it would take the pool for
/// being stopped. False: the path is none of a worker.
asio::awaitable<bool> kill_worker_at(const api& a, const std::vector<std::string>& path) {
    const std::vector<std::string> pools = a.served.pools();
    if (path.size() != 3 || path[0] != a.served.root().name() ||
        std::ranges::find(pools, path[1]) == pools.end())
        co_return false;
    worker_pool pool = a.served.pool(path[1]);
    co_await pool.kill(path[2]);
    co_return true;
}

std::vector<std::string> path_of(const request& r) {
    const json body = parse_body(r);
    std::vector<std::string> path;
    option_members m(body, "");
    m.texts("path", path);
    m.done();
    return path;
}

} // namespace

asio::awaitable<answer> get_tree(call& c) {
    c.at.allow({});
    const time_point now = c.of.time->now();
    if (const auto cached = c.of.watch->tree.find(now))
        co_return make_answer(*cached);
    const tree_node root = co_await supervisor::shell::tree(c.of.served.root().share());
    const std::vector<std::string> names = c.of.served.pools();
    json_writer w;
    w.begin_object().member("tree", draw(root)).key("root");
    write_node(w, root, 0, place(), {names.begin(), names.end()});
    const auto text = std::make_shared<const std::string>(w.end_object().take());
    c.of.watch->tree.put(text, later(now, tree_age));
    co_return make_answer(*text);
}

asio::awaitable<answer> restart_child(call& c) {
    c.at.allow({});
    std::vector<std::string> path = path_of(c.asked);
    c.of.watch->tree.clear();
    if (co_await kill_worker_at(c.of, path))
        co_return make_answer("", 204);
    found_child child = co_await find_child(c.of, std::move(path));
    co_await child.parent.terminate_child(child.id);
    std::exception_ptr failed;
    try {
        co_await child.parent.restart_child(child.id);
    } catch (const error& e) {
        if (e.code() != errc::running) // somebody else was faster
            failed = std::current_exception();
        if (e.code() == errc::start_failed)
            throw refusal{409, name_of(errc::start_failed), "it does not start", child.id};
    }
    c.of.watch->tree.clear();
    if (failed)
        std::rethrow_exception(failed);
    co_return make_answer("", 204);
}

asio::awaitable<answer> kill_child(call& c) {
    c.at.allow({});
    std::vector<std::string> path = path_of(c.asked);
    c.of.watch->tree.clear();
    if (co_await kill_worker_at(c.of, path))
        co_return make_answer("", 204);
    found_child child = co_await find_child(c.of, std::move(path));
    co_await child.parent.kill_child(child.id);
    c.of.watch->tree.clear();
    co_return make_answer("", 204);
}

} // namespace lifeguard::detail::web
