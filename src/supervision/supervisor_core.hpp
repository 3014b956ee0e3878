#pragma once

#include "supervision/restart_intensity.hpp"
#include "supervision/supervisor_action.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <functional>
#include <string_view>

namespace lifeguard::detail {

/// Everything a supervisor decides. It does nothing itself: each input leaves actions behind, which
/// its owner carries out. No clock, no executor, no lock; not thread-safe. No input costs more for
/// more children or a longer history, but those that visit every child: stopping, listing.
class supervisor_core {
  public:
    struct limits {
        unsigned intensity;
        duration period;
        duration kill_grace;
        std::size_t abandoned_max;
    };
    enum class mode { idle, starting, running, stopping, ended };
    using child_list = boost::intrusive::list<supervised_child>;

    explicit supervisor_core(const limits& l);
    ~supervisor_core();
    supervisor_core(const supervisor_core&) = delete;
    supervisor_core& operator=(const supervisor_core&) = delete;

    /// Adds a child of the initial list. False when its id is taken.
    bool add(child_ptr child);

    // The supervisor's own life.
    void start(time_point now);
    void stop(time_point now);
    /// Stops, and cancels all children by force at once.
    void force(time_point now);

    /// Every request is answered, once.
    void submit(child_request request, time_point now);

    // News of the children. Each names the incarnation it speaks of: late news are told from
    // current ones.
    void started(supervised_child& child, unsigned incarnation, std::any info, time_point now);
    void ended(supervised_child& child, unsigned incarnation, child_end end, time_point now);
    void repeat_restart(supervised_child& child, unsigned incarnation, time_point now);
    void deadline_passed(supervised_child& child, std::uint64_t deadline, time_point now);

    /// Moves what there is to do into `out`, which must be empty.
    void take_actions(supervisor_actions& out) { out.swap(actions_); }
    bool has_actions() const noexcept { return !actions_.empty(); }

    mode mode_now() const noexcept { return mode_; }
    const child_list& children() const noexcept { return children_; }
    supervised_child* find(std::string_view id) const;
    child_counts counts() const noexcept;
    const stop_figures& figures() const noexcept { return figures_; }

    /// Lets go of everything, without a word to anyone.
    void clear() noexcept;

  private:
    using phase = supervised_child::phase;
    using stop_step = supervised_child::stop_step;
    using stop_purpose = supervised_child::stop_purpose;
    using start_cause = supervised_child::start_cause;
    using event = supervisor_event::kind;
    using context = supervisor_event::context;

    struct by_id {
        using is_transparent = void;
        static std::string_view key(const supervised_child* c) noexcept { return c->id; }
        static std::string_view key(std::string_view id) noexcept { return id; }
        std::size_t operator()(const auto& k) const {
            return std::hash<std::string_view>()(key(k));
        }
        bool operator()(const auto& a, const auto& b) const { return key(a) == key(b); }
    };

    /// What a child was about when its incarnation came to its end.
    struct last_moments {
        exit_reason reason;
        phase was;
        stop_step step;
        stop_purpose purpose;
        child_work work;

        /// It ended because it was told to, for good.
        bool told_to_end() const noexcept { return purpose >= stop_purpose::terminate; }
    };

    // Starting.
    void start_from(const child_list::iterator& next, time_point now);
    void spawn(supervised_child& child, start_cause cause, time_point now);
    void start_refused(supervised_child& child, last_moments& last, time_point now);
    void start_ignored(supervised_child& child, last_moments& last, time_point now);

    // Restarting.
    void restart(supervised_child& child, time_point now);
    void retry_later(supervised_child& child);
    void give_up(time_point now);

    // Stopping.
    void ask(supervised_child& child, stop_purpose purpose, time_point now);
    void cancel(supervised_child& child, stop_purpose purpose, time_point now);
    void abandon(supervised_child& child, time_point now);
    void begin_stop(time_point now);
    void stop_all_by_force(time_point now);
    void stop_before(child_list::iterator end, time_point now);
    void finish();

    // The end of an incarnation.
    exit_reason judge(const supervised_child& child, child_end end) const;
    void gone(supervised_child& child, exit_reason reason, bool ignored, time_point now);
    void report_exit(supervised_child& child, const last_moments& last);
    void after_run(supervised_child& child, last_moments& last, time_point now);
    void stay_down(supervised_child& child, last_moments& last, bool forget, time_point now);
    void resubmit(std::vector<child_request> requests, time_point now);

    // Requests.
    void handle(child_request request, time_point now);
    void handle_start(child_request& request, time_point now);
    void handle_restart(child_request& request, time_point now);
    void handle_terminate(child_request& request, time_point now);
    void handle_remove(child_request& request);
    void handle_kill(child_request& request, time_point now);
    bool waits_for_stop(supervised_child& child, child_request& request);

    child_work& work_of(supervised_child& child);
    void set_deadline(supervised_child& child, time_point now, duration after);
    void clear_deadline(supervised_child& child);
    void remove(supervised_child& child);
    void remove_all() noexcept;
    void count(const exit_reason& reason) noexcept;
    void answer(ticket to, std::optional<errc> code = {}, std::exception_ptr cause = {});
    void emit(event what, context when, supervised_child* child, exit_reason reason = {});

    const duration kill_grace_;
    const std::size_t abandoned_max_;
    restart_intensity intensity_;

    mode mode_ = mode::idle;
    child_list children_; // in start order; each holds one reference
    boost::unordered_flat_set<supervised_child*, by_id, by_id> index_;
    std::size_t alive_ = 0;
    std::size_t supervisors_ = 0;

    supervised_child* stopping_ = nullptr; // whose turn it is, while stopping one by one
    bool forced_ = false;
    action::finished outcome_;

    std::vector<child_request> waiting_; // for the initial start to be over
    std::uint64_t deadlines_ = 0;
    stop_figures figures_;
    supervisor_actions actions_;
};

} // namespace lifeguard::detail
