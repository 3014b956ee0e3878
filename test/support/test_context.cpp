#include "support/test_context.hpp"

#include "base/executors.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <thread>
#include <vector>

namespace lifeguard::test {

namespace {

std::array<std::atomic<std::size_t>, 2> ran_by_two; // handlers, of all two-thread contexts

} // namespace

bool future_state::ready() const {
    const std::lock_guard lock(mutex_);
    return ready_;
}

std::exception_ptr future_state::exception() const {
    const std::lock_guard lock(mutex_);
    return thrown_;
}

asio::any_io_executor future_state::executor() const {
    const std::lock_guard lock(mutex_);
    return executor_;
}

void future_state::finish(std::exception_ptr thrown) {
    asio::any_io_executor gone; // a strand must not end with the lock held
    const std::lock_guard lock(mutex_);
    gone.swap(executor_);
    thrown_ = std::move(thrown);
    ready_ = true;
}

void future_state::cancel(asio::cancellation_type type) {
    if (const auto on = executor())
        asio::post(on, [self = shared_from_this(), type] {
            if (!self->ready())
                self->signal_.emit(type);
        });
}

/// Runs the context's handlers, on the calling thread and, with two threads, on a helper beside it.
struct test_context::runner {
    runner(asio::io_context& io, int threads, std::optional<std::size_t> cut_after)
        : io_(io), threads_(threads), left_(cut_after) {
        if (threads_ == 2)
            helper_ = std::thread([this] { help(); });
    }

    ~runner() {
        if (!helper_.joinable())
            return;
        {
            const std::lock_guard lock(mutex_);
            quit_ = true;
        }
        start_.notify_one();
        helper_.join();
    }

    /// False when the context has been cut.
    bool settle() {
        if (left_ == 0U)
            return false;
        io_.restart();
        done_ = false;
        idle_ = 0;
        if (helper_.joinable()) {
            {
                const std::lock_guard lock(mutex_);
                helping_ = true;
                ++rounds_;
                first_ = total(0) <= total(1) ? 0 : 1;
            }
            start_.notify_one();
            // Or this thread would have run everything before the other wakes. Counted, not
            // flagged: the other may have come and gone before we look.
            wait_until([this] { return arrived_.load() == rounds_; });
        }
        take_turns(0);
        run_ready(0);
        if (helper_.joinable())
            wait_until([this] { return gone_.load() == rounds_; });
        if (const auto failed = std::exchange(failed_, nullptr))
            std::rethrow_exception(failed);
        return left_ != 0U;
    }

    void help() {
        for (;;) {
            {
                std::unique_lock lock(mutex_);
                start_.wait(lock, [this] { return helping_ || quit_; });
                if (quit_)
                    return;
                helping_ = false;
            }
            ++arrived_;
            take_turns(1);
            run_ready(1);
            ++gone_;
        }
    }

    std::size_t total(std::size_t thread) const { return ran_by_two.at(thread) + ran_.at(thread); }

    // On a busy machine one thread might otherwise run every handler of every round: who has run
    // fewer so far runs the first one.
    void take_turns(std::size_t thread) {
        if (threads_ != 2)
            return;
        if (thread == first_) {
            run(thread, [this] { return io_.poll_one(); });
            begun_ = rounds_.load();
            return;
        }
        // No longer than this: the first handler may be waiting for one that this thread will run.
        const auto now = [] {
            return std::chrono::steady_clock::now(); // lint: allow: real threads
        };
        const auto end = now() + std::chrono::milliseconds(20);
        wait_until([&] { return begun_ == rounds_ || now() > end; });
    }

    // What a handler threw ends the round.
    template <typename Poll>
    std::size_t run(std::size_t thread, Poll poll) {
        std::size_t ran = 0;
        try {
            ran = poll();
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!failed_)
                failed_ = std::current_exception();
            done_ = true;
        }
        ran_[thread] += ran;
        return ran;
    }

    std::size_t poll() {
        if (!left_)
            return io_.poll();
        std::size_t ran = 0;
        while (*left_ != 0 && io_.poll_one() != 0) {
            --*left_;
            ++ran;
        }
        if (*left_ == 0)
            done_ = true;
        return ran;
    }

    // Ends when every thread has found nothing to do and none is running a handler, which might
    // post more.
    void run_ready(std::size_t thread) {
        while (!done_) {
            if (run(thread, [this] { return poll(); }) != 0)
                continue;
            if (++idle_ == threads_) {
                done_ = true;
                return;
            }
            std::this_thread::yield();
            --idle_;
        }
    }

    template <typename Condition>
    static void wait_until(Condition condition) {
        while (!condition())
            std::this_thread::yield();
    }

    asio::io_context& io_;
    const int threads_;
    std::thread helper_;
    std::mutex mutex_;
    std::condition_variable start_;
    bool helping_ = false;
    bool quit_ = false;
    std::exception_ptr failed_;
    std::atomic<std::uint64_t> rounds_ = 0; // with a helper
    std::atomic<std::uint64_t> arrived_ = 0;
    std::size_t first_ = 0;
    std::atomic<std::uint64_t> begun_ = 0; // the last round whose first handler has run
    std::atomic<std::uint64_t> gone_ = 0;
    std::optional<std::size_t> left_; // handlers, before the cut; empty: no end
    std::atomic<bool> done_ = false;
    std::atomic<int> idle_ = 0;
    std::array<std::atomic<std::size_t>, 2> ran_{};

