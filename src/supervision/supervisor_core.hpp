#pragma once

#include "supervision/latency_histogram.hpp"
#include "supervision/restart_delays.hpp"
#include "supervision/restart_intensity.hpp"
#include "supervision/supervisor_action.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <functional>
#include <string_view>

namespace lifeguard::detail {

/// What `reconfigure` brings: validated, its children with the specs that they shall have.
struct new_configuration {
    supervisor_options options;
    std::vector<child_ptr> children;
};

/// Everything a supervisor decides. It does nothing itself: each input leaves actions behind, which
/// its owner carries out. No clock, no executor, no lock; not thread-safe. No input costs more for
/// more children or a longer history, but those that concern many children: stopping, restarting
/// together, reconfiguring, listing.
class supervisor_core {
  public:
    enum class mode {
        idle,
        starting, ///< the initial children, or those restarted together, start one by one
        running,
        regrouping, ///< children stop one by one, to be started again together
        stopping,
        ended
    };
    using child_list = boost::intrusive::list<supervised_child>;

    /// Looks at what rules there are in the options; clocks and logs are its owner's.
    explicit supervisor_core(supervisor_options options);
    ~supervisor_core();
    supervisor_core(const supervisor_core&) = delete;
    supervisor_core& operator=(const supervisor_core&) = delete;

    /// Adds a child of the initial list. False when its id is taken.
    bool add(child_ptr child, bool first = false);
    /// What the children of a simple_one_for_one supervisor are made of. Before anything else.
    void set_template(child_ptr spec) { template_ = std::move(spec); }

    // The supervisor's own life.
    bool is_ending() const noexcept { return mode_ == mode::stopping || mode_ == mode::ended; }
    void start(time_point now);
    void stop(time_point now);
    /// Stops, and cancels all children by force at once.
    void force(time_point now);

    /// Every request with a ticket is answered, once.
    void submit(child_request request, time_point now);

    // News of the children. Each names the incarnation it speaks of: late news are told from
    // current ones.
    void started(supervised_child& child, unsigned incarnation, std::any info, time_point now);
    void ended(supervised_child& child, unsigned incarnation, child_end end, time_point now);
    /// `child` is null when the deadline was of those that stop together.
    void deadline_passed(supervised_child* child, std::uint64_t deadline, time_point now);

    /// Whether there is anyone to tell of what happens: without, no `emit` is asked for.
    void set_observed(bool observed) noexcept { observed_ = observed; }

    /// Moves what there is to do into `out`, which must be empty.
    void take_actions(supervisor_actions& out) { out.swap(actions_); }
    bool has_actions() const noexcept { return !actions_.empty(); }

    mode mode_now() const noexcept { return mode_; }
    const supervisor_options& options() const noexcept { return options_; }
    const child_ptr& template_spec() const noexcept { return template_; }
    const child_list& children() const noexcept { return children_; }
    supervised_child* find(std::string_view id) const;
    child_counts counts() const noexcept;
    unsigned restarts_left(time_point now) const { return intensity_.left(now); }
    /// All but the percentiles of `stop_latency`.
    const stop_figures& figures() const noexcept { return figures_; }
    const latency_histogram& stop_latency() const noexcept { return stop_latency_; }

    /// Lets go of everything, without a word to anyone.
    void clear() noexcept;

  private:
    using phase = supervised_child::phase;
    using stop_step = supervised_child::stop_step;
    using stop_purpose = supervised_child::stop_purpose;
    using start_cause = supervised_child::start_cause;
    using outcome = action::finished::outcome;
    using event = supervisor_event::kind;
    using context = supervisor_event::context;

    /// With its hash, so that growing a table of a million does not have to look at each of them.
    struct indexed_child {
        explicit indexed_child(supervised_child& c) noexcept : hash(hash_of(c.id)), child(&c) {}
        static std::size_t hash_of(std::string_view id) noexcept {
            return std::hash<std::string_view>()(id);
        }
        std::size_t hash;
        supervised_child* child;
    };
    struct by_id {
        using is_transparent = void;
        std::size_t operator()(const indexed_child& c) const noexcept { return c.hash; }
        std::size_t operator()(std::string_view id) const noexcept {
            return indexed_child::hash_of(id);
        }
        bool operator()(const indexed_child& a, const indexed_child& b) const noexcept {
            return a.hash == b.hash && a.child->id == b.child->id;
        }
        bool operator()(const indexed_child& c, std::string_view id) const noexcept {
            return c.child->id == id;
        }
        bool operator()(std::string_view id, const indexed_child& c) const noexcept {
            return c.child->id == id;
        }
    };

    /// What a child was about when its incarnation came to its end.
    struct last_moments {
        exit_reason reason;
        phase was;
        stop_step step;
        stop_purpose purpose;
        child_work work;

