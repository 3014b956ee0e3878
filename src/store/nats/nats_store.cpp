#include "store/nats/nats_store.hpp"

#include <lifeguard/json.hpp>

#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <thread>
#include <utility>

namespace lifeguard::detail {
namespace {

/// The most that a document holds beside payload, result and errors; and a message's headers.
constexpr std::size_t head_max = 4096;

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

void nats_job_store::locate(std::shared_ptr<locate_request> r) {
    begin_work();
    broker_.locate(std::move(r));
}

/// The index makes room for newer jobs.
void nats_job_store::trimmed(const job_record& job) {
    if (job.written != job_record::table::none)
        broker_.purge(job.id);
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
