#include "house.hpp"

#include "common/pause.hpp"
#include <lifeguard/error.hpp>

using namespace std::chrono_literals;
using lifeguard::child_spec;
using lifeguard::strategy;

namespace {

std::string path_of(const std::string& above, const std::string& id) {
    return above.empty() ? id : above + '/' + id;
}

lifeguard::supervisor_options rules(const std::string& name, strategy s) {
    lifeguard::supervisor_options options;
    options.name = name;
    options.strategy = s;
    options.intensity = 10;
    options.period = 10s;
    return options;
}

} // namespace

/// In the frame of a worker's coroutine: he is there as long as this is.
class house::presence {
  public:
    presence(house& in, std::string path) : house_(in), path_(std::move(path)) {
        ++house_.starts_[path_];
        house_.workers_.insert(path_);
    }
    presence(const presence&) = delete;
    presence& operator=(const presence&) = delete;
    ~presence() { house_.workers_.erase(house_.workers_.find(path_)); }

  private:
    house& house_;
    const std::string path_;
};

house::house(asio::any_io_executor executor, bool restarts)
    : executor_(std::move(executor)),
      restart_(restarts ? lifeguard::restart_type::permanent : lifeguard::restart_type::temporary) {
    const auto pools = [this](const std::string& above) {
        const auto inside = [this](const std::string& path) { return pool(path); };
        return std::vector{supervisor_of(above, "a", strategy::one_for_all, inside),
                           supervisor_of(above, "b", strategy::one_for_all, inside)};
    };
    top_.emplace(executor_, rules("top", strategy::rest_for_one),
                 std::vector{supervisor_of("", "pools", strategy::one_for_one, pools),
                             worker("", "server")});
    supervisors_.emplace("", *top_);
}

child_spec house::worker(const std::string& above, const std::string& id) {
    child_spec spec(id, [this, path = path_of(above, id)]() -> asio::awaitable<void> {
        const presence here(*this, path);
        for (;;)
            co_await pause_for(1h); // what it would really do is not the point
    });
    spec.restart = restart_;
    return spec;
}

/// Each incarnation is a new supervisor, with children of its own.
child_spec house::supervisor_of(const std::string& above, const std::string& id, strategy s,
                                make_children children) {
    child_spec spec(id, [this, id, s, children, path = path_of(above, id)] {
        ++starts_[path];
        lifeguard::supervisor made(executor_, rules(id, s), children(path));
        supervisors_.insert_or_assign(path, made);
        return made;
    });
    spec.type = lifeguard::child_type::supervisor;
    spec.restart = restart_;
    return spec;
}

std::vector<child_spec> house::pool(const std::string& above) {
    return {worker(above, "server"),
            supervisor_of(above, "workers", strategy::one_for_one,
                          [this](const std::string& path) { return workers(path); })};
}

std::vector<child_spec> house::workers(const std::string& above) {
    return {worker(above, "1"), worker(above, "2"), worker(above, "3")};
}

asio::awaitable<void> house::kill(std::string path) {
    const auto slash = path.rfind('/');
    const std::string above = slash == std::string::npos ? "" : path.substr(0, slash);
    const std::string id = path.substr(slash + 1); // also of a child of the top's
    const auto parent = supervisors_.find(above);
    if (parent == supervisors_.end())
        co_return;
    lifeguard::supervisor of = parent->second;
    try {
        co_await of.kill_child(id);
    } catch (const lifeguard::error&) { // it is not there
    }
}

std::set<std::string> house::restarted_since(const starts_by_path& before) const {
    std::set<std::string> restarted;
    for (const auto& [path, starts] : starts_) {
        const auto then = before.find(path);
        if (then == before.end() || then->second != starts)
            restarted.insert(path);
    }
    return restarted;
}

std::set<std::string> house::below(const std::vector<std::string>& paths) const {
    std::set<std::string> found;
    for (const std::string& branch : paths)
        for (const auto& [path, starts] : starts_)
            if (path == branch || path.starts_with(branch + '/'))
                found.insert(path);
    return found;
}