        /// It ended because it was told to: nobody restarts it on its own account.
        bool told_to_end() const noexcept { return purpose >= stop_purpose::terminate; }
    };

    bool is_simple() const noexcept { return options_.strategy == strategy::simple_one_for_one; }
    /// Siblings share a child's fate.
    bool is_grouped() const noexcept {
        return options_.strategy == strategy::one_for_all ||
               options_.strategy == strategy::rest_for_one;
    }

    // Starting.
    void start_from(const child_list::iterator& next, time_point now);
    void settle(time_point now);
    void spawn(supervised_child& child, start_cause cause, time_point now);
    void start_refused(supervised_child& child, last_moments& last, time_point now);
    void start_ignored(supervised_child& child, last_moments& last, time_point now);

    // Restarting.
    void restart(supervised_child& child, time_point now);
    void restart_group(supervised_child& cause, time_point now);
    void respawn(supervised_child& child, time_point now);
    void restart_failed(supervised_child& child, time_point now);
    void restart_later(supervised_child& child, time_point now);
    static child_request repeat_of(supervised_child& child);
    void handle_repeat(child_request& request, time_point now);
    void give_up(time_point now);

    // Stopping.
    void ask(supervised_child& child, stop_purpose purpose, time_point now);
    void cancel(supervised_child& child, stop_purpose purpose, time_point now);
    bool mark_asked(supervised_child& child, stop_purpose purpose, time_point now);
    bool mark_forced(supervised_child& child, stop_purpose purpose, time_point now);
    void abandon(supervised_child& child, time_point now);
    void begin_stop(outcome how, time_point now);
    void stop_before(child_list::iterator end, time_point now);
    void stop_together(time_point now);
    void force_together(time_point now);
    void shared_deadline_passed(time_point now);
    void finish();

    // The end of an incarnation.
    exit_reason judge(const supervised_child& child, child_end end) const;
    void gone(supervised_child& child, exit_reason reason, bool ignored, time_point now);
    void report_exit(supervised_child& child, const last_moments& last);
    void after_run(supervised_child& child, last_moments& last, time_point now);
    void stay_down(supervised_child& child, last_moments& last, bool forget, time_point now);
    void end_with(const supervised_child& significant, time_point now);
    void resubmit(std::vector<child_request> requests, time_point now);

    // Requests.
    void handle(child_request request, time_point now);
    void handle_start(child_request& request, time_point now);
    void handle_restart(child_request& request, time_point now);
    void handle_terminate(child_request& request, time_point now);
    void handle_remove(child_request& request);
    void handle_kill(child_request& request, time_point now);
    void handle_reconfigure(child_request& request, time_point now);
    bool waits_for_stop(supervised_child& child, child_request& request);
    bool has_ended_before(std::string_view id) const;

    child_work& work_of(supervised_child& child);
    void set_deadline(supervised_child& child, time_point now, duration after);
    void clear_deadline(supervised_child& child);
    void set_shared_deadline(time_point now, duration after);
    template <typename Change>
    void recount(supervised_child& child, Change change);
    void set_phase(supervised_child& child, phase now);
    void put_down(supervised_child& child);
    void remove(supervised_child& child);
    void remove_all() noexcept;
    void count(const exit_reason& reason) noexcept;
    void answer(ticket to, std::optional<errc> code = {}, std::exception_ptr cause = {},
                supervised_child* child = nullptr);
    void emit(event what, context when, supervised_child* child, const exit_reason& reason = {});

    supervisor_options options_;
    restart_intensity intensity_;
    restart_delays delays_;

    mode mode_ = mode::idle;
    child_ptr template_;  // of simple_one_for_one, until it has ended
    child_list children_; // in start order; each holds one reference
    boost::unordered_flat_set<indexed_child, by_id, by_id> index_;
    std::size_t alive_ = 0;
    std::size_t supervisors_ = 0;
    std::size_t significant_ = 0; // that are not down
    std::uint64_t issued_ = 0;    // ids of dynamic children

    supervised_child* turn_ = nullptr;        // who is starting or stopping, one by one
    supervised_child* group_begin_ = nullptr; // while regrouping; null: all children
    bool begun_ = false;                      // the initial start is over
    bool forced_ = false;
    bool observed_ = true;
    std::uint64_t shared_deadline_ = 0; // of those that stop together; 0: none
    action::finished outcome_;

    std::vector<child_request> waiting_; // for a start or a regrouping to be over
    std::uint64_t deadlines_ = 0;
    stop_figures figures_;
    latency_histogram stop_latency_;
    supervisor_actions actions_;
};

} // namespace lifeguard::detail
