#pragma once

#include <lifeguard/supervisor.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace asio = boost::asio;

/// The tree of the demo, with a book in which everybody is entered while he is there:
///
///     top (rest_for_one)
///     ├── pools (one_for_one)
///     │   ├── a (one_for_all)
///     │   │   ├── server
///     │   │   └── workers (one_for_one): 1, 2, 3
///     │   └── b, the same
///     └── server
class house {
  public:
    /// Without `restarts` all children are temporary, and stay away when they are killed.
    house(asio::any_io_executor executor, bool restarts);
    house(const house&) = delete;
    house& operator=(const house&) = delete;

    lifeguard::supervisor& top() { return *top_; }

    /// Kills a child, by its path: "pools/a/workers/2". One that is not there stays so.
    asio::awaitable<void> kill(std::string path);

    /// How often each has started, by path.
    using starts_by_path = std::map<std::string, unsigned>;
    const starts_by_path& starts() const { return starts_; }

    /// Who has started since then.
    std::set<std::string> restarted_since(const starts_by_path& before) const;
    /// All who are at or below the paths.
    std::set<std::string> below(const std::vector<std::string>& paths) const;

    bool all_are_there() const { return workers_.size() == workers_expected; }
    std::size_t present() const { return workers_.size(); }

  private:
    static constexpr std::size_t workers_expected = 9; // of all children, supervisors not counted

    class presence;
    using make_children = std::function<std::vector<lifeguard::child_spec>(const std::string&)>;

    lifeguard::child_spec worker(const std::string& above, const std::string& id);
    lifeguard::child_spec supervisor_of(const std::string& above, const std::string& id,
                                        lifeguard::strategy strategy, make_children children);
    std::vector<lifeguard::child_spec> pool(const std::string& above);
    std::vector<lifeguard::child_spec> workers(const std::string& above);

    const asio::any_io_executor executor_;
    const lifeguard::restart_type restart_;
    starts_by_path starts_;
    std::multiset<std::string> workers_;                       ///< who is there
    std::map<std::string, lifeguard::supervisor> supervisors_; ///< by path; the top's is empty
    std::optional<lifeguard::supervisor> top_;
};
