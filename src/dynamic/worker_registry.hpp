#pragma once

#include <lifeguard/exit_reason.hpp>
#include <lifeguard/worker_behaviour.hpp>

#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lifeguard::detail {

/// A worker as the registry knows it: what it is made from, and what follows it. The shell derives
/// from it and adds what runs.
class worker_record : public boost::intrusive::list_base_hook<
                          boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    enum class phase {
        starting, ///< the supervisor has been asked to start it
        running,
        ending, ///< the supervisor has been asked to end and forget it
        gone,   ///< no longer in the registry
    };

    worker_record(std::string name, worker_spec from)
        : id(std::move(name)), spec(std::move(from)) {}
    worker_record(const worker_record&) = delete;
    worker_record& operator=(const worker_record&) = delete;
    virtual ~worker_record() = default;

    /// Whether there is, or will be, a worker that wants to hear of it.
    bool is_reachable() const noexcept {
        return next || ((now == phase::starting || now == phase::running) && !doomed);
    }
    /// Nothing is under way.
    bool is_settled() const noexcept {
        return now == phase::gone || (now == phase::running && !doomed && !next);
    }
    std::size_t load() const noexcept {
        return waiting + (busy || now != phase::running ? 1U : 0U);
    }

    const std::string id;
    worker_spec spec;
    std::optional<worker_spec> next; ///< starts when the current one has ended
    phase now = phase::starting;
    bool doomed = false; ///< starting, and to end as soon as it runs
    exit_reason why;     ///< ending or doomed: the reason

    // Kept by the shell; `worker_registry::load_changed` after a change.
    std::size_t waiting = 0;
    bool busy = false;
};

/// What the registry wants done.
class registry_actions {
  public:
    virtual std::shared_ptr<worker_record> make(const std::string& id, worker_spec spec) = 0;
    /// Start a child for it; then `began` or `start_failed`.
    virtual void start(worker_record& w) = 0;
    /// End and forget the child; then `stopped`.
    virtual void stop(worker_record& w) = 0;
    /// It is settled, or gone, after a time in which it was not.
    virtual void settled(worker_record& w) = 0;

  protected:
    ~registry_actions() = default;
};

/// Who is there by id, what replaces what, and who is the least busy. At most one child exists per
/// id at any time: a worker that is put over another one waits for its end, and of several that
/// wait the last one counts. Knows no clock, no thread and no coroutine.
class worker_registry {
  public:
    enum class put_mode { replace, only_new, move };
    enum class put_result { done, exists, full };

    explicit worker_registry(std::size_t workers_max) noexcept : max_(workers_max) {}

    /// Afterwards `found(id)` is what the caller waits for, until it is settled. A move takes the
    /// place of another worker, so it may exceed the limit until that has ended.
    put_result put(const std::string& id, worker_spec spec, put_mode mode, registry_actions& a);
    /// False: there was none.
    bool del(const std::string& id, exit_reason why, registry_actions& a);
    bool del(worker_record& w, exit_reason why, registry_actions& a);

    /// Enters a worker that its supervisor starts by itself.
    void add(std::shared_ptr<worker_record> w);

    /// Its child runs, for the first time or again. False: it is not wanted, and will be ended.
    bool began(worker_record& w, registry_actions& a);
    /// The child could not be started, or the supervisor has been asked to end it by others.
    void lost(worker_record& w, registry_actions& a);
    /// The child has ended and is forgotten.
    void stopped(worker_record& w, registry_actions& a);

    /// Everybody out, never to come back. The answer keeps them alive.
    std::vector<std::shared_ptr<worker_record>> clear(registry_actions& a);

    void load_changed(worker_record& w);
    /// The worker with the least load, that which has had it longest; null when there is none.
    worker_record* least_busy() noexcept;

    /// Reachable ones only.
    worker_record* find(const std::string& id) noexcept;
    /// Also those that end.
    std::shared_ptr<worker_record> found(const std::string& id) const;

    const std::map<std::string, std::shared_ptr<worker_record>>& all() const noexcept {
        return workers_;
    }

  private:
    using same_load =
        boost::intrusive::list<worker_record, boost::intrusive::constant_time_size<false>>;

    void begin_to_end(worker_record& w, registry_actions& a);
    void erase(worker_record& w, registry_actions& a);
    void refresh(worker_record& w);

    const std::size_t max_;
    std::map<std::string, std::shared_ptr<worker_record>> workers_;
    /// The reachable ones, by their load: it is small. Behind those who had it before.
    std::deque<same_load> by_load_;
};

} // namespace lifeguard::detail
