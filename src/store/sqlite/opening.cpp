// How a store begins: what it reads, and what it makes of what the owner before it has left.

#include "store/sqlite/job_loader.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <limits>

namespace lifeguard::detail {
namespace {

constexpr const char* crashed_text = "the process ended while it executed the job";

/// Whether the ledger says what the last owner of the file was doing. It lies in the page cache, so
/// after a restart of the machine only one that was closed in good order is to be believed.
bool is_telling(const ledger::remains& left, const store_facts& facts) {
    const auto epoch = static_cast<std::uint64_t>(facts.epoch);
    if (left.store != facts.store)
        return false;
    // One epoch behind: that owner ended before its own began, and executed nothing.
    return left.epoch == epoch ? left.this_boot || left.clean
                               : left.this_boot && left.epoch + 1 == epoch;
}

} // namespace

std::vector<log_record> sqlite_job_store::load() {
    std::vector<log_record> said;
    log_ = logger(shared()->log);
    make_metrics();
    const ledger::remains left = ledger_.read();
    store_facts facts;
    {
        transaction whole(db_);
        facts = read_facts(db_);
        const bool telling = is_telling(left, facts);
        if (facts.epoch != 0 && !telling)
            ++facts.losses;
        rows_.set_losses(facts.losses);
        job_loader loader(db_, index(), listener(), rows_, shared()->time->now());
        loader.load(facts.losses);
        if (telling)
            charge_all(left, said);
        ++facts.epoch;
        write_facts(db_, facts);
        whole.commit();
        rows_.committed();
    }
    // The epoch was synced with either durability: if a power cut took it, nothing would say that
    // the ledger is out of date, and tokens were given out again. From now on, with FULL every
    // commit syncs the log; with NORMAL the log is synced when it is moved into the file, which
    // keeps the file whole and loses the last commits to a power cut.
    if (options_.durable == durability::process_crash)
        db_.execute("PRAGMA synchronous = NORMAL");
    ledger_.begin(static_cast<std::uint64_t>(facts.epoch), facts.store);
    owned_ = true;
    writer_.start();
    return said;
}

void sqlite_job_store::charge_all(const ledger::remains& left, std::vector<log_record>& said) {
    for (const ledger::mark& m : left.marks) {
        job_record* const job = index().find(m.job);
        if (job == nullptr || m.delivery <= job->delivery)
            continue; // what became of this attempt has been stored
        if (is_final(job->state))
            job->delivery = m.delivery; // a discarded job that was taken by hand stays discarded
        else
            charge(*job, m, !left.clean, said);
    }
}

/// A job was executing when its owner ended: it is available again, unless it is to blame.
void sqlite_job_store::charge(job_record& job, const ledger::mark& m, bool crashed,
                              std::vector<log_record>& said) {
    job.delivery = m.delivery;
    change c;
    c.what = change::kind::settle;
    c.job = &job;
    c.how.attempt = job.attempt;
    c.how.at = shared()->time->wall_now();
    if (crashed) {
        job.crashes =
            std::max<std::uint16_t>(job.crashes, static_cast<std::uint16_t>(job.crashes + 1));
        c.how.attempt = m.attempt;
        c.how.has_error = true;
        c.how.error_text = crashed_text;
        if (job.crashes >= options_.max_process_crashes) {
            c.how.state = job_state::discarded;
            c.how.error_text = "quarantined: " + std::string(crashed_text) + ", " +
                               std::to_string(job.crashes) + " times";
            said.push_back({log_level::error,
                            "job_quarantined",
                            c.how.error_text,
                            {{"job", job.id.to_string()}, {"kind", job.kind->name}}});
        } else if (m.attempt >= job.max_attempts) {
            c.how.state = job_state::discarded;
        }
    }
    rows_.write(c);
    job.written = table_of(c.how.state);
    if (c.how.has_error)
        record_error(job, std::move(c.how));
    job.attempt = c.how.attempt;
    if (c.how.state == job_state::discarded) {
        job.finished_at = c.how.at;
        index().finish(job, job_state::discarded);
    } else {
        index().give_back(job);
    }
}

void sqlite_job_store::make_metrics() {
    metrics_.emplace(shared()->metrics);
    unmarked_ = &metrics_->make_counter("lifeguard_store_unmarked_attempts_total",
                                        "Attempts for which the ledger had no room.");
    const auto read = [this](const char* name, const char* help,
                             const std::atomic<std::uint64_t>& value) {
        metrics_->make_counter(name, help, {}, [alive = alive(), &value]() -> double {
            const auto keep = alive.lock();
            return keep ? static_cast<double>(value.load()) : 0;
        });
    };
    read("lifeguard_store_groups_total", "Transactions that were begun.", writer_.counts.groups);
    read("lifeguard_store_changes_total", "Changes in them.", writer_.counts.changes);
    read("lifeguard_store_failed_groups_total", "Transactions that failed.",
         writer_.counts.failed_groups);
    histogram& sizes = metrics_->make_histogram(
        "lifeguard_store_commit_changes", "Changes in each transaction that was stored.", {},
        {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096});
    histogram& times = metrics_->make_histogram(
        "lifeguard_store_commit_seconds",
        "How long each transaction's COMMIT took, with its sync to the disk.", {},
        {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5});
    writer_.observe(sizes, times);
}

} // namespace lifeguard::detail
