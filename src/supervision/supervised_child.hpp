#pragma once

#include <lifeguard/child_spec.hpp>
#include <lifeguard/exit_reason.hpp>

#include <boost/intrusive/list_hook.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lifeguard::detail {

class supervised_child;
using child_ptr = boost::intrusive_ptr<supervised_child>;

/// Names a call of the public interface until it has been answered.
using ticket = std::uint64_t;

struct new_configuration;

/// What a caller asks of a supervisor, or it of itself.
struct child_request {
    enum class kind { start, terminate, restart, remove, kill, reconfigure, read, repeat };
    kind what = kind::read;
    ticket from = 0;
    std::string id;
    child_ptr child;          ///< the one to start; its id is empty when the template made it
    unsigned incarnation = 0; ///< repeat: the one of `child` that has ended
    std::shared_ptr<new_configuration> configuration;
};

/// How a run of a child came to its end, before the supervisor judges what that means.
struct child_end {
    enum class kind {
        returned,
        ignored,       ///< its start function said: do not run me now
        exit_shutdown, ///< the exception of that name
        cancelled,     ///< the cancellation exception
        failed,        ///< any other exception
    };
    kind what = kind::returned;
    std::string detail;
    std::exception_ptr cause;
};

/// What exists only while something is going on with a child.
struct child_work {
    time_point asked_at;        ///< when it was asked to stop, or forced
    std::uint64_t deadline = 0; ///< the current one; 0: none
    ticket starter = 0;         ///< who waits for its start
    std::vector<ticket> terminators;
    std::vector<child_request> waiting; ///< for it to have stopped
};

/// One child as its supervisor knows it, lean because there may be a million. The core's shell
/// derives from it and adds what runs.
class supervised_child : public boost::intrusive_ref_counter<supervised_child>,
                         public boost::intrusive::list_base_hook<> {
  public:
    enum class phase : std::uint8_t { down, starting, running, restarting };
    enum class stop_step : std::uint8_t { none, asked, forced };
    /// Why it is being stopped. Later ones outrank earlier ones; `shutdown` is the supervisor's own
    /// doing, be it to end or to start siblings again together.
    enum class stop_purpose : std::uint8_t { none, kill, start_timeout, terminate, shutdown };
    /// What started it decides what happens when that fails.
    enum class start_cause : std::uint8_t { initial, start_call, restart_call, automatic };

    virtual ~supervised_child() = default;

    /// Takes over what another spec of the same id says. What runs, runs on as it was started.
    virtual void adopt(const supervised_child& spec);

    /// Has a coroutine, or one on its way.
    bool is_alive() const noexcept { return now == phase::starting || now == phase::running; }
    bool is_stopping() const noexcept { return step != stop_step::none; }

    // Its spec.
    std::string id;
    shutdown_policy shutdown = shutdown_policy::infinity();
    duration start_timeout = duration::zero();
    restart_type restart = restart_type::permanent;
    child_type type = child_type::worker;
    bool significant = false;
    bool waits_for_ready = false;

    // What the core keeps.
    bool nested = false; ///< a supervisor of ours: it always ends, so it is never abandoned
    bool lost = false;   ///< its last incarnation had to be abandoned
    phase now = phase::down;
    stop_step step = stop_step::none;
    stop_purpose purpose = stop_purpose::none;
    start_cause cause = start_cause::initial;
    unsigned incarnation = 0;
    unsigned restarts = 0;
    std::unique_ptr<child_work> work;
};

inline void supervised_child::adopt(const supervised_child& spec) {
    shutdown = spec.shutdown;
    start_timeout = spec.start_timeout;
    restart = spec.restart;
    type = spec.type;
    significant = spec.significant;
    waits_for_ready = spec.waits_for_ready;
}

} // namespace lifeguard::detail