    std::vector<std::weak_ptr<std::function<bool()>>> drains_;
    std::vector<std::weak_ptr<future_state>> spawned_;
    std::vector<std::string> failed_checks_; // guarded by mutex_
    bool leftovers_expected_ = false;
    const int unwinding_ = std::uncaught_exceptions();
};

test_context::test_context(int threads, std::optional<std::size_t> cut_after)
    : time(std::make_shared<manual_time_source>()),
      io(threads),
      runner_(std::make_unique<runner>(io, threads, cut_after)) {}

test_context::~test_context() {
    if (threads() == 2)
        for (std::size_t thread = 0; thread < 2; ++thread)
            ran_by_two.at(thread) += handlers_run(static_cast<int>(thread));
    // A test that has failed by an exception did not come to its end.
    if (std::uncaught_exceptions() > runner_->unwinding_)
        return;
    try {
        settle();
        if (runner_->leftovers_expected_)
            return;
        if (const auto alarms = time->alarms(); alarms != 0)
            BOOST_ERROR("the test leaves " << alarms << " alarm(s) set");
        const auto unfinished =
            std::count_if(runner_->spawned_.begin(), runner_->spawned_.end(), [](const auto& weak) {
                const auto state = weak.lock();
                return state && !state->ready();
            });
        if (unfinished != 0)
            BOOST_ERROR("the test leaves " << unfinished << " spawned coroutine(s) unfinished");
    } catch (const cut_short&) { // after its last word
    } catch (const std::exception& e) {
        BOOST_ERROR("at the end of the test a handler threw: " << e.what());
    } catch (...) {
        BOOST_ERROR("at the end of the test a handler threw");
    }
}

int test_context::threads() const noexcept { return runner_->threads_; }

void test_context::settle() {
    if (cut_)
        return; // and what is unwound asks for more
    bool goes_on = true;
    for (bool again = true; again && goes_on;) {
        goes_on = runner_->settle();
        again = false;
        for (const auto& weak : runner_->drains_)
            if (const auto drain = weak.lock())
                again = (*drain)() || again;
    }
    report_checks();
    if (goes_on)
        return;
    cut_ = true;
    io.cut();
    throw cut_short();
}

std::shared_ptr<void> test_context::settle_with(std::function<bool()> drain) {
    auto kept = std::make_shared<std::function<bool()>>(std::move(drain));
    std::erase_if(runner_->drains_, [](const auto& weak) { return weak.expired(); });
    runner_->drains_.push_back(kept);
    return kept;
}

void test_context::advance(duration by) {
    settle();
    const time_point end = time->now() + by;
    for (auto next = time->next_alarm(); next && *next <= end; next = time->next_alarm()) {
        time->advance_to(*next);
        settle();
    }
    time->advance_to(end);
    settle();
}

void test_context::check(bool ok, const std::string& what, std::source_location where) {
    if (ok)
        return;
    std::ostringstream text;
    text << where.file_name() << ':' << where.line() << ": " << what;
    const std::lock_guard lock(runner_->mutex_);
    runner_->failed_checks_.push_back(text.str());
}

void test_context::report_checks() {
    std::vector<std::string> failed;
    {
        const std::lock_guard lock(runner_->mutex_);
        failed.swap(runner_->failed_checks_);
    }
    for (const auto& text : failed)
        BOOST_ERROR(text);
}

std::size_t test_context::handlers_run(int thread) const {
    return runner_->ran_.at(static_cast<std::size_t>(thread));
}

void test_context::expect_leftovers() noexcept { runner_->leftovers_expected_ = true; }

asio::any_io_executor test_context::new_strand() { return detail::new_strand(executor()); }

void test_context::track(std::weak_ptr<future_state> state) {
    std::erase_if(runner_->spawned_, [](const auto& weak) { return weak.expired(); });
    runner_->spawned_.push_back(std::move(state));
}

void test_context::did_not_finish() const {
    throw std::runtime_error("await: the coroutine did not finish; alarms set: " +
                             std::to_string(time->alarms()));
}

namespace {

/// Whether the body ran to its end before the cut.
bool outruns_cut(const std::function<void(test_context& ctx)>& body, std::size_t after) {
    try {
        test_context ctx(1, after);
        body(ctx);
        return true;
    } catch (const cut_short&) {
        return false;
    }
}

} // namespace

bool both_threads_ran_handlers() {
    constexpr std::size_t enough_to_tell = 10'000; // of short ones the first may run them all
    return ran_by_two[0] + ran_by_two[1] < enough_to_tell ||
           (ran_by_two[0] != 0 && ran_by_two[1] != 0);
}

void with_one_and_two_threads(const std::function<void(test_context& ctx)>& body) {
    if (const char* cuts = std::getenv("LIFEGUARD_TEST_CUTS")) {
        const std::size_t most = std::strtoul(cuts, nullptr, 10);
        std::size_t after = 1;
        while (after <= most && !outruns_cut(body, after))
            ++after;
        BOOST_TEST_MESSAGE("cut " << after - 1 << " times");
        return;
    }
    for (const int threads : {1, 2}) {
        BOOST_TEST_CONTEXT("threads: " << threads) {
            test_context ctx(threads);
            body(ctx);
        }
    }
}

} // namespace lifeguard::test
