#pragma once

#include "supervision/watch_roster.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <utility>

namespace lifeguard::detail {

/// Another executor whose handlers all belong to one child, and are told of as its turns.
class watched_executor {
  public:
    struct watch {
        std::shared_ptr<loop_watchdog::roster> roster;
        loop_stall who;
    };

    watched_executor(asio::any_io_executor inner, std::shared_ptr<const watch> w) noexcept
        : inner_(std::move(inner)), watch_(std::move(w)) {}

    template <typename F>
    void execute(F f) const {
        inner_.execute([watch = watch_, f = std::move(f)]() mutable {
            const loop_watchdog::roster::turn turn(watch->roster, watch->who);
            std::move(f)();
        });
    }

    // Everything else is the inner executor's.
    template <typename Property>
        requires(asio::can_query_v<asio::any_io_executor, Property>)
    decltype(auto) query(const Property& p) const {
        return asio::query(inner_, p);
    }
    template <typename Property>
        requires(asio::can_require_v<asio::any_io_executor, Property>)
    watched_executor require(const Property& p) const {
        return watched_executor(asio::require(inner_, p), watch_);
    }
    template <typename Property>
        requires(asio::can_prefer_v<asio::any_io_executor, Property>)
    watched_executor prefer(const Property& p) const {
        return watched_executor(asio::prefer(inner_, p), watch_);
    }

    friend bool operator==(const watched_executor& a, const watched_executor& b) noexcept {
        return a.inner_ == b.inner_ && a.watch_ == b.watch_;
    }
    friend bool operator!=(const watched_executor& a, const watched_executor& b) noexcept {
        return !(a == b);
    }

  private:
    asio::any_io_executor inner_;
    std::shared_ptr<const watch> watch_;
};

} // namespace lifeguard::detail
