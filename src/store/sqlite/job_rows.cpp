#include "store/sqlite/job_rows.hpp"

#include <lifeguard/json.hpp>

#include <algorithm>
#include <string>

namespace lifeguard::detail {
namespace {

std::int64_t nanoseconds(wall_time at) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

std::string final_insert(const char* table) {
    return std::string("INSERT OR REPLACE INTO ") + table +
           " (seq, id, kind, queue, priority, created_at, timeout, max_attempts, payload, "
           "attempted_at, unique_key, attempt, delivery, crashes, state, finished_at, result) "
           "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
}

std::size_t index_of(job_record::table table) noexcept {
    return static_cast<std::size_t>(table) - 1;
}

} // namespace

std::array<unsigned char, 16> bytes_of(const job_id& id) noexcept {
    std::array<unsigned char, 16> bytes{};
    for (std::size_t i = 0; i < 8; ++i) {
        bytes[i] = static_cast<unsigned char>(id.high() >> (56 - 8 * i));
        bytes[8 + i] = static_cast<unsigned char>(id.low() >> (56 - 8 * i));
    }
    return bytes;
}

job_rows::job_rows(database& db)
    : insert_live_(db.prepare(
          "INSERT INTO jobs (seq, id, kind, queue, priority, created_at, timeout, max_attempts, "
          "payload, attempted_at, unique_key, attempt, delivery, crashes, state, due) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")),
      update_live_(db.prepare("UPDATE jobs SET attempted_at = ?, attempt = ?, delivery = ?, "
                              "crashes = ?, state = ?, due = ? WHERE seq = ?")),
      insert_finished_(db.prepare(final_insert("finished"))),
      insert_discarded_(db.prepare(final_insert("discarded"))),
      insert_error_(db.prepare("INSERT INTO errors (seq, attempt, at, text) VALUES (?, ?, ?, ?)")),
      erase_errors_(db.prepare("DELETE FROM errors WHERE seq = ?")),
      erase_oldest_error_(db.prepare("DELETE FROM errors WHERE number = "
                                     "(SELECT min(number) FROM errors WHERE seq = ?)")),
      insert_kind_(db.prepare("INSERT INTO kinds (name) VALUES (?) RETURNING number")),
      insert_queue_(db.prepare("INSERT INTO queues (name) VALUES (?) RETURNING number")),
      pause_queue_(db.prepare("UPDATE queues SET paused = ?, paused_until = ? WHERE number = ?")) {
    for (std::size_t i = 0; i < table_names.size(); ++i) {
        const std::string from = std::string("DELETE FROM ") + table_names[i];
        erase_[i] = db.prepare(from + " WHERE seq = ?");
        erase_range_[i] = db.prepare(from + " WHERE seq BETWEEN ? AND ?");
    }
}

void job_rows::write(const change& c) {
    switch (c.what) {
    case change::kind::push:
        if (c.batch.empty())
            return insert_live(*c.job, c.job->attempt, c.job->state, c.job->due);
        for (const job_record* one : c.batch)
            insert_live(*one, one->attempt, one->state, one->due);
        return;
    case change::kind::settle:
        return settle(*c.job, c.how);
    case change::kind::remove:
        erase(c.job->written, c.job->row);
        forget_errors(c.job->row);
        return;
    case change::kind::pause:
        return set_pause(*c.pause);
    }
}

void job_rows::set_pause(const pause_request& r) {
    pause_queue_.bind(1, std::int64_t{r.paused}).bind(3, number_of(*r.queue));
    if (r.until == 0)
        pause_queue_.bind_null(2);
    else
        pause_queue_.bind(2, r.until);
    pause_queue_.run();
}

void job_rows::settle(const job_record& job, const settlement& s) {
    if (is_final(s.state)) {
        erase(job.written, job.row);
        if (!s.forget)
            insert_final(job, s);
    } else if (job.written == job_record::table::live) {
        update_live_.bind(1, nanoseconds(job.attempted_at))
            .bind(2, std::int64_t{s.attempt})
            .bind(3, delivery_column(job))
            .bind(4, std::int64_t{job.crashes})
            .bind(5, static_cast<std::int64_t>(s.state))
            .bind(6, s.due)
            .bind(7, job.row)
            .run();
    } else {
        erase(job.written, job.row);
        insert_live(job, s.attempt, s.state, s.due, s.max_attempts);
    }
    if (s.forget && job.errors)
        forget_errors(job.row);
    else if (s.has_error && !s.forget)
        add_error(job, s);
}

namespace {

/// The parameters that all tables of jobs have first.
template <typename Id>
void bind_job(statement& into, const job_record& job, const Id& id, std::int64_t kind,
              std::int64_t queue) {
    into.bind(1, job.row)
        .bind_blob(2, id)
        .bind(3, kind)
        .bind(4, queue)
        .bind(5, std::int64_t{job.priority})
        .bind(6, nanoseconds(job.created_at))
        .bind(7, std::int64_t{job.timeout.count()})
        .bind(8, std::int64_t{job.max_attempts})
        .bind(9, job.payload);
    if (job.attempted_at == wall_time())
        into.bind_null(10);
    else
        into.bind(10, nanoseconds(job.attempted_at));
    if (job.unique)
        into.bind(11, job.unique->key);
    else
        into.bind_null(11);
}

} // namespace

void job_rows::insert_live(const job_record& job, std::uint32_t attempt, job_state state,
                           std::int64_t due, std::uint32_t max_attempts) {
    const auto id = bytes_of(job.id);
    bind_job(insert_live_, job, id, number_of(*job.kind), number_of(*job.queue));
    if (max_attempts != 0)
        insert_live_.bind(8, std::int64_t{max_attempts});
    insert_live_.bind(12, std::int64_t{attempt})
        .bind(13, delivery_column(job))
        .bind(14, std::int64_t{job.crashes})
        .bind(15, static_cast<std::int64_t>(state))
        .bind(16, due)
        .run();
}

void job_rows::insert_final(const job_record& job, const settlement& s) {
    const bool discarded = s.state == job_state::discarded;
    statement& into = discarded ? insert_discarded_ : insert_finished_;
    const auto id = bytes_of(job.id);
    // A handler's strings may be anything.
    const std::string result = s.state == job_state::completed
                                   ? s.result.dump(-1, ' ', false, json::error_handler_t::replace)
                                   : std::string();
    bind_job(into, job, id, number_of(*job.kind), number_of(*job.queue));
    into.bind(12, std::int64_t{s.attempt})
        .bind(13, std::int64_t{job.delivery})
        .bind(14, std::int64_t{job.crashes})
        .bind(15, static_cast<std::int64_t>(s.state))
        .bind(16, nanoseconds(s.at));
    if (s.state == job_state::completed)
        into.bind(17, result);
    else
        into.bind_null(17);
    into.run();
}

void job_rows::erase(job_record::table from, std::int64_t row) {
    if (from != job_record::table::none)
        erase_[index_of(from)].bind(1, row).run();
}

void job_rows::forget_errors(std::int64_t row) { erase_errors_.bind(1, row).run(); }

void job_rows::add_error(const job_record& job, const settlement& s) {
    if (job.errors && job.errors->size() >= errors_max)
        erase_oldest_error_.bind(1, job.row).run();
    std::string text = s.error_text;
    cut_error(text);
    insert_error_.bind(1, job.row)
        .bind(2, std::int64_t{s.attempt})
        .bind(3, nanoseconds(s.at))
        .bind(4, text)
        .run();
}

/// Rows that follow each other go together: those that finish at about the same time usually do.
void job_rows::trim(std::span<const trimmed_row> rows) {
    for (std::size_t i = 0; i < rows.size();) {
        std::size_t end = i + 1;
        while (end < rows.size() && rows[end].from == rows[i].from &&
               rows[end].row == rows[end - 1].row + 1)
            ++end;
        erase_range_[index_of(rows[i].from)].bind(1, rows[i].row).bind(2, rows[end - 1].row).run();
        for (; i < end; ++i)
            if (rows[i].has_errors)
                forget_errors(rows[i].row);
    }
}

/// How often a live job was delivered, less the losses. When a ledger is lost, nobody knows any
/// more which jobs had been delivered once more than their rows say: counting a loss makes it all
/// of them, so that no token is given out twice, and without a single row being written.
std::int64_t job_rows::delivery_column(const job_record& job) const noexcept {
    return std::int64_t{job.delivery} - losses_;
}

void job_rows::know(const kind_entry& kind, std::int64_t number) {
    if (kinds_.size() <= kind.index)
        kinds_.resize(kind.index + 1);
    kinds_[kind.index] = number;
}

std::int64_t job_rows::number_of(const kind_entry& kind) {
    if (kind.index < kinds_.size() && kinds_[kind.index] != 0)
        return kinds_[kind.index];
    insert_kind_.bind(1, kind.name).step();
    know(kind, insert_kind_.number(0));
    insert_kind_.step(); // to its end
    new_kinds_.push_back(kind.index);
    return kinds_[kind.index];
}

std::int64_t job_rows::number_of(const queue_entry& queue) {
    const auto found = queues_.find(&queue);
    if (found != queues_.end())
        return found->second;
    insert_queue_.bind(1, queue.name).step();
    const std::int64_t number = queues_[&queue] = insert_queue_.number(0);
    insert_queue_.step();
    new_queues_.push_back(&queue);
    return number;
}

void job_rows::rolled_back() {
    for (const std::size_t index : new_kinds_)
        kinds_[index] = 0;
    for (const queue_entry* queue : new_queues_)
        queues_.erase(queue);
    committed();
}

} // namespace lifeguard::detail
