#include "http/sampler.hpp"

#include "base/saturate.hpp"
#include "base/time_limit.hpp"
#include "http/json_writer.hpp"
#include "http/percentile.hpp"
#include "http/process_figures.hpp"
#include "queue/queue_core.hpp"

#include <algorithm>

namespace lifeguard::detail::web {
namespace {

constexpr duration step = std::chrono::seconds(1);
constexpr unsigned coarse_steps = 10;

/// A queue as it was when it was looked at.
struct queue_figures {
    std::string name;
    std::array<std::size_t, 7> counts{};
    std::size_t unfinished = 0;
    bool paused = false;
    std::optional<duration> oldest; ///< how long its oldest available job waits
};

/// The jobs that are taken next are the oldest of their kind and priority.
std::optional<duration> age_of_oldest(const queue_entry& queue, const moment& at) {
    std::optional<duration> oldest;
    for (const auto& lane : queue.lanes)
        for (const place_list& jobs : lane->by_priority) {
            if (jobs.empty())
                continue;
            const job_record& first = jobs.front();
            const duration age =
                first.available_since == time_point()
                    ? std::chrono::duration_cast<duration>(at.wall - first.created_at)
                    : at.now - first.available_since;
            oldest = std::max(oldest.value_or(duration::zero()), age);
        }
    return oldest;
}

queue_figures figures_of(const queue_entry& queue, const moment& at) {
    queue_figures f;
    f.name = queue.name;
    f.counts = queue.counts;
    f.unfinished = queue.unfinished();
    f.paused = queue.paused;
    if (queue.ready != 0)
        f.oldest = age_of_oldest(queue, at);
    return f;
}

std::int64_t milliseconds(duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

void write_queues(json_writer& w, const std::vector<queue_figures>& queues) {
    constexpr std::array states = {job_state::scheduled, job_state::available, job_state::executing,
                                   job_state::retryable, job_state::completed, job_state::cancelled,
                                   job_state::discarded};
    w.key("queues").begin_object();
    for (const queue_figures& q : queues) {
        w.any_key(q.name).begin_object();
        for (const job_state s : states)
            w.member(name_of(s), q.counts[static_cast<std::size_t>(s)]);
        w.member("paused", q.paused);
        w.member("oldest_ms", q.oldest ? std::optional(milliseconds(*q.oldest)) : std::nullopt);
        w.end_object();
    }
    w.end_object();
}

} // namespace

/// A pool, and what its histograms held when they were looked at before.
class sampler::pool_watch {
  public:
    pool_watch(worker_pool pool, std::shared_ptr<metrics_registry> registry)
        : pool_(std::move(pool)),
          scope_(std::move(registry), {{"pool", pool_.name()}}),
          waits_(scope_.make_histogram("lifeguard_job_wait_seconds", "From available to started.")),
          successes_(scope_.make_histogram("lifeguard_job_duration_seconds",
                                           "How long attempts took.", {{"outcome", "success"}})),
          failures_(scope_.make_histogram("lifeguard_job_duration_seconds",
                                          "How long attempts took.", {{"outcome", "failure"}})),
          fine_(counts()),
          coarse_(fine_) {}

    void look() {
        status_ = pool_.status();
        now_ = counts();
    }

    void write(json_writer& w, bool coarse) {
        seen& before = coarse ? coarse_ : fine_;
        w.any_key(status_.name)
            .begin_object()
            .member("workers", status_.workers)
            .member("busy", status_.busy)
            .member("idle", status_.idle)
            .member("done", now_.done)
            .member("failed", now_.failed)
            .member("restarts", status_.restarts_total)
            .member("breakers_open", status_.breakers_open);
        write_percentiles(w, "wait_ms", waits_.bounds(), now_.waits, before.waits);
        write_percentiles(w, "run_ms", successes_.bounds(), now_.runs, before.runs);
        w.end_object();
        before = now_;
    }

  private:
    using ranges = std::vector<std::uint64_t>;
    struct seen {
        ranges waits;
        ranges runs;
        std::uint64_t done = 0;
        std::uint64_t failed = 0;
    };

    seen counts() const {
        seen s;
        s.waits = waits_.counts();
        s.runs = successes_.counts();
        const ranges failed = failures_.counts();
        for (std::size_t i = 0; i < s.runs.size(); ++i) {
            s.done += s.runs[i];
            s.failed += failed[i];
            s.runs[i] += failed[i];
        }
        return s;
    }

    static void write_percentiles(json_writer& w, std::string_view name,
                                  const std::vector<double>& bounds, const ranges& now,
                                  const ranges& before) {
        ranges since = now;
        for (std::size_t i = 0; i < since.size(); ++i)
            since[i] -= before[i];
        const auto in_ms = [&](double p) {
            auto value = percentile(bounds, since, p);
            if (value)
                *value = std::round(*value * 1e5) / 1e2; // seconds to ms, two digits
            return value;
        };
        w.key(name).begin_object().member("p50", in_ms(0.5)).member("p99", in_ms(0.99));
        w.end_object();
    }

