#include "store/sqlite/job_loader.hpp"

#include <lifeguard/json.hpp>

#include <sqlite3.h>

#include <limits>
#include <string>

namespace lifeguard::detail {
namespace {

// Which column is which. The first are those of every table of jobs.
enum column {
    column_seq,
    column_id,
    column_kind,
    column_queue,
    column_priority,
    column_created_at,
    column_timeout,
    column_max_attempts,
    column_payload,
    column_attempted_at,
    column_unique_key,
    column_attempt,
    column_delivery,
    column_crashes,
    column_state,
    column_due,
    column_finished_at = column_due,
    column_result,
};

const std::string common_columns =
    "seq, id, kind, queue, priority, created_at, timeout, max_attempts, payload, attempted_at, "
    "unique_key, attempt, delivery, crashes, state";

// As deep as queue_options lets payloads be: writing JSON recurses.
constexpr unsigned result_depth_max = 2000;

wall_time wall(std::int64_t ns) {
    return wall_time(std::chrono::duration_cast<wall_time::duration>(std::chrono::nanoseconds(ns)));
}

job_id id_of(std::string_view bytes) noexcept {
    std::uint64_t halves[2] = {0, 0};
    for (std::size_t i = 0; i < 16; ++i)
        halves[i / 8] = (halves[i / 8] << 8) | static_cast<unsigned char>(bytes[i]);
    return {halves[0], halves[1]};
}

template <typename T>
bool fits(std::int64_t value) noexcept {
    return value >= 0 && static_cast<std::uint64_t>(value) <= std::numeric_limits<T>::max();
}

} // namespace

job_loader::job_loader(database& db, job_index& index, store_listener& names, job_rows& rows,
                       time_point now)
    : db_(db),
      index_(index),
      names_(names),
      rows_(rows),
      now_(now),
      errors_(db.prepare("SELECT attempt, at, text FROM errors WHERE seq = ? ORDER BY number")) {}

void job_loader::load(std::int64_t losses) {
    read_names();
    read_live(losses);
    // In the order in which they are to be forgotten.
    read_final("finished");
    read_final("discarded");
    index_.trim();
}

void job_loader::require(bool ok, const char* rule) const {
    if (!ok)
        throw sqlite_error(errc::store_corrupt, SQLITE_CORRUPT,
                           "file '" + db_.path() + "': table " + table_ + ", row " +
                               std::to_string(row_) + ": " + rule);
}

void job_loader::read_names() {
    const auto read = [this](const char* table, const char* more, auto enter) {
        table_ = table;
        statement s = db_.prepare("SELECT number, name, " + std::string(more) + " FROM " + table);
        while (s.step()) {
            row_ = s.number(0);
            require(row_ > 0, "its number is not positive");
            try {
                enter(row_, s.text(1), s);
            } catch (const sqlite_error&) {
                throw; // says it all
            } catch (const error& e) {
                throw error(static_cast<errc>(e.code().value()),
                            "file '" + db_.path() + "': table " + table + ": " + e.detail());
            }
        }
    };
    read("kinds", "0", [this](std::int64_t number, std::string_view name, const statement&) {
        kind_entry& entry = names_.stored_kind(name);
        kinds_.emplace(number, &entry);
        rows_.know(entry, number);
    });
    const auto enter_queue = [this](std::int64_t number, std::string_view name,
                                    const statement& s) {
        queue_entry& entry = names_.stored_queue(name);
        queues_.emplace(number, &entry);
        rows_.know(entry, number);
        const std::int64_t paused = s.number(2);
        const std::int64_t until = s.number(3); // null is 0
        require(paused == 0 || paused == 1, "paused is not 0 or 1");
        require(until >= 0, "paused_until is negative");
        if (paused == 1)
            names_.stored_pause(entry, until);
    };
    read("queues", "paused, paused_until", enter_queue);
}

kind_entry& job_loader::kind_of(std::int64_t number) {
    const auto found = kinds_.find(number);
    require(found != kinds_.end(), "there is no such kind");
    return *found->second;
}

queue_entry& job_loader::queue_of(std::int64_t number) {
    const auto found = queues_.find(number);
    require(found != queues_.end(), "there is no such queue");
    return *found->second;
}

std::unique_ptr<job_record> job_loader::read_job(const statement& s) {
    row_ = s.number(column_seq);
    const std::string_view id = s.text(column_id);
    require(row_ > 0, "seq is not positive");
    require(row_ < std::numeric_limits<std::int64_t>::max() / 2, "seq is too large");
    require(id.size() == 16, "id is not 16 bytes");
    auto job = index_.make_record();
    job->row = row_;
    job->id = id_of(id);
    require(!job->id.is_nil(), "id is nil");
    require(!index_.knows(job->id), "id is that of another job");
    job->kind = &kind_of(s.number(column_kind));
    job->queue = &queue_of(s.number(column_queue));
    const std::int64_t priority = s.number(column_priority);
    require(priority >= priority_first && priority <= priority_last, "priority is not 0 to 9");
    job->priority = static_cast<std::uint8_t>(priority);
    job->created_at = wall(s.number(column_created_at));
    const std::int64_t timeout = s.number(column_timeout);
    require(timeout >= 0, "timeout is negative");
    job->timeout = std::chrono::nanoseconds(timeout);
    const std::int64_t max_attempts = s.number(column_max_attempts);
    const std::int64_t attempt = s.number(column_attempt);
    const std::int64_t crashes = s.number(column_crashes);
    require(fits<std::uint32_t>(max_attempts) && fits<std::uint32_t>(attempt) &&
                fits<std::uint16_t>(crashes),
            "a count of attempts is out of range");
    job->max_attempts = static_cast<std::uint32_t>(max_attempts);
    job->attempt = static_cast<std::uint32_t>(attempt);
    job->crashes = static_cast<std::uint16_t>(crashes);
    require(s.type(column_payload) == SQLITE_TEXT, "payload is not text");
    job->payload = s.text(column_payload);
    if (!s.is_null(column_attempted_at))
        job->attempted_at = wall(s.number(column_attempted_at));
    read_unique_key(s, *job);
    const std::int64_t state = s.number(column_state);
    require(state >= 0 && state <= static_cast<std::int64_t>(job_state::discarded),
            "there is no such state");
    job->state = static_cast<job_state>(state);
    job->available_since = now_;
    return job;
}

void job_loader::read_unique_key(const statement& s, job_record& job) {
    if (s.is_null(column_unique_key))
        return;
    require(s.type(column_unique_key) == SQLITE_TEXT, "unique_key is not text");
    const std::string_view key = s.text(column_unique_key);
    job.unique = std::make_unique<unique_claim>(
        job, std::string(key), index_.uniques().hash(job.kind->name, key, job.payload));
}

void job_loader::read_live(std::int64_t losses) {
    table_ = "jobs";
    statement s = db_.prepare("SELECT " + common_columns + ", due FROM jobs ORDER BY seq");
    while (s.step()) {
        auto job = read_job(s);
        const std::int64_t delivery = s.number(column_delivery) + losses;
        require(fits<std::uint32_t>(delivery), "delivery is out of range");
        job->delivery = static_cast<std::uint32_t>(delivery);
        require(job->state == job_state::scheduled || job->state == job_state::available ||
                    job->state == job_state::retryable,
                "no live job has this state");
        job->due = s.number(column_due);
        job->written = job_record::table::live;
        if (job->attempt > 0)
            read_errors(*job);
        index_.restore(std::move(job));
    }
}

void job_loader::read_final(const char* table) {
    table_ = table;
    statement s = db_.prepare("SELECT " + common_columns + ", finished_at, result FROM " + table +
                              " ORDER BY finished_at, seq");
    while (s.step()) {
        auto job = read_job(s);
        job->written = table_of(job->state);
        const auto expected =
            table[0] == 'f' ? job_record::table::finished : job_record::table::discarded;
        require(is_final(job->state) && job->written == expected, "no job here has this state");
        const std::int64_t delivery = s.number(column_delivery);
        require(fits<std::uint32_t>(delivery), "delivery is out of range");
        job->delivery = static_cast<std::uint32_t>(delivery);
        job->finished_at = wall(s.number(column_finished_at));
        if (job->state == job_state::completed) {
            try {
                const std::string_view text = s.text(column_result);
                check_payload(text, {std::numeric_limits<std::size_t>::max(), result_depth_max});
                job->result = json::parse(text);
            } catch (const std::exception&) {
                require(false, "result is not JSON");
            }
        }
        if (job->state != job_state::completed || job->attempt > 1)
            read_errors(*job);
        index_.restore(std::move(job));
    }
}

void job_loader::read_errors(job_record& job) {
    errors_.bind(1, job.row);
    while (errors_.step()) {
        const std::int64_t attempt = errors_.number(0);
        require(fits<std::uint32_t>(attempt), "an error's attempt is out of range");
        settlement s;
        s.attempt = static_cast<std::uint32_t>(attempt);
        s.at = wall(errors_.number(1));
        s.error_text = errors_.text(2);
        record_error(job, std::move(s));
    }
}

} // namespace lifeguard::detail
