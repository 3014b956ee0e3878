#pragma once

#include <lifeguard/backoff.hpp>
#include <lifeguard/time_source.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace lifeguard {

class log_sink;
class metrics_registry;

/// Which of the idle resources is handed out next: the one that came back last, so that the others
/// may grow cold (poolboy's default), or the one that has been idle longest.
enum class reuse_order { lifo, fifo };

/// Who is served first of those who wait.
enum class waiting_order { fifo, lifo };

/// What becomes of a resource that somebody was not done with.
enum class after_use {
    reuse,   ///< it goes to the next one
    recycle, ///< it is stopped, and another one is started in its place
};

/// Validated by the pool's constructor; the error names the field. The semantics are poolboy's
/// unless said otherwise.
struct resource_pool_options {
    /// Names the pool in logs, metrics, errors and the tree.
    std::string name = "resources";

    /// Resources that are always there, and how many more are started while all are leased and
    /// somebody waits. Default to 5 and 10.
    unsigned size = 5;
    unsigned max_overflow = 10;

    reuse_order order = reuse_order::lifo;
    waiting_order waiting = waiting_order::fifo;

    /// How long a checkout waits unless it says otherwise. Defaults to 5 s.
    duration checkout_timeout = std::chrono::seconds(5);

    /// How many may wait; one more is refused with `limit_reached`. Defaults to 100,000.
    std::size_t waiters_max = 100'000;

    /// What becomes of a resource when the body of a transaction throws. Defaults to reuse.
    after_use body_failed = after_use::reuse;
    /// And when the coroutine that runs a transaction is cancelled or destroyed in the middle of
    /// it. Defaults to recycle: a conversation cut short poisons the next one.
    after_use holder_gone = after_use::recycle;

    /// A lease that lasts longer is logged, again after each such time. Zero: never. Defaults to
    /// zero.
    duration overrun_warning = duration::zero();
    /// At this many warnings the resource is taken from its holder, stopped and replaced. Zero:
    /// never. Defaults to zero.
    unsigned overrun_limit = 0;

    /// How often an idle resource is pinged, when the pool knows how. Zero: never. Defaults to
    /// zero.
    duration ping_interval = duration::zero();

    /// How long to wait before a start that failed is tried again.
    backoff start_retry{.offset = duration::zero(),
                        .base = std::chrono::milliseconds(100),
                        .factor = 2,
                        .cap = std::chrono::seconds(30),
                        .jitter = 0.1};

    /// How long a resource that is let go may take to stop before it is cancelled by force.
    /// Defaults to 5 s.
    std::chrono::milliseconds shutdown = std::chrono::seconds(5);

    /// When more than so many resources die within `period` the pool gives up. Empty: never. A
    /// start that fails is none. Defaults to empty.
    std::optional<unsigned> deaths_max;

    /// More restarts of the pool's server than `intensity` within `period` and the pool gives up.
    /// Default to 5 in 10 s.
    unsigned intensity = 5;
    duration period = std::chrono::seconds(10);

    /// Empty: the machine's clocks; no log; metrics of its own that nobody reads.
    std::shared_ptr<time_source> time;
    std::shared_ptr<log_sink> log;
    std::shared_ptr<metrics_registry> metrics;
};

/// How to check out. Trivially destructible, so that a temporary may stand in a co_await with
/// g++ 12.
struct checkout_options {
    /// How long to wait for a resource. Negative: as the pool's options say.
    duration timeout = duration(-1);

    /// What it is for, in the warning about a lease that lasts too long. Must outlive the lease.
    std::string_view task = {};
};
static_assert(std::is_trivially_destructible_v<checkout_options>);

/// How to run a transaction. Trivially destructible, as above.
struct transaction_options {
    duration checkout_timeout = duration(-1); ///< as in `checkout_options`

    /// How long the body may take: then it is cancelled, the resource is recycled, and the
    /// transaction throws `timeout`. Zero: as long as it takes. Defaults to zero.
    duration body_timeout = duration::zero();

    std::string_view task = {}; ///< as in `checkout_options`
};
static_assert(std::is_trivially_destructible_v<transaction_options>);

/// A pool as it was when asked.
struct resource_pool_status {
    /// ready: a checkout is served at once; overflow: it starts a resource; full: it waits.
    enum class state { ready, overflow, full, stopped };

    state state_now = state::stopped;
    std::size_t idle = 0;
    unsigned overflow = 0; ///< resources beyond `size`
    std::size_t leased = 0;
    std::size_t waiting = 0;
    std::size_t starting = 0;
    unsigned size = 0;
    unsigned max_overflow = 0;

    std::uint64_t checkouts_total = 0;
    std::uint64_t timeouts_total = 0; ///< checkouts that waited in vain
    std::uint64_t started_total = 0;
    std::uint64_t start_failures_total = 0;
    std::uint64_t deaths_total = 0;   ///< resources that ended without being asked to
    std::uint64_t recycled_total = 0; ///< stopped because of what happened to their lease
    std::uint64_t overruns_total = 0; ///< warnings about leases that last too long
};

/// "ready" and so on.
std::string_view name_of(resource_pool_status::state state) noexcept;

} // namespace lifeguard
