#pragma once

#include <lifeguard/time_source.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <any>
#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace lifeguard {

class supervisor;

namespace detail {
class incarnation;
void intrusive_ptr_add_ref(incarnation* i) noexcept;
void intrusive_ptr_release(incarnation* i) noexcept;

// A callable that can say of itself that it is empty.
template <typename F>
inline constexpr bool may_be_empty = std::is_pointer_v<F>;
template <typename Signature>
inline constexpr bool may_be_empty<std::function<Signature>> = true;
} // namespace detail

/// When a child that has ended is started again (OTP's words).
enum class restart_type {
    permanent, ///< always
    transient, ///< only after an abnormal end
    temporary, ///< never; its spec is forgotten
};

enum class child_type { worker, supervisor };

/// How a child is stopped: asked, and how long it may take before it is cancelled by force.
class shutdown_policy {
  public:
    /// No request: cancelled by force at once.
    static shutdown_policy brutal() noexcept { return shutdown_policy(duration::min()); }
    /// Asked, and waited for as long as it takes.
    static shutdown_policy infinity() noexcept { return shutdown_policy(duration::max()); }
    /// Asked, and given `grace`. Zero asks and forces in one go. A negative value is refused with
    /// the spec.
    static shutdown_policy after(std::chrono::milliseconds grace) noexcept {
        constexpr auto longest =
            std::chrono::duration_cast<std::chrono::milliseconds>(duration::max());
        if (grace > longest)
            return infinity();
        return shutdown_policy(grace > -longest ? duration(grace) : duration(-longest));
    }

    bool is_brutal() const noexcept { return grace_ == duration::min(); }
    bool is_infinite() const noexcept { return grace_ == duration::max(); }
    bool is_valid() const noexcept { return is_brutal() || grace_ >= duration::zero(); }
    duration grace() const noexcept { return is_brutal() ? duration::zero() : grace_; }

    friend bool operator==(const shutdown_policy&, const shutdown_policy&) = default;

  private:
    explicit shutdown_policy(duration grace) noexcept : grace_(grace) {}
    duration grace_;
};

/// What an incarnation knows of itself and its supervisor. Cheap to copy; may outlive both. Thread
/// safety: `ready` and `stop_requested` may be called from any thread.
class child_context {
  public:
    explicit child_context(boost::intrusive_ptr<detail::incarnation> of) noexcept
        : incarnation_(std::move(of)) {}

    const std::string& id() const noexcept;
    /// 1 for the first run of the child, 2 after its first restart ...
    unsigned incarnation() const noexcept;
    /// Where the child runs: its supervisor's strand, or a strand over the executor that its spec
    /// names.
    const asio::any_io_executor& executor() const noexcept;

    /// Ends the start handshake of a child whose spec says `waits_for_ready`; otherwise no effect.
    /// `info` is returned to whoever called `start_child` or `restart_child`.
    void ready(std::any info = {}) const;

    /// Whether the supervisor has asked this incarnation to stop.
    bool stop_requested() const noexcept;

    /// What `start_child` was given for this child; empty of children without a template. Once, in
    /// the start function: that of a temporary child is moved out.
    std::any take_argument() const;

  private:
    boost::intrusive_ptr<detail::incarnation> incarnation_;
};

/// What a start function answers: a coroutine to run, or "do not run me now".
class child_body {
  public:
    /// The child runs `run`. `info` goes to whoever called `start_child` or `restart_child`.
    child_body(asio::awaitable<void> run, std::any info = {})
        : run_(std::move(run)), info_(std::move(info)) {}

    /// The child is a nested supervisor: it counts as started when all its initial children do, as
    /// in OTP.
    child_body(supervisor nested, std::any info = {});

    /// The child does not run now: it is kept as not started, or forgotten when it is temporary
    /// (OTP: `ignore`).
    static child_body ignore() { return child_body(); }

    bool is_ignore() const noexcept { return !run_.has_value(); }
    /// Once, and not of `ignore`.
    asio::awaitable<void> take_run() { return std::move(*run_); }
    std::any& info() noexcept { return info_; }
    /// The nested supervisor; empty for any other child.
    const std::shared_ptr<supervisor>& nested() const noexcept { return nested_; }

  private:
    child_body() = default;

    std::optional<asio::awaitable<void>> run_;
    std::any info_;
    std::shared_ptr<supervisor> nested_; // so that the tree can be walked
};

/// Called once for each incarnation, on the child's executor. It may throw: that is a failed start.
/// It lives as long as any coroutine that it returned, so it may itself be a coroutine lambda with
/// captures.
using start_function = std::function<child_body(child_context)>;

/// One child of a supervisor. `id` and `start` are needed, everything else has OTP's defaults.
/// Inside a co_await expression name a spec whose start function has captures first: g++ 12
/// destroys such temporaries twice.
struct child_spec {
    /// `start` takes a `child_context` or nothing; that of a template takes a `child_context`, the
    /// argument as a `std::any`, or both in this order. It returns a `child_body`, an
    /// `awaitable<void>` or a `supervisor`.
    template <typename F>
    child_spec(std::string child_id, F start_child)
        : id(std::move(child_id)), start(adapt(std::move(start_child))) {}

    std::string id;
    start_function start;

    restart_type restart = restart_type::permanent;

    /// Defaults to 5 s for a worker and infinity for a supervisor.
    std::optional<shutdown_policy> shutdown;

    child_type type = child_type::worker;

    /// Whether its end may end the supervisor, see `auto_shutdown`. Not for permanent children.
    bool significant = false;

    /// The child counts as started when it calls `child_context::ready`, not when its start
    /// function returns. The next sibling is not started before that.
    bool waits_for_ready = false;

    /// How long the start may take; past it the start has failed. Zero: as long as it takes.
    duration start_timeout = duration::zero();

    /// The name it holds while it runs, in the supervisor's `names`. Empty: none.
    std::string registered_name;

    /// Where it runs. Empty: on its supervisor's strand. Any other executor gets a strand for the
    /// child.
    asio::any_io_executor executor;

  private:
    template <typename F>
    static start_function adapt(F f) {
        if constexpr (detail::may_be_empty<F>)
            if (!f)
                return {}; // refused by the supervisor, with its reasons
        if constexpr (std::is_invocable_v<F&, child_context, std::any>) {
            return [f = std::move(f)](const child_context& context) mutable {
                return child_body(f(context, context.take_argument()));
            };
        } else if constexpr (std::is_invocable_v<F&, std::any>) {
            // Asked before the next: a child_context would convert to std::any.
            return [f = std::move(f)](const child_context& context) mutable {
                return child_body(f(context.take_argument()));
            };
        } else if constexpr (std::is_convertible_v<F, start_function>) {
            return start_function(std::move(f));
        } else if constexpr (std::is_invocable_v<F&, child_context>) {
            return [f = std::move(f)](child_context context) mutable {
                return child_body(f(std::move(context)));
            };
        } else {
            static_assert(
                std::is_invocable_v<F&>,
                "a start function takes a child_context or nothing, and returns a coroutine");
            return [f = std::move(f)](const child_context&) mutable { return child_body(f()); };
        }
    }
};

} // namespace lifeguard
