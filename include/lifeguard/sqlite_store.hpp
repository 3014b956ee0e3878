#pragma once

#include <lifeguard/store.hpp>
#include <lifeguard/time_source.hpp>

#include <cstddef>
#include <string>

namespace lifeguard {

/// What an answer means: what the job that was pushed, or the result that was recorded, outlives.
enum class durability {
    power_loss, ///< a power cut: each group of changes is synced to the disk before it is answered
    process_crash, ///< kill -9 of the process; a power cut may take what was answered last
};

/// What is checked when the file is opened.
enum class store_check {
    rows, ///< every job that is read, and that the file is one of ours
    full, ///< also the whole file, by SQLite's integrity_check; takes about as long as reading it
};

/// Validated by `sqlite_store`; the error names the field.
struct sqlite_store_options {
    /// The database. Made when it is not there; its directory must be. Beside it lie its log
    /// ("-wal", "-shm") and the ledger of the attempts that have begun ("-ledger").
    std::string path;

    /// Defaults to power_loss.
    durability durable = durability::power_loss;

    /// Defaults to rows.
    store_check check = store_check::rows;

    /// How many completed and cancelled jobs are kept, and how many discarded ones; the oldest are
    /// forgotten. Default to 10,000.
    std::size_t finished_max = 10'000;
    std::size_t discarded_max = 10'000;
    /// For how long.
    job_ages keep_for = job_ages();
    /// About how many bytes of memory completed and cancelled jobs may take, and discarded ones;
    /// the oldest are forgotten by the queue's upkeep. Default to 256 MiB.
    std::size_t finished_bytes_max = std::size_t{256} << 20U;
    std::size_t discarded_bytes_max = std::size_t{256} << 20U;

    /// How often the process may end while it executes a job, before the job is discarded instead
    /// of being tried again. 1 to 1,000. Defaults to 3.
    unsigned max_process_crashes = 3;

    /// How long the store waits for a lock that somebody else holds on the file, in real time and
    /// on a thread of its own, before it answers `store_busy`. Up to an hour. Zero: not at all.
    /// Defaults to 5 s.
    duration busy_wait = std::chrono::seconds(5);

    /// How long after a failure what must be recorded is tried again. More than zero. Defaults to
    /// 1 s.
    duration retry_wait = std::chrono::seconds(1);
};

/// Jobs in an SQLite database, which outlive the process. docs/sqlite.md describes the file.
///
/// Opens and checks the file; its jobs are read when the store is given to an engine or a queue.
/// Both block. A file belongs to one store at a time.
/// Errors: `invalid_option`; `store_owned` while another store has the file; `store_corrupt`;
/// `store_read_only`; `store_busy`; `store_full`; `store_failed` for other failures of the file;
/// `unsupported` for a file of a newer version.
store sqlite_store(const sqlite_store_options& options);

} // namespace lifeguard
