#pragma once

#include "base/context_hooks.hpp"
#include "base/deadline_service.hpp"
#include "supervision/guarded_executor.hpp"
#include "supervision/name_claim.hpp"
#include "supervision/reply.hpp"
#include "supervision/supervisor_core.hpp"
#include "supervision/tree.hpp"
#include <lifeguard/log.hpp>
#include <lifeguard/supervisor.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <unordered_map>

namespace lifeguard::detail {

using incarnation_ptr = boost::intrusive_ptr<incarnation>;

/// A start function, shared by all that a template makes and by what runs of it.
struct shared_start : boost::intrusive_ref_counter<shared_start> {
    explicit shared_start(start_function f) : call(std::move(f)) {}
    start_function call;
};

/// A child with what runs it.
class shell_child final : public supervised_child {
  public:
    explicit shell_child(child_spec spec);
    /// A child of simple_one_for_one, without an id yet.
    shell_child(const shell_child& made_of, std::any argument);
    ~shell_child() override;

    void adopt(const supervised_child& spec) override;

    /// The spec it was made from, with the defaults filled in.
    child_spec spec() const;

    /// On the child's executor. Moved out for the last time, otherwise a copy.
    std::any take_argument(bool last);

    boost::intrusive_ptr<shared_start> start;
    incarnation_ptr current; ///< empty when none runs

    /// Where its spec wants it to run; null: with its supervisor.
    guarded_executor* own_executor() const noexcept {
        return rare_ ? rare_->own_executor.get() : nullptr;
    }
    /// What the current incarnation is, when it is a supervisor of ours.
    supervisor* nested_supervisor() const noexcept { return rare_ ? rare_->nested.get() : nullptr; }
    void set_nested_supervisor(std::unique_ptr<supervisor> s);

    /// Takes its registered name, if it has one, for what is about to start.
    void claim_name(const std::shared_ptr<name_registry>& in);
    /// To be found under its name from now on.
    void announce(const std::string& supervisor, const std::any& info) const;
    /// Forgets what runs, and lets go of its name.
    incarnation_ptr let_go();

  private:
    /// What most children do not have: they cost memory by the million.
    struct rare {
        std::shared_ptr<guarded_executor> own_executor;
        std::unique_ptr<supervisor> nested;
        std::string registered_name;
        std::unique_ptr<name_claim> claim;
    };
    rare& made_rare();
    void set_own_executor(std::shared_ptr<guarded_executor> e);
    void set_registered_name(std::string name);

    std::unique_ptr<rare> rare_;
    std::unique_ptr<std::any> argument_; ///< of dynamic children
};

/// A call of the public interface that waits for its answer.
class call final : public reply {
  public:
    explicit call(std::function<void(supervisor::shell&)> reader = {}) : read(std::move(reader)) {}

    std::function<void(supervisor::shell&)> read; ///< of a request that only reads
    std::exception_ptr failure;
    started_child started;
};

} // namespace lifeguard::detail

