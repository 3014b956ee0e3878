#include "store/nats/nats_store.hpp"

#include "base/saturate.hpp"
#include "queue/taker.hpp"
#include <lifeguard/exit_reason.hpp>
#include <lifeguard/json.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <thread>
#include <utility>

namespace lifeguard::detail {
namespace {

/// Jobs that are with others and that nobody here waits for: more of them are forgotten at once.
constexpr std::size_t away_max = 10'000;

/// The most that a document holds beside payload, result and errors; and a message's headers.
constexpr std::size_t head_max = 4096;

/// A job that nobody here has a handler for is others' to try, after so long.
constexpr duration foreign_kind_delay = std::chrono::seconds(1);

void require(bool ok, const char* field, const char* rule) {
    if (!ok)
        throw error(errc::invalid_option,
                    std::string("nats_store_options::") + field + ": " + rule);
}

bool is_prefix(const std::string& text) {
    return !text.empty() && text.size() <= 32 && subject_token(text) == text;
}

bool is_between(duration d, duration least, duration most) { return d >= least && d <= most; }

nats_store_options checked(nats_store_options o) {
    using std::chrono::hours;
    using std::chrono::seconds;
    require(!o.servers.empty(), "servers", "must name one at least");
    for (const std::string& server : o.servers)
        require(server.starts_with("nats://") || server.starts_with("tls://"), "servers",
                "must begin with nats:// or tls://");
    require(is_prefix(o.prefix), "prefix", "must be 1 to 32 letters, digits, '_' and '-'");
    const int ways =
        int{!o.user.empty()} + int{!o.token.empty()} + int{!o.credentials_file.empty()};
    require(ways <= 1, "user", "only one of user, token and credentials_file");
    require(o.tls_cert_file.empty() == o.tls_key_file.empty(), "tls_cert_file",
            "goes together with tls_key_file");
    require(o.replicas == 1 || o.replicas == 3 || o.replicas == 5, "replicas", "must be 1, 3 or 5");
    require(is_between(o.ack_wait, seconds(1), hours(1)), "ack_wait", "must be 1 s to 1 h");
    require(is_between(o.hold_delayed, seconds(0), hours(24)), "hold_delayed", "must be 0 to 24 h");
    require(o.answer_wait > duration::zero(), "answer_wait", "must be more than 0");
    require(o.retry_wait > duration::zero(), "retry_wait", "must be more than 0");
    require(o.prefetch_max >= 1 && o.prefetch_max <= 10'000, "prefetch_max", "must be 1 to 10,000");
    require(o.ack_pending_max >= 1, "ack_pending_max", "must be 1 at least");
    require(is_between(o.duplicate_window, seconds(1), hours(24)), "duplicate_window",
            "must be 1 s to 24 h");
    return o;
}

std::string new_engine_id() {
    return job_id_generator().next(real_time_source()->wall_now()).to_string();
}

} // namespace

nats_job_store::nats_job_store(nats_store_options options)
    : job_store({options.finished_max, options.discarded_max, options.keep_for,
                 options.finished_bytes_max, options.discarded_bytes_max}),
      options_(checked(std::move(options))),
      layout_(options_.prefix),
      link_(options_),
      broker_(link_, layout_, options_, new_engine_id()) {
    origins_.push_back(broker_.engine());
    index().tell_trimmed(*this);
}

nats_job_store::~nats_job_store() {
    context_gone();
    broker_.give_back_all();
    link_.stop();
}

void nats_job_store::context_gone() noexcept {
    asio::any_io_executor done;
    if (shared()) {
        const std::lock_guard lock(shared()->mutex);
        gone_ = true;
        done.swap(work_);
    }
    const std::lock_guard lock(post_mutex_); // the thread is not just posting
}

// --- changes, with the engine's lock held

void nats_job_store::begin_work() {
    if (under_way_++ == 0 && !gone_)
        work_ = asio::prefer(shared()->executor, asio::execution::outstanding_work.tracked);
}

void nats_job_store::push(std::unique_ptr<job_record> owned, std::int64_t wall_now, wake_list&) {
    const std::string& payload = owned->payload;
    if (payload.size() + head_max > document_max_)
        throw error(errc::payload_too_large, "payload: the server takes messages of " +
                                                 std::to_string(document_max_) + " bytes");
    job_record& job = index().announce(std::move(owned));
    ++job.queue->reserved; // its place, until it is counted
    job.state = job.due > wall_now ? job_state::scheduled : job_state::available;
    begin_work();
    broker_.push(job, write_document(job, nullptr, broker_.engine(), broker_.engine()));
}

void nats_job_store::push(std::vector<std::unique_ptr<job_record>>, std::int64_t, wake_list&) {
    throw error(errc::unsupported, "store 'nats': many jobs in one push");
}

void nats_job_store::start(job_record& job) {
    broker_change c;
    c.document = write_document(job, nullptr, origins_[job.mark], broker_.engine());
    c.delivery = job.delivery;
    broker_.change(job.id, std::move(c));
}

/// What the server would refuse for its size is left out, and that is logged: the job must end.
std::string nats_job_store::shorten(job_record& job, settlement& s, const std::string& origin,
                                    wake_list& wakes) {
    note(log_level::error, "result_too_large",
         "job " + job.id.to_string() +
             ": its result or errors are larger than the server's messages, and are not kept",
         wakes);
    s.result = json();
    job.errors.reset();
    return write_document(job, &s, origin, broker_.engine());
}

void nats_job_store::settle(job_record& job, settlement&& s, wake_list& wakes) {
    back_from_away(job);
    index().suspend(job);
    broker_change c;
    c.job = &job;
    c.origin = origins_[job.mark];
    c.document = write_document(job, &s, c.origin, broker_.engine());
    if (c.document.size() > document_max_)
        c.document = shorten(job, s, c.origin, wakes);
    c.delivery = job.delivery;
    if (s.state == job_state::discarded)
        c.dead_in = layout_.dead_in(job.queue->name);
    c.how = std::move(s);
    begin_work();
    broker_.change(job.id, std::move(c));
}

void nats_job_store::remove(job_record& job, wake_list& wakes) {
    broker_.purge(job.id);
    listener().job_removed(job, wakes);
    index().remove(job);
}

void nats_job_store::set_pause(std::shared_ptr<pause_request> r, wake_list&) {
    json text = json::object();
    text["paused"] = r->paused;
    text["until"] = r->until;
    const std::string subject = layout_.pause_of(r->queue->name);
    begin_work();
    broker_.set_pause(std::move(r), subject, text.dump());
}

/// The index makes room for newer jobs.
void nats_job_store::trimmed(const job_record& job) {
    if (job.written != job_record::table::none)
        broker_.purge(job.id);
}

// --- who wants what

std::size_t nats_job_store::appetite(const queue_entry& queue) const {
    std::size_t jobs = 0;
    for (const taker* const t : queue.takers)
        jobs += t->appetite();
    return std::min(jobs, options_.prefetch_max);
}

/// Brings about that so many jobs of each priority are here and not begun.
void nats_job_store::keep(const queue_entry& queue, demand& d, std::size_t jobs) {
    // A request does not stay longer on the server than those who wait for it.
    duration wait = duration::zero();
    for (const taker* const t : queue.takers)
        wait = std::max(wait, t->patience());
    if (wait <= duration::zero())
        jobs = 0;
    if (std::exchange(d.kept, jobs) != jobs || std::exchange(d.wait, wait) != wait)
        broker_.keep(queue.name, jobs, wait);
}

void nats_job_store::takers_changed(queue_entry& queue) {
    demand& d = demands_[&queue];
    const std::size_t before = std::exchange(d.takers, queue.paused ? 0 : queue.takers.size());
    if (d.takers == 0) {
        keep(queue, d, 0);
        give_back_ready(queue, true);
    } else if (d.takers > before) {
        broker_.look(queue.name, appetite(queue), ++d.looks);
    } else {
        keep(queue, d, appetite(queue));
    }
}

void nats_job_store::looked(const broker_event& e, wake_list& wakes) {
    queue_entry& queue = listener().stored_queue(e.queue);
    demand& d = demands_[&queue];
    if (e.looks != d.looks)
        return; // somebody has asked again meanwhile
    listener().nothing_more(queue, wakes);
    if (d.takers != 0)
        keep(queue, d, appetite(queue));
}

void nats_job_store::offered(queue_entry& queue, wake_list&) {
    give_back_ready(queue, queue.paused || queue.takers.empty());
}

/// What nobody here takes is for others: `all`, or what nobody here could run.
void nats_job_store::give_back_ready(queue_entry& queue, bool all) {
    if (queue.ready == 0)
        return;
    std::vector<job_record*> unwanted;
    for (const auto& lane : queue.lanes)
        if (lane->occupied != 0 && (all || lane->kind->handlers == 0))
            for (place_list& its : lane->by_priority)
                for (job_record& job : its)
                    unwanted.push_back(&job);
    for (job_record* const job : unwanted)
        let_go(*job, job_state::available, all ? duration::zero() : foreign_kind_delay);
}

void nats_job_store::let_go(job_record& job, job_state state, duration delay) {
    broker_.give_back(job.id, delay, true);
    send_away(job, state);
}

/// The job is in others' hands. Its end is told while it is known here.
void nats_job_store::send_away(job_record& job, job_state state) {
    if (job.waiters == nullptr && away_ >= away_max) {
        broker_.forget(job.id);
        return index().remove(job);
    }
    index().send_away(job, state);
    ++away_;
}

void nats_job_store::back_from_away(job_record& job) noexcept {
    if (job.away)
        --away_;
}

// --- what has come

void nats_job_store::told(std::vector<broker_event> events) {
    const std::lock_guard lock(post_mutex_);
    if (gone_)
        return;
    ++turns_;
    auto group = std::make_shared<std::vector<broker_event>>(std::move(events));
    asio::post(shared()->executor, [this, alive = alive(), group] {
        if (const auto keep = alive.lock())
            tell(*group);
    });
}

void nats_job_store::tell(std::vector<broker_event>& events) {
    wake_list wakes;
    asio::any_io_executor done;
    {
        const std::lock_guard lock(shared()->mutex);
        listener().store_turn();
        // What has come together is offered together: the most urgent of all is taken first.
        std::vector<job_id> arrived;
        for (broker_event& e : events) {
            if (e.what == broker_event::kind::arrived) {
                arrive(e, arrived, wakes);
                continue;
            }
            offer_all(arrived, wakes);
            conclude(e, wakes);
        }
        offer_all(arrived, wakes);
        if (under_way_ == 0)
            done = std::exchange(work_, asio::any_io_executor());
    }
    wakes.run();
}

void nats_job_store::conclude(broker_event& e, wake_list& wakes) {
    switch (e.what) {
    case broker_event::kind::pushed:
        --under_way_;
        return conclude_push(e, wakes);
    case broker_event::kind::changed:
        --under_way_;
        return conclude_change(e, wakes);
    case broker_event::kind::superseded:
        --under_way_;
        return superseded(e, wakes);
    case broker_event::kind::paused:
        --under_way_;
        return listener().pause_settled(*e.pause, e.error, wakes);
    case broker_event::kind::ended:
        return ended(e, wakes);
    case broker_event::kind::looked:
        return looked(e, wakes);
    case broker_event::kind::pause_heard:
        return heard_pause(e, wakes);
    case broker_event::kind::connection:
        if (e.yes)
            return note(log_level::info, "store_recovered", "connected again", wakes);
        return note(log_level::error, "store_failing", "the connection to the server is lost",
                    wakes);
    case broker_event::kind::trouble:
        return note(log_level::error, "store_failing", lifeguard::describe(e.error), wakes);
    case broker_event::kind::arrived:
        break; // not one by one
    }
}

void nats_job_store::conclude_push(const broker_event& e, wake_list& wakes) {
    job_record& job = *e.job;
    --job.queue->reserved;
    if (e.error) {
        listener().push_failed(job, e.error, wakes);
        index().retract(job);
        return;
    }
    index().admit_away(job, listener().store_turn());
    ++away_;
    const job_id id = job.id;
    listener().job_pushed(job, wakes);
    if (away_ > away_max && job.waiters == nullptr) {
        back_from_away(job);
        index().remove(job);
        broker_.forget(id);
    }
}

void nats_job_store::conclude_change(broker_event& e, wake_list& wakes) {
    job_record& job = *e.job;
    if (e.error) {
        index().resume(job);
        return listener().change_failed(job, e.error, wakes);
    }
    const bool over = is_final(e.how.state);
    const bool postponed = !over && e.how.state != job_state::available;
    const duration wait = std::chrono::nanoseconds(e.how.due - listener().store_turn());
    if (over)
        job.written = job_record::table::finished;
    apply(job, e.how, wakes);
    // Who waits so long need not be ours. Nobody else has changed the job since.
    if (postponed && wait > options_.hold_delayed)
        let_go(job, e.how.state, wait);
}

/// Another engine has the job, or has ended it: what this one made of it counts for nothing.
void nats_job_store::superseded(broker_event& e, wake_list& wakes) {
    job_record& job = *e.job;
    if (e.how.asked_for)
        listener().change_failed(
            job, std::make_exception_ptr(error(errc::lease_lost, "job " + job.id.to_string())),
            wakes);
    note(log_level::warning, "lease_lost",
         "the result of job " + job.id.to_string() + " came too late: another engine has it",
         wakes);
    send_away(job, job_state::available);
}

void nats_job_store::ended(broker_event& e, wake_list& wakes) {
    job_record* const job = index().find(e.id);
    if (job == nullptr || !job->away)
        return;
    settlement s;
    s.state = job_state::cancelled;
    s.attempt = job->attempt;
    s.at = shared()->time->wall_now();
    if (e.document) {
        s.state = e.document->state;
        s.at = wall_time(std::chrono::duration_cast<wall_time::duration>(
            std::chrono::nanoseconds(e.document->finished_at)));
        s.result = std::move(e.document->result);
        copy_document(std::move(*e.document), *job);
        s.attempt = job->attempt;
    } else {
        s.has_error = true;
        s.error_text = "its state is gone from the server";
    }
    back_from_away(*job);
    apply(*job, s, wakes);
}

void nats_job_store::heard_pause(const broker_event& e, wake_list& wakes) {
    queue_entry& queue = listener().stored_queue(e.queue);
    if (queue.paused == e.yes && (!e.yes || queue.paused_until == e.until))
        return;
    pause_request heard;
    heard.queue = &queue;
    heard.paused = e.yes;
    heard.until = e.until;
    listener().pause_settled(heard, nullptr, wakes);
}

/// A fetched job comes into the index.
void nats_job_store::arrive(broker_event& e, std::vector<job_id>& arrived, wake_list& wakes) {
    job_record* job = index().find(e.id);
    if (job != nullptr && !job->away)
        return; // it is being ended by us already
    if (job == nullptr && !e.document)
        return broker_.give_back(e.id, duration::zero(), false); // forgotten meanwhile
    const std::int64_t wall_now = listener().store_turn();
    const bool crashed = e.document && e.document->state == job_state::executing;
    std::int64_t due = job == nullptr ? 0 : job->due;
    job_state state = job == nullptr ? job_state::available : job->state;
    if (e.document) {
        due = e.document->due;
        state = crashed ? job_state::available : e.document->state;
    }
    try {
        if (job == nullptr)
            job = adopt(*e.document);
        else if (e.document)
            copy_document(std::move(*e.document), *job);
    } catch (const error& why) { // more names of queues or kinds than there may be
        broker_.give_back(e.id, foreign_kind_delay, false);
        return note(log_level::error, "job_refused", why.what(), wakes);
    }
    back_from_away(*job);
    const bool waits = due > wall_now && state != job_state::available;
    job->due = due;
    index().fetch(*job, waits ? state : job_state::available);
    if (waits && std::chrono::nanoseconds(due - wall_now) > options_.hold_delayed)
        return let_go(*job, state, std::chrono::nanoseconds(due - wall_now));
    if (!crashed)
        return arrived.push_back(e.id);
    settlement s;
    s.attempt = job->attempt;
    s.at = shared()->time->wall_now();
    s.has_error = s.failed = true;
    s.error_text = "lease expired: the engine that executed the job has gone silent";
    if (job->attempt >= job->max_attempts) {
        s.state = job_state::discarded;
        return settle(*job, std::move(s), wakes);
    }
    record_error(*job, std::move(s)); // written with the next attempt
    arrived.push_back(e.id);
}

/// Engines are few, and their names long.
std::uint32_t nats_job_store::number_of(const std::string& engine) {
    const auto found = std::ranges::find(origins_, engine);
    if (found != origins_.end())
        return static_cast<std::uint32_t>(found - origins_.begin());
    origins_.push_back(engine);
    return static_cast<std::uint32_t>(origins_.size() - 1);
}

job_record* nats_job_store::adopt(job_document& d) {
    auto record = index().make_record();
    record->queue = &listener().stored_queue(d.queue);
    record->kind = &listener().stored_kind(d.kind);
    record->mark = number_of(d.origin);
    copy_document(std::move(d), *record);
    job_record& job = index().announce(std::move(record));
    index().admit_away(job, 0);
    ++away_;
    return &job;
}

void nats_job_store::offer_all(std::vector<job_id>& arrived, wake_list& wakes) {
    for (const job_id& id : std::exchange(arrived, {})) {
        job_record* const job = index().find(id);
        // The one before may have made the takers take this one, or let all of them go.
        if (job == nullptr || job->away || job->settling || job->state == job_state::executing)
            continue;
        const settlement nothing;
        listener().job_returned(*job, nothing, wakes);
    }
}

void nats_job_store::note(log_level level, const char* event, std::string message,
                          wake_list& wakes) {
    log_record said;
    said.level = level;
    said.event = event;
    said.message = std::move(message);
    said.fields.push_back({"server", options_.servers.front()});
    wakes.defer([log = log_, said = std::move(said)] { log.write(said); });
}

/// For tests: blocks until the server has answered everything, and nothing is about to come.
bool nats_job_store::drain() {
    constexpr int looks_max = 100; // what others hold does not come
    for (int i = 0; i < looks_max; ++i) {
        wait_until_idle();
        if (turns_drained_ != turns_)
            break; // those who are told may ask for more
        const auto more = std::make_shared<std::atomic<bool>>(false);
        broker_.probe(more);
        wait_until_idle();
        if (!*more)
            break;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const std::uint64_t before = std::exchange(turns_drained_, turns_.load());
    return before != turns_drained_;
}

void nats_job_store::wait_until_idle() {
    while (!link_.is_idle())
        std::this_thread::sleep_for(std::chrono::microseconds(50));
}

} // namespace lifeguard::detail

namespace lifeguard {

store nats_store(const nats_store_options& options) {
    return store(std::make_unique<detail::nats_job_store>(options));
}

} // namespace lifeguard
