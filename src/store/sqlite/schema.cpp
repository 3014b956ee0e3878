#include "store/sqlite/schema.hpp"

#include <sqlite3.h>

#include <algorithm>

namespace lifeguard::detail {
namespace {

constexpr std::int64_t application = 0x6c696667; // "lifg"; `file` and other programs can tell

// Version 1. docs/sqlite.md describes every table and column. There are no indexes beside those
// that find errors and names: who looks for a job looks in memory, and each index would be written
// twice in a job's life. Times are nanoseconds since 1970.
constexpr const char* version_1 = R"(
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;

CREATE TABLE kinds (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE queues (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    paused INTEGER NOT NULL DEFAULT 0,
    paused_until INTEGER -- null: until it is resumed
);

CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    state INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    due INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempted_at INTEGER,
    timeout INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    payload TEXT NOT NULL,
    unique_key TEXT
);

CREATE TABLE finished (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    state INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempted_at INTEGER,
    timeout INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    payload TEXT NOT NULL,
    result TEXT,
    unique_key TEXT
);

CREATE TABLE discarded (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    state INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempted_at INTEGER,
    timeout INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    payload TEXT NOT NULL,
    result TEXT,
    unique_key TEXT
);

CREATE TABLE errors (
    number INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX errors_of_job ON errors (seq);

CREATE VIEW all_jobs AS
SELECT j.seq, lower(hex(j.id)) AS id,
       CASE j.state WHEN 0 THEN 'scheduled' WHEN 1 THEN 'available' WHEN 2 THEN 'executing'
                    WHEN 3 THEN 'retryable' WHEN 4 THEN 'completed' WHEN 5 THEN 'cancelled'
                    ELSE 'discarded' END AS state,
       k.name AS kind, q.name AS queue, j.priority, j.attempt, j.max_attempts, j.crashes,
       datetime(j.created_at / 1000000000, 'unixepoch') AS created_at,
       datetime(j.due / 1000000000, 'unixepoch') AS due,
       datetime(j.finished_at / 1000000000, 'unixepoch') AS finished_at,
       j.payload, j.result
FROM (SELECT seq, id, state, kind, queue, priority, attempt, max_attempts, crashes, created_at,
             due, NULL AS finished_at, payload, NULL AS result FROM jobs
      UNION ALL
      SELECT seq, id, state, kind, queue, priority, attempt, max_attempts, crashes, created_at,
             NULL, finished_at, payload, result FROM finished
      UNION ALL
      SELECT seq, id, state, kind, queue, priority, attempt, max_attempts, crashes, created_at,
             NULL, finished_at, payload, result FROM discarded) AS j
LEFT JOIN kinds AS k ON k.number = j.kind
LEFT JOIN queues AS q ON q.number = j.queue;

INSERT INTO meta VALUES ('epoch', 0), ('losses', 0), ('store', randomblob(16));
)";

constexpr std::array all{migration{1, version_1}};

void check_whole_file(database& db) {
    const std::string found = db.text("PRAGMA integrity_check(1)");
    if (found != "ok")
        throw sqlite_error(errc::store_corrupt, SQLITE_CORRUPT,
                           "file '" + db.path() + "': " + found);
}

} // namespace

std::span<const migration> migrations() noexcept { return all; }

namespace {

/// The file's version, when it is one that we can use. Nothing is written.
std::int64_t usable_version(database& db, int newest) {
    const std::int64_t version = db.number("PRAGMA user_version");
    const std::int64_t whose = db.number("PRAGMA application_id");
    const bool empty = version == 0 && db.number("SELECT count(*) FROM sqlite_schema") == 0;
    if (whose != application && !empty)
        throw error(errc::unsupported, "file '" + db.path() + "' is a database of something else");
    if (version > newest)
        throw error(errc::unsupported, "file '" + db.path() + "' is of version " +
                                           std::to_string(version) + ", this program knows up to " +
                                           std::to_string(newest));
    return version;
}

} // namespace

void migrate(database& db, std::span<const migration> steps) {
    const int newest = steps.back().version;
    const std::int64_t version = usable_version(db, newest);
    if (version == newest)
        return;
    transaction whole(db);
    for (const migration& step : steps)
        if (step.version > version)
            db.execute(step.sql);
    db.execute("PRAGMA application_id = " + std::to_string(application));
    db.execute("PRAGMA user_version = " + std::to_string(newest));
    whole.commit();
}

void prepare(database& db, store_check check) {
    if (check == store_check::full)
        check_whole_file(db);
    usable_version(db, migrations().back().version); // before journal_mode writes to the file
    if (const std::string mode = db.text("PRAGMA journal_mode = WAL"); mode != "wal")
        throw error(errc::store_failed,
                    "file '" + db.path() + "': no write-ahead log, but journal mode " + mode);
    db.execute("PRAGMA synchronous = FULL");
    db.execute("PRAGMA cache_size = -16384"); // KiB
    db.execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
    migrate(db, migrations());
}

store_facts read_facts(database& db) {
    store_facts facts;
    facts.epoch = db.number("SELECT value FROM meta WHERE key = 'epoch'");
    facts.losses = db.number("SELECT value FROM meta WHERE key = 'losses'");
    const std::string store = db.text("SELECT value FROM meta WHERE key = 'store'");
    if (store.size() != facts.store.size() || facts.epoch < 0 || facts.losses < 0)
        throw error(errc::store_corrupt, "file '" + db.path() + "': table meta is not whole");
    std::ranges::copy(store, facts.store.begin());
    return facts;
}

void write_facts(database& db, const store_facts& facts) {
    db.prepare("UPDATE meta SET value = ? WHERE key = 'epoch'").bind(1, facts.epoch).run();
    db.prepare("UPDATE meta SET value = ? WHERE key = 'losses'").bind(1, facts.losses).run();
}

} // namespace lifeguard::detail
