#include "supervision/incarnation.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace lifeguard {

const std::string& child_context::id() const noexcept { return incarnation_->child().id; }

unsigned child_context::incarnation() const noexcept { return incarnation_->number(); }

const asio::any_io_executor& child_context::executor() const noexcept {
    return incarnation_->executor();
}

void child_context::ready(std::any info) const {
    if (incarnation_->waits_for_ready())
        incarnation_->ready(std::move(info));
}

bool child_context::stop_requested() const noexcept { return incarnation_->stop_requested(); }

std::any child_context::take_argument() const { return incarnation_->take_argument(); }

child_body::child_body(supervisor nested, std::any info)
    : run_(nested.run()),
      info_(std::move(info)),
      nested_(std::make_shared<supervisor>(std::move(nested))) {}

namespace detail {

void intrusive_ptr_add_ref(incarnation* i) noexcept {
    i->references_.fetch_add(1, std::memory_order_relaxed);
}

void intrusive_ptr_release(incarnation* i) noexcept {
    if (i->references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
        delete i;
}

namespace {

asio::awaitable<void> nothing() { co_return; }

} // namespace

/// The completion handler of the coroutine, and what connects it to its signal.
class incarnation::on_end {
  public:
    using cancellation_slot_type = asio::cancellation_slot;

    explicit on_end(boost::intrusive_ptr<incarnation> of) noexcept : of_(std::move(of)) {}

    cancellation_slot_type get_cancellation_slot() const noexcept { return of_->signal_.slot(); }
    void operator()(const std::exception_ptr& thrown) const { of_->over(thrown); }

  private:
    boost::intrusive_ptr<incarnation> of_;
};

incarnation::incarnation(std::shared_ptr<supervisor::shell> shell,
                         boost::intrusive_ptr<shell_child> child,
                         std::shared_ptr<guarded_executor> own)
    : shell_(std::move(shell)),
      child_(std::move(child)),
      start_(child_->start),
      number_(child_->incarnation),
      waits_for_ready_(child_->waits_for_ready),
      is_temporary_(child_->restart == restart_type::temporary) {
    if (own) {
        rare_ = std::make_unique<rare>();
        rare_->own = std::move(own);
    }
}

incarnation::~incarnation() = default;

template <typename F>
void incarnation::post(F f) {
    if (is_at_home())
        asio::post(shell_->executor(), std::move(f)); // called on this very strand
    else
        rare_->own->post(std::move(f));
}

void incarnation::post_launch() {
    const boost::intrusive_ptr<incarnation> self(this);
    rare_->own->when_gone([self] { self->context_is_gone(); });
    rare_->own->post([self] { launch(self); });
}

void incarnation::launch(boost::intrusive_ptr<incarnation> of) noexcept {
    incarnation& self = *of;
    const asio::any_io_executor where = self.shell_->watched(self.executor(), self);
    asio::co_spawn(where, self.run(), on_end(std::move(of)));
}

// The handler of the coroutine's end keeps this object, and is destroyed after the coroutine.
asio::awaitable<void> incarnation::run() {
    do {
        // The filter and the flag may be what the incarnation before has left.
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        co_await asio::this_coro::throw_if_cancelled(true);
        // What leaves the child's coroutine is caught here, by its type, and goes no further: an
        // exception costs a microsecond for every frame it passes.
        try {
            co_await call_start();
        } catch (const exit_shutdown& e) {
            set_end(child_end::kind::exit_shutdown, e.detail, std::current_exception());
        } catch (const boost::system::system_error& e) {
            set_end(e.code() == asio::error::operation_aborted ? child_end::kind::cancelled
                                                               : child_end::kind::failed,
                    e.what(), std::current_exception());
        } catch (const std::exception& e) {
            set_end(child_end::kind::failed, e.what(), std::current_exception());
        } catch (...) {
            set_end(child_end::kind::failed, describe(std::current_exception()),
                    std::current_exception());
        }
    } while (begins_again());
}

/// Tells that it has ended. True when it is to run again at once, as the child's next incarnation.
bool incarnation::begins_again() {
    if (!is_at_home())
        return false;
    over_ = true;
    shell_->ended_here(*this);
    return !over_; // it has been renewed
}

bool incarnation::renew() {
    if (references_.load(std::memory_order_acquire) != 1 || renewals_ == renewals_max)
        return false;
    ++renewals_;
    start_ = child_->start;
    number_ = child_->incarnation;
    waits_for_ready_ = child_->waits_for_ready;
    is_temporary_ = child_->restart == restart_type::temporary;
    stop_requested_.store(false, std::memory_order_relaxed);
    over_ = false;
    return true;
}

asio::awaitable<void> incarnation::call_start() {
    if (stop_requested())
        return nothing();
    child_body body = start_->call(child_context(this));
    if (body.is_ignore()) {
        set_end(child_end::kind::ignored);
        return nothing();
    }
    if (body.nested())
        shell_->is_nested(*this, std::move(body.info()), *body.nested());
    else if (!waits_for_ready_ && is_at_home())
        shell_->started_here(*this, std::move(body.info()));
    else if (!waits_for_ready_)
        ready(std::move(body.info()));
    return body.take_run();
}

void incarnation::ready(std::any info) { shell_->started(*this, std::move(info)); }

void incarnation::cancel(asio::cancellation_type type) {
    stop_requested_.store(true, std::memory_order_relaxed);
    post([self = boost::intrusive_ptr<incarnation>(this), type] {
        if (!self->over_)
            self->signal_.emit(type);
    });
}

void incarnation::set_end(child_end::kind what, std::string detail, std::exception_ptr cause) {
    if (!rare_)
        rare_ = std::make_unique<rare>();
    rare_->end.what = what;
    rare_->end.detail = std::move(detail);
    rare_->end.cause = std::move(cause);
}

void incarnation::over(const std::exception_ptr& thrown) {
    if (std::exchange(over_, true))
        return; // has been told
    if (!is_at_home())
        rare_->own->when_gone({});
    if (thrown)
        set_end(child_end::kind::failed, describe(thrown), thrown);
    shell_->ended(*this);
}

/// Its coroutine is being destroyed, or was, without having ended.
void incarnation::context_is_gone() {
    over_ = true;
    set_end(child_end::kind::failed, "the context of its executor was destroyed");
    shell_->ended(*this);
}

child_end incarnation::take_end() { return rare_ ? std::exchange(rare_->end, {}) : child_end(); }

} // namespace detail
} // namespace lifeguard
