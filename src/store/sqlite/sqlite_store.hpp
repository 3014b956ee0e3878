#pragma once

#include "store/job_store.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/job_rows.hpp"
#include "store/sqlite/ledger.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/writer.hpp"
#include <lifeguard/log.hpp>
#include <lifeguard/metrics.hpp>
#include <lifeguard/sqlite_store.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace lifeguard::detail {

/// Jobs in an SQLite file. Reading and taking go to the index; what changes is handed to the
/// writer's thread, and a job stays what it was until the writer has stored its change. Then the
/// whole group is told to the listener, in one turn on the engine's executor.
class sqlite_job_store final : public job_store, private job_index::trim_listener {
  public:
    explicit sqlite_job_store(sqlite_store_options options);
    ~sqlite_job_store() override;

    std::string_view name() const noexcept override { return "sqlite"; }

    void push(std::unique_ptr<job_record> job, std::int64_t wall_now, wake_list& wakes) override;
    void push(std::vector<std::unique_ptr<job_record>> jobs, std::int64_t wall_now,
              wake_list& wakes) override;
    void start(job_record& job) override;
    void settle(job_record& job, settlement&& s, wake_list& wakes) override;
    void remove(job_record& job, wake_list& wakes) override;
    void set_pause(std::shared_ptr<pause_request> r, wake_list& wakes) override;
    time_point next_retry() const noexcept override { return retry_at_; }
    void retry() override;
    void pruned() override { writer_.flush(); }
    bool drain() override { return writer_.drain(); }
    void context_gone() noexcept override;

  private:
    std::vector<log_record> load() override;
    void charge_all(const ledger::remains& left, std::vector<log_record>& said);
    void charge(job_record& job, const ledger::mark& m, bool crashed,
                std::vector<log_record>& said);
    void make_metrics();

    job_record& announce(std::unique_ptr<job_record> job, std::int64_t wall_now);
    void add(change&& c);
    void written(writer::group changes);
    void tell(writer::group& changes);
    void conclude(change& c, std::int64_t wall_now, wake_list& wakes);
    void conclude_push(const change& c, std::int64_t wall_now, wake_list& wakes);
    void conclude_batch(const change& c, std::int64_t wall_now, wake_list& wakes);
    void conclude_settle(change& c, wake_list& wakes);
    void conclude_remove(const change& c, wake_list& wakes);
    void note_health(const writer::group& changes, wake_list& wakes);
    void unmark(job_record& job) noexcept;
    void trimmed(const job_record& job) override;

    const sqlite_store_options options_;
    ledger ledger_; // first: it is the lock
    database db_;
    job_rows rows_;
    logger log_;
    std::optional<metrics_scope> metrics_;
    counter* unmarked_ = nullptr; // attempts for which the ledger had no room

    // What could not be stored, and must be: tried again at `retry_at_`, or as soon as something
    // else has been stored.
    writer::group unstored_;
    time_point retry_at_ = time_point::max();
    bool failing_ = false;
    bool owned_ = false; // the ledger is of our epoch

    // While something is on its way, run() of the context must not end.
    std::size_t under_way_ = 0;
    asio::any_io_executor work_;

    std::mutex post_mutex_; // held while the executor is used from the writer's thread
    std::atomic<bool> gone_ = false;

    writer writer_; // last: its thread uses all of the above
};

} // namespace lifeguard::detail
