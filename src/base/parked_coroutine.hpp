#pragma once

#include "base/assert.hpp"
#include "base/executors.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace lifeguard::detail {

/// The completion handler of a coroutine suspended with `suspend`: eight bytes, no allocation.
/// Boost gives it no public name; by its public one, async_result<use_awaitable_t<>>::handler_type,
/// each wait would cost a coroutine frame more.
using resumption = asio::detail::awaitable_async_op_handler<void(), asio::any_io_executor>;
static_assert(sizeof(resumption) == sizeof(void*));

/// A coroutine that waits in one of our lists. It lies in the waiting coroutine's frame, together
/// with what it waits for; whoever takes it out, under the list's lock, is the only one who may
/// resume it.
class parked_coroutine : public boost::intrusive::list_base_hook<
                             boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    bool is_parked() const noexcept { return resumption_.has_value(); }
    void park(resumption r) { resumption_.emplace(std::move(r)); }

    resumption take() {
        LIFEGUARD_ASSERT(is_parked(), "nobody is parked here");
        resumption r(std::move(*resumption_));
        resumption_.reset();
        if (is_linked())
            unlink();
        return r;
    }

  private:
    std::optional<resumption> resumption_;
};

/// All coroutines parked with one core, so that they can be let go of when their context dies.
/// Guarded by the core's lock.
class parking_lot {
  public:
    void park(parked_coroutine& p, resumption r) {
        p.park(std::move(r));
        parked_.push_back(p);
    }

    /// Takes everybody out. Destroying the answer, without the lock, unwinds their frames.
    std::vector<resumption> clear() {
        std::vector<resumption> all;
        while (!parked_.empty())
            all.push_back(parked_.front().take());
        return all;
    }

  private:
    boost::intrusive::list<parked_coroutine, boost::intrusive::constant_time_size<false>> parked_;
};

/// Hands a resumption to the function it was made with.
template <typename F>
struct hand_over {
    F* f;
    void operator()(resumption r) const { (*f)(std::move(r)); }
};

/// `co_await suspend(f)` suspends the calling coroutine and hands its resumption to `f`, once it is
/// safe to resume it from any thread. `f` must not throw, and is named first: g++ 12 destroys the
/// captures of a temporary twice.
template <typename F>
auto suspend(F& f) {
    return asio::async_initiate<const asio::deferred_t, void()>(hand_over<F>{&f}, asio::deferred);
}

/// Resumes a coroutine when it is called; what an executor is given to run.
struct resume_it {
    resumption r;
    void operator()() { std::move(r)(); }
};

/// Resumes a coroutine through its executor, later. As asio::post, but for the executors that are
/// known it goes past the type erasure, which costs as much again as the post itself.
inline void resume_later(resumption r) {
    const asio::any_io_executor executor = r.get_executor();
    constexpr auto never = asio::execution::blocking.never;
    if (const auto* strand = executor.target<asio::strand<io_executor>>())
        asio::require(*strand, never).execute(resume_it{std::move(r)});
    else if (const auto* io = executor.target<io_executor>())
        asio::require(*io, never).execute(resume_it{std::move(r)});
    else
        asio::post(std::move(r));
}

/// Resumes a coroutine in place when the calling thread may, otherwise through its executor. Never
/// call this with a lock held: the coroutine runs on until it suspends again. What leaves the
/// completion handler of a coroutine that ends meanwhile comes out of its context's run(), as it
/// would have without us; the waker does not see it.
inline void resume_in_place(resumption r) {
    const asio::any_io_executor executor = r.get_executor();
    if (!running_in(executor)) {
        resume_later(std::move(r));
        return;
    }
    try {
        std::move(r)();
    } catch (...) {
        asio::post(executor, [e = std::current_exception()] { std::rethrow_exception(e); });
    }
}

/// Coroutines to be resumed once the lock that guards their lists has been released.
class wake_list {
  public:
    /// Takes `p` out of its parking place. `in_place`: it may run on the waker's stack.
    void add(parked_coroutine& p, bool in_place = false) {
        wakes_.push_back(wake(p.take(), in_place));
    }

    /// Also calls `f`, before anybody is resumed. For what is rare.
    void defer(std::function<void()> f) {
        if (!deferred_)
            deferred_ = std::make_unique<std::vector<std::function<void()>>>();
        deferred_->push_back(std::move(f));
    }

    /// Resumes them all, in the order in which they were added. No lock may be held.
    void run() {
        if (deferred_)
            for (const auto deferred = std::move(deferred_); const auto& f : *deferred)
                f();
        for (wake& w : wakes_) {
            if (w.in_place)
                resume_in_place(std::move(w.what));
            else
                resume_later(std::move(w.what));
        }
        wakes_.clear();
    }

  private:
    struct wake {
        wake(resumption r, bool here) : what(std::move(r)), in_place(here) {}
        resumption what;
        bool in_place;
    };
    boost::container::small_vector<wake, 4> wakes_;
    std::unique_ptr<std::vector<std::function<void()>>> deferred_; // nearly always empty
};

} // namespace lifeguard::detail
