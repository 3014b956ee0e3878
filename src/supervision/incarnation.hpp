#pragma once

#include "supervision/supervisor_shell.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <atomic>
#include <cstdint>

namespace lifeguard::detail {

/// One run of a child: its coroutine, the signal that cancels it, and what it knows of itself. Its
/// coroutine keeps it, and it keeps its start function and the supervisor: what a coroutine
/// uses outlives it, however long that is. When a child is restarted at once and nobody else
/// remembers the run that ended, the same coroutine and object serve the next one.
class incarnation {
  public:
    /// `own` is where it runs; empty: on its supervisor's strand.
    incarnation(std::shared_ptr<supervisor::shell> shell, boost::intrusive_ptr<shell_child> child,
                std::shared_ptr<guarded_executor> own);
    incarnation(const incarnation&) = delete;
    incarnation& operator=(const incarnation&) = delete;
    ~incarnation();

    const shell_child& child() const noexcept { return *child_; }
    shell_child& child() noexcept { return *child_; }
    unsigned number() const noexcept { return number_; }
    const asio::any_io_executor& executor() const noexcept {
        return is_at_home() ? shell_->executor() : rare_->own->get();
    }
    bool waits_for_ready() const noexcept { return waits_for_ready_; }
    bool is_at_home() const noexcept { return !rare_ || !rare_->own; }

    /// Starts the coroutine. On its executor. When memory ends here, so does the program.
    static void launch(boost::intrusive_ptr<incarnation> of) noexcept;
    /// The same from elsewhere: it has an executor of its own.
    void post_launch();

    /// Raises the flag at once and cancels the coroutine on its executor, unless it has ended by
    /// then.
    void cancel(asio::cancellation_type type);

    void ready(std::any info);
    std::any take_argument() { return child_->take_argument(is_temporary_); }
    bool stop_requested() const noexcept { return stop_requested_.load(std::memory_order_relaxed); }

    /// How it ended. Once, when it has.
    child_end take_end();

    /// Becomes the child's next incarnation, in the coroutine in which it has just ended. False,
    /// and nothing has happened, when somebody else still knows what it was, or when it is time
    /// that others get their turn.
    bool renew();

  private:
    class on_end;
    friend void intrusive_ptr_add_ref(incarnation* i) noexcept;
    friend void intrusive_ptr_release(incarnation* i) noexcept;

    template <typename F>
    void post(F f);
    /// How many incarnations in a row one coroutine may serve without leaving the strand.
    static constexpr unsigned renewals_max = 4;

    asio::awaitable<void> run();
    bool begins_again();
    asio::awaitable<void> call_start();
    void set_end(child_end::kind what, std::string detail = {}, std::exception_ptr cause = {});
    void over(const std::exception_ptr& thrown);
    void context_is_gone();

    const std::shared_ptr<supervisor::shell> shell_;
    const boost::intrusive_ptr<shell_child> child_;
    boost::intrusive_ptr<shared_start> start_; // the child may get another one meanwhile
    /// What most incarnations do not have, most of the time: they cost memory by the million.
    struct rare {
        std::shared_ptr<guarded_executor> own; ///< from the beginning, or never
        child_end end;
    };
    std::unique_ptr<rare> rare_;
    asio::cancellation_signal signal_; // touched on the executor only
    std::atomic<unsigned> references_ = 0;
    unsigned number_;
    bool waits_for_ready_;
    bool is_temporary_;
    std::atomic<bool> stop_requested_ = false;
    bool over_ = false; // on the executor only, as what follows
    std::uint8_t renewals_ = 0;
};

} // namespace lifeguard::detail
