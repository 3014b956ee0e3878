#include "store/sqlite/sqlite_store.hpp"

#include "base/saturate.hpp"
#include <lifeguard/exit_reason.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace lifeguard::detail {

namespace {

void require(bool ok, const char* field, const char* rule) {
    if (!ok)
        throw error(errc::invalid_option,
                    std::string("sqlite_store_options::") + field + ": " + rule);
}

/// Checks the options, and names the file as everybody would who means the same one.
sqlite_store_options checked(sqlite_store_options o) {
    require(!o.path.empty(), "path", "must not be empty");
    require(o.path.find('\0') == std::string::npos, "path", "holds a NUL");
    require(o.max_process_crashes >= 1 && o.max_process_crashes <= 1000, "max_process_crashes",
            "must be 1 to 1,000");
    require(o.busy_wait >= duration::zero() && o.busy_wait <= std::chrono::hours(1), "busy_wait",
            "must be 0 to 1 h");
    require(o.retry_wait > duration::zero(), "retry_wait", "must be more than 0");
    std::error_code unknown;
    const auto canonical =
        std::filesystem::weakly_canonical(std::filesystem::absolute(o.path, unknown), unknown);
    if (unknown)
        throw error(errc::store_failed, "file '" + o.path + "': " + unknown.message());
    if (std::filesystem::is_directory(canonical, unknown))
        throw error(errc::store_failed, "file '" + o.path + "': is a directory");
    o.path = canonical.string();
    return o;
}

database& ready(database& db, const sqlite_store_options& o) {
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(o.busy_wait).count();
    db.set_busy_wait(static_cast<int>(wait));
    prepare(db, o.check);
    return db;
}

} // namespace

sqlite_job_store::sqlite_job_store(sqlite_store_options options)
    : job_store({options.finished_max, options.discarded_max, options.keep_for,
                 options.finished_bytes_max, options.discarded_bytes_max}),
      options_(checked(std::move(options))),
      ledger_(options_.path),
      db_(options_.path),
      rows_(ready(db_, options_)),
      writer_(db_, rows_, [this](writer::group g) { written(std::move(g)); }) {
    index().tell_trimmed(*this);
}

sqlite_job_store::~sqlite_job_store() {
    context_gone();
    for (change& c : unstored_)
        writer_.add(std::move(c));
    unstored_.clear();
    writer_.stop();
    db_.checkpoint(true);
    if (owned_)
        ledger_.close_clean();
}

void sqlite_job_store::context_gone() noexcept {
    asio::any_io_executor done;
    if (shared()) {
        const std::lock_guard lock(shared()->mutex);
        gone_ = true;
        done.swap(work_);
    }
    const std::lock_guard lock(post_mutex_); // the writer is not just posting
}

// --- changes, with the engine's lock held

job_record& sqlite_job_store::announce(std::unique_ptr<job_record> owned, std::int64_t wall_now) {
    job_record& job = index().announce(std::move(owned));
    ++job.queue->reserved; // its place, until it is counted
    job.state = job.due > wall_now ? job_state::scheduled : job_state::available;
    return job;
}

void sqlite_job_store::push(std::unique_ptr<job_record> owned, std::int64_t wall_now, wake_list&) {
    change c;
    c.job = &announce(std::move(owned), wall_now);
    add(std::move(c));
}

void sqlite_job_store::push(std::vector<std::unique_ptr<job_record>> jobs, std::int64_t wall_now,
                            wake_list&) {
    change c;
    for (std::unique_ptr<job_record>& job : jobs)
        c.batch.push_back(&announce(std::move(job), wall_now));
    c.job = c.batch.front();
    add(std::move(c));
}

void sqlite_job_store::start(job_record& job) {
    job.mark = ledger_.add({job.id, job.attempt, job.delivery});
    if (job.mark == ledger::no_slot)
        unmarked_->add();
}

void sqlite_job_store::settle(job_record& job, settlement&& s, wake_list&) {
    index().suspend(job);
    change c;
    c.what = change::kind::settle;
    c.job = &job;
    c.how = std::move(s);
    add(std::move(c));
}

void sqlite_job_store::remove(job_record& job, wake_list&) {
    index().suspend(job);
    change c;
    c.what = change::kind::remove;
    c.job = &job;
    add(std::move(c));
}

void sqlite_job_store::set_pause(std::shared_ptr<pause_request> r, wake_list&) {
    change c;
    c.what = change::kind::pause;
    c.pause = std::move(r);
    add(std::move(c));
}

void sqlite_job_store::add(change&& c) {
    if (under_way_++ == 0 && !gone_)
        work_ = asio::prefer(shared()->executor, asio::execution::outstanding_work.tracked);
    writer_.add(std::move(c));
}

void sqlite_job_store::unmark(job_record& job) noexcept {
    if (job.mark != ledger::no_slot)
        ledger_.remove(std::exchange(job.mark, ledger::no_slot));
}