    const worker_pool pool_;
    metrics_scope scope_;
    histogram& waits_; // the pool's own: the registry has one of each name and label set
    histogram& successes_;
    histogram& failures_;
    pool_status status_;
    seen fine_;
    seen coarse_;
    seen now_;
};

struct sampler::figures {
    std::int64_t at = 0;
    std::vector<queue_figures> queues;
    std::size_t queues_omitted = 0;
    queue_core::figures totals;
    duration lag{};
    struct store {
        double groups, changes, failed_groups;
    };
    std::optional<store> stored;
    process_figures process;
    std::uint64_t events_omitted = 0;
};

sampler::sampler(engine served, std::shared_ptr<event_hub> hub)
    : served_(std::move(served)),
      hub_(std::move(hub)),
      scope_(served_.queue().core()->shared().metrics),
      lags_(scope_.make_histogram("lifeguard_loop_lag_seconds",
                                  "How late what is due once a second comes.")) {
    for (const std::string& name : served_.pools())
        pools_.push_back(std::make_unique<pool_watch>(served_.pool(name),
                                                      served_.queue().core()->shared().metrics));
}

sampler::~sampler() = default;

sampler::figures sampler::look(duration lag) {
    figures f;
    queue_core& core = *served_.queue().core();
    {
        const std::lock_guard lock(core.shared().mutex);
        const moment at = core.read_clock();
        f.at = milliseconds_of(at.wall);
        core.for_each_queue(
            [&](const queue_entry& queue) { f.queues.push_back(figures_of(queue, at)); });
        f.totals = core.counts;
    }
    if (f.queues.size() > queues_max) {
        f.queues_omitted = f.queues.size() - queues_max;
        std::ranges::nth_element(f.queues, f.queues.begin() + queues_max, std::greater<>(),
                                 &queue_figures::unfinished);
        f.queues.resize(queues_max);
    }
    std::ranges::sort(f.queues, {}, &queue_figures::name);
    for (const auto& pool : pools_)
        pool->look();
    f.lag = lag;
    const auto value = [&](const char* name) { return served_.metrics_value(name); };
    if (const auto groups = value("lifeguard_store_groups_total"))
        f.stored = {*groups, value("lifeguard_store_changes_total").value_or(0),
                    value("lifeguard_store_failed_groups_total").value_or(0)};
    f.process = read_process_figures();
    f.events_omitted = hub_->omitted();
    return f;
}

std::string sampler::compose(const figures& f, bool coarse) {
    json_writer w;
    w.begin_object()
        .member("at", f.at)
        .member("step_ms", milliseconds(coarse ? coarse_steps * step : step));
    write_queues(w, f.queues);
    w.member("queues_omitted", f.queues_omitted);
    w.key("totals")
        .begin_object()
        .member("pushed", f.totals.pushed)
        .member("completed", f.totals.completed)
        .member("discarded", f.totals.discarded)
        .member("cancelled", f.totals.cancelled)
        .member("failed_attempts", f.totals.failed)
        .end_object();
    w.key("pools").begin_object();
    for (const auto& pool : pools_)
        pool->write(w, coarse);
    w.end_object();
    w.member("loop_lag_ms", std::chrono::duration<double, std::milli>(f.lag).count());
    w.key("store");
    if (f.stored)
        w.begin_object()
            .member("groups", static_cast<std::uint64_t>(f.stored->groups))
            .member("changes", static_cast<std::uint64_t>(f.stored->changes))
            .member("failed_groups", static_cast<std::uint64_t>(f.stored->failed_groups))
            .end_object();
    else
        w.text("null");
    w.key("process")
        .begin_object()
        .member("cpu_s", f.process.cpu_seconds)
        .member("rss_bytes", f.process.rss_bytes)
        .end_object();
    w.member("events_omitted", f.events_omitted);
    return w.end_object().take();
}

void sampler::sample(duration lag) {
    const figures f = look(lag);
    lags_.observe(lag);
    const std::string fine = compose(f, false);
    std::string coarse = number_++ % coarse_steps == 0 ? compose(f, true) : std::string();
    // One step: who reads the history gets every sample up to the last event's, and perhaps more.
    const std::lock_guard lock(mutex_);
    history_.add(f.at, hub_->publish("sample", fine));
    if (!coarse.empty())
        history_.add_coarse(f.at, std::move(coarse));
}

std::string sampler::history(std::uint64_t seconds) const {
    const std::int64_t now = milliseconds_of(served_.queue().core()->shared().time->wall_now());
    const std::lock_guard lock(mutex_);
    return history_.since(now - static_cast<std::int64_t>(seconds) * 1000);
}

asio::awaitable<void> sampler::run(std::shared_ptr<sampler> self) {
    const runtime& shared = self->served_.queue().core()->shared();
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    time_point due = shared.time->now();
    for (;;) {
        const time_point now = shared.time->now();
        self->sample(now - due);
        // A loop that was held for long does not make up for what it missed.
        due = std::max(later(due, step), now);
        co_await pause(shared.deadlines, due);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            co_return;
    }
}

} // namespace lifeguard::detail::web