namespace lifeguard {

/// What supervisor handles share: the strand around the core. It feeds the core with what happens
/// and carries out what the core decides. Everything that touches the core runs on the strand.
class supervisor::shell final : public detail::context_bound,
                                public std::enable_shared_from_this<shell> {
  public:
    using core = detail::supervisor_core;

    shell(const asio::any_io_executor& executor, supervisor_options options);
    ~shell() override;

    /// Adds a validated child, or sets the template, before anything runs.
    void add(child_spec spec);
    /// The same in front of the others; false when there is one of that id. Not with a template.
    bool add_first(child_spec spec);

    const asio::any_io_executor& executor() const noexcept { return home_->get(); }
    const std::string& name() const noexcept { return name_; }
    /// Where to run the child's coroutine: on `executor`, watched if that is wanted.
    asio::any_io_executor watched(const asio::any_io_executor& executor,
                                  const detail::incarnation& of) const;

    // Coroutines of the public interface. They own the shell: a handle may be gone when they begin.
    static asio::awaitable<void> run(std::shared_ptr<shell> self);
    static asio::awaitable<void> stop(std::shared_ptr<shell> self);
    static asio::awaitable<started_child> start_child(std::shared_ptr<shell> self, child_spec spec);
    static asio::awaitable<started_child> start_child(std::shared_ptr<shell> self,
                                                      std::any argument);
    static asio::awaitable<started_child> restart_child(std::shared_ptr<shell> self,
                                                        std::string id);
    /// Terminates, removes or kills.
    static asio::awaitable<void> change(std::shared_ptr<shell> self,
                                        detail::child_request::kind what, std::string id);
    static asio::awaitable<std::vector<child_info>> which_children(std::shared_ptr<shell> self);
    static asio::awaitable<child_counts> count_children(std::shared_ptr<shell> self);
    static asio::awaitable<child_spec> get_childspec(std::shared_ptr<shell> self, std::string id);
    static asio::awaitable<void> reconfigure(std::shared_ptr<shell> self,
                                             supervisor_options options,
                                             std::vector<child_spec> children);
    static asio::awaitable<detail::tree_node> tree(std::shared_ptr<shell> self);
    /// The supervisor that a child is now; empty when it is none of ours, or does not run. Throws
    /// `not_found`.
    static asio::awaitable<std::optional<supervisor>> nested(std::shared_ptr<shell> self,
                                                             std::string id);

    void request_stop();
    void request_force();
    /// Calls `f` once, on the strand, when the supervisor begins to stop for whatever reason,
    /// before it asks the first child. To be set before anything runs. `f` must not throw.
    void when_stopping(std::function<void()> f) { when_stopping_ = std::move(f); }
    std::shared_ptr<void> subscribe(std::function<void(const supervisor_event&)> f);
    stop_figures figures() const;

    // News from incarnations, on their executors; `started` on any thread.
    void started(detail::incarnation& of, std::any info);
    /// The same of one that runs on this strand and is just being launched or renewed.
    void started_here(detail::incarnation& of, std::any info);
    void is_nested(detail::incarnation& of, std::any info, supervisor nested);
    void ended(detail::incarnation& of);
    /// The same of one that runs on this strand, within its coroutine. When the child is restarted
    /// at once this may renew it.
    void ended_here(detail::incarnation& of);
    void deadline_passed(const detail::child_ptr& child, std::uint64_t deadline);

    void context_shutdown() noexcept override;

  private:
    struct subscription {
        std::function<void(const supervisor_event&)> f;
    };
    class child_deadline;
    class orphanage;

    /// How many children may be started in one turn of the strand: others wait for theirs.
    static constexpr unsigned launches_per_turn = 16;
    /// How many answers a caller on the strand may get without leaving it.
    static constexpr unsigned answers_per_turn = 16;

    /// Feeds the core: `f(*this)` on the strand, in place when the caller is there already.
    template <typename F>
    void on_strand(F f, unsigned launches = launches_per_turn);
    /// The same, behind everything that waits for the strand.
    template <typename F>
    void post(F f);
    void look_for_observers() noexcept {
        core_.set_observed(log_ || has_subscribers_.load(std::memory_order_relaxed));
    }
    template <typename F>
    void step(F&& f, unsigned launches = launches_per_turn);

    /// Half of what was decided would leave children that nobody knows of: no exception gets out,
    /// and when memory ends here, so does the program.
    void carry_out(unsigned launches) noexcept;
    void perform_actions() noexcept;
    bool launch_next(unsigned& launches);
    void take_start(detail::incarnation& of, std::any info);
    void take_end(detail::incarnation& of);
    bool renew(detail::shell_child& child);
    void perform(detail::action::spawn& a);
    void perform(detail::action::request_stop& a);
    void perform(detail::action::force& a);
    void perform(detail::action::abandon& a);
    void perform(detail::action::set_deadline& a);
    void perform(detail::action::clear_deadline& a);
    void perform(detail::action::repeat_restart& a);
    void perform(detail::action::answer& a);
    void perform(detail::action::emit& a);
    void perform(detail::action::started& a);
    void perform(detail::action::finished& a);

    void tell(const supervisor_event& event);

    std::shared_ptr<detail::reply> at_end(bool first);
    void begin_run();
    void throw_outcome() const;
    detail::ticket open(std::shared_ptr<detail::call> c);
    std::shared_ptr<detail::call> close(detail::ticket t);
    /// `complete` adds to the request on the strand, where what it throws is the answer.
    static asio::awaitable<started_child>
    ask(std::shared_ptr<shell> self, std::shared_ptr<detail::call> c, detail::child_request request,
        std::function<void(shell&, detail::child_request&)> complete = {});
    static asio::awaitable<started_child>
    start(std::shared_ptr<shell> self, std::string id,
          std::function<void(shell&, detail::child_request&)> complete);
    static asio::awaitable<void> read(std::shared_ptr<shell> self,
                                      std::function<void(shell&)> reader);
    error error_about(errc code, const std::string& child) const;
    struct sketch;
    sketch draw() const;

    const std::shared_ptr<detail::guarded_executor> home_; // the strand
    const std::string name_;
    const logger log_;
    const std::shared_ptr<time_source> time_;
    const std::shared_ptr<detail::deadline_service> deadlines_;
    const std::shared_ptr<name_registry> names_;
    const std::shared_ptr<loop_watchdog> watchdog_;

    // On the strand.
    core core_;
    std::function<void()> when_stopping_;
    detail::supervisor_actions actions_;
    bool carrying_out_ = false;
    bool launching_ = false;                       // meanwhile
    std::deque<detail::incarnation_ptr> launches_; // of children that run on this strand
    detail::incarnation* renewable_ = nullptr;     // what has just ended, in its coroutine
    time_point now_;                               // of the current step
    detail::action::finished outcome_;
    std::unordered_map<const void*, std::shared_ptr<child_deadline>> armed_; // by child
    std::set<detail::incarnation_ptr> abandoned_;

    mutable std::mutex mutex_; // guards what follows
    bool ran_ = false;
    bool ended_ = false;
    bool context_gone_ = false;
    boost::unordered_flat_map<detail::ticket, std::shared_ptr<detail::call>> calls_;
    detail::ticket tickets_ = 0;
    std::vector<std::shared_ptr<detail::reply>> at_end_; // run() first, then who stopped it
    std::function<void()> when_started_;
    std::vector<std::weak_ptr<subscription>> subscriptions_;
    std::atomic<bool> has_subscribers_ = false; // read without the mutex
    std::atomic<unsigned> answered_ = 0;        // in place
    std::uint64_t subscriber_errors_ = 0;
    stop_figures figures_; // as the core had them after the last step
};

template <typename F>
void supervisor::shell::step(F&& f, unsigned launches) {
    now_ = time_->now();
    look_for_observers();
    f(*this);
    if (when_stopping_ && core_.is_ending())
        std::exchange(when_stopping_, nullptr)();
    if (!carrying_out_)
        carry_out(launches);
}

template <typename F>
void supervisor::shell::post(F f) {
    home_->post([self = shared_from_this(), f = std::move(f)]() mutable { self->step(f); });
}

template <typename F>
void supervisor::shell::on_strand(F f, unsigned launches) {
    home_->dispatch([self = shared_from_this(), f = std::move(f), launches]() mutable {
        self->step(f, launches);
    });
}

} // namespace lifeguard