/// The index makes room for newer jobs.
void sqlite_job_store::trimmed(const job_record& job) {
    writer_.trim({job.written, job.row, job.errors != nullptr});
}

// --- what has been written

void sqlite_job_store::written(writer::group changes) {
    const std::lock_guard lock(post_mutex_);
    if (gone_)
        return; // the jobs are stored, and nobody is left to be told
    auto group = std::make_shared<writer::group>(std::move(changes));
    asio::post(shared()->executor, [this, alive = alive(), group] {
        if (const auto keep = alive.lock())
            tell(*group);
    });
}

void sqlite_job_store::tell(writer::group& changes) {
    wake_list wakes;
    asio::any_io_executor done;
    {
        const std::lock_guard lock(shared()->mutex);
        const std::int64_t wall_now = listener().store_turn();
        note_health(changes, wakes);
        for (change& c : changes)
            conclude(c, wall_now, wakes);
        under_way_ -= changes.size();
        if (under_way_ == 0)
            done = std::exchange(work_, asio::any_io_executor());
    }
    // Those who are resumed now are likely to have more for us, and a transaction for the first of
    // them would keep the others waiting. It begins when half of them have come back, so that the
    // writer and this thread work at the same time; or when all have had their turn: the coroutines
    // that had to be posted come before what is posted here.
    writer_.cork(changes.size() / 2);
    wakes.run();
    asio::post(shared()->executor, [this, alive = alive()] {
        if (const auto keep = alive.lock())
            writer_.uncork();
    });
}

void sqlite_job_store::conclude(change& c, std::int64_t wall_now, wake_list& wakes) {
    switch (c.what) {
    case change::kind::push:
        return c.batch.empty() ? conclude_push(c, wall_now, wakes)
                               : conclude_batch(c, wall_now, wakes);
    case change::kind::settle:
        return conclude_settle(c, wakes);
    case change::kind::remove:
        return conclude_remove(c, wakes);
    case change::kind::pause:
        return listener().pause_settled(*c.pause, c.error, wakes);
    }
}

void sqlite_job_store::conclude_push(const change& c, std::int64_t wall_now, wake_list& wakes) {
    job_record& job = *c.job;
    --job.queue->reserved;
    if (c.error) {
        listener().push_failed(job, c.error, wakes);
        index().retract(job);
        return;
    }
    job.written = job_record::table::live;
    index().admit(job, wall_now);
    listener().job_pushed(job, wakes);
}

void sqlite_job_store::conclude_batch(const change& c, std::int64_t wall_now, wake_list& wakes) {
    for (job_record* job : c.batch) {
        --job->queue->reserved;
        job->written = job_record::table::live;
        if (!c.error)
            index().admit(*job, wall_now);
    }
    for (job_record* job : c.batch) {
        if (!c.error) { // the most urgent of all is taken first
            listener().job_pushed(*job, wakes);
        } else {
            listener().push_failed(*job, c.error, wakes);
            index().retract(*job);
        }
    }
}

void sqlite_job_store::conclude_settle(change& c, wake_list& wakes) {
    job_record& job = *c.job;
    if (!c.error) {
        unmark(job);
        job.written = c.how.forget ? job_record::table::none : table_of(c.how.state);
        return apply(job, c.how, wakes);
    }
    if (c.how.asked_for) {
        index().resume(job);
        return listener().change_failed(job, c.error, wakes);
    }
    c.error = nullptr;
    unstored_.push_back(std::move(c));
    retry_at_ = later(shared()->time->now(), options_.retry_wait);
    listener().retry_planned(wakes);
}

void sqlite_job_store::conclude_remove(const change& c, wake_list& wakes) {
    job_record& job = *c.job;
    if (c.error) {
        index().resume(job);
        return listener().change_failed(job, c.error, wakes);
    }
    listener().job_removed(job, wakes);
    index().remove(job);
}

void sqlite_job_store::retry() {
    retry_at_ = time_point::max();
    for (change& c : std::exchange(unstored_, {}))
        add(std::move(c));
}

/// Says so when the file begins to fail, and when it works again.
void sqlite_job_store::note_health(const writer::group& changes, wake_list& wakes) {
    const auto failed =
        std::ranges::find_if(changes, [](const change& c) { return c.error != nullptr; });
    const bool all_stored = failed == changes.end();
    if (all_stored && !unstored_.empty())
        retry(); // there is hope
    if (failing_ != all_stored || changes.empty())
        return;
    failing_ = !all_stored;
    log_record said;
    said.level = failing_ ? log_level::error : log_level::info;
    said.event = failing_ ? "store_failing" : "store_recovered";
    said.message = failing_ ? lifeguard::describe(failed->error) : "changes are stored again";
    said.fields.push_back({"file", options_.path});
    wakes.defer([log = log_, said = std::move(said)] { log.write(said); });
}

} // namespace lifeguard::detail

namespace lifeguard {

store sqlite_store(const sqlite_store_options& options) {
    return store(std::make_unique<detail::sqlite_job_store>(options));
}

} // namespace lifeguard
