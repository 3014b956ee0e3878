#pragma once

#include "base/assert.hpp"
#include "base/executors.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>

#include <optional>
#include <utility>

namespace lifeguard::detail {

/// The completion handler of a coroutine suspended with `suspend`: eight bytes, no allocation.
using resumption = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;

/// A coroutine that waits in one of our lists. It lies in the waiting coroutine's frame, together
/// with what it waits for; whoever takes it out, under the list's lock, is the only one who may
/// resume it.
class parked_coroutine : public boost::intrusive::list_base_hook<> {
  public:
    bool is_parked() const noexcept { return resumption_.has_value(); }
    void park(resumption r) { resumption_.emplace(std::move(r)); }

    resumption take() {
        LIFEGUARD_ASSERT(is_parked(), "nobody is parked here");
        resumption r(std::move(*resumption_));
        resumption_.reset();
        return r;
    }

  private:
    std::optional<resumption> resumption_;
};

/// Suspends the calling coroutine and hands its resumption to `f`, once it is safe to resume it
/// from any thread. `f` must not throw. Name `f` first and pass it as an lvalue: g++ 12 destroys
/// the captures of a temporary twice.
template <typename F>
asio::awaitable<void> suspend(F& f) {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [&f](resumption r) { f(std::move(r)); }, asio::use_awaitable);
}

/// Resumes a coroutine in place when the calling thread may, otherwise through its executor. Never
/// call this with a lock held: the coroutine runs on until it suspends again.
inline void resume_in_place(resumption r) {
    if (running_in(r.get_executor()))
        std::move(r)();
    else
        asio::post(std::move(r));
}

/// Coroutines to be resumed once the lock that guards their lists has been released.
class wake_list {
  public:
    /// Takes `p` out of its parking place. `in_place`: it may run on the waker's stack.
    void add(parked_coroutine& p, bool in_place = false) {
        wakes_.push_back(wake(p.take(), in_place));
    }

    bool empty() const noexcept { return wakes_.empty(); }

    /// Resumes them all, in the order in which they were added. No lock may be held.
    /// Errors: what leaves the completion handler of a coroutine resumed in place; the rest has
    /// been posted then.
    void run() {
        for (auto w = wakes_.begin(); w != wakes_.end(); ++w) {
            if (!w->in_place) {
                asio::post(std::move(w->what));
                continue;
            }
            try {
                resume_in_place(std::move(w->what));
            } catch (...) {
                while (++w != wakes_.end())
                    asio::post(std::move(w->what));
                wakes_.clear();
                throw;
            }
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
};

} // namespace lifeguard::detail
