#include "store/sqlite/writer.hpp"

#include <utility>

namespace lifeguard::detail {
namespace {

errc code_of(const std::exception_ptr& thrown) noexcept {
    try {
        std::rethrow_exception(thrown);
    } catch (const error& e) {
        return static_cast<errc>(e.code().value());
    } catch (...) {
        return errc::store_failed;
    }
}

} // namespace

writer::writer(database& db, job_rows& rows, on_written written)
    : db_(db), rows_(rows), written_(std::move(written)) {}

writer::~writer() { stop(); }

void writer::start() {
    thread_ = std::thread([this] { run(); });
}

void writer::add(change&& c) {
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(c));
        wake = asleep_ && has_work();
        asleep_ = asleep_ && !wake;
    }
    if (wake)
        work_.notify_one();
}

void writer::trim(const trimmed_row& row) {
    const std::lock_guard lock(mutex_);
    trims_.push_back(row);
}

void writer::flush() {
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        flush_ = !trims_.empty();
        wake = has_work() && std::exchange(asleep_, false);
    }
    if (wake)
        work_.notify_one();
}

void writer::cork(std::size_t until) {
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        corked_until_ = until;
        wake = has_work() && std::exchange(asleep_, false); // fewer than before may be enough
    }
    if (wake)
        work_.notify_one();
}

void writer::uncork() { cork(0); }

bool writer::drain() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !writing_ && !has_work(); });
    // A group may have come to its end just before we looked.
    return std::exchange(drained_, counts.groups.load()) != counts.groups;
}

void writer::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        corked_until_ = 0;
    }
    work_.notify_one();
    if (thread_.joinable())
        thread_.join();
}

void writer::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        while (!has_work() && !stopping_) {
            asleep_ = true;
            work_.wait(lock);
        }
        asleep_ = false;
        if (waiting_.empty() && trims_.empty())
            break; // told to stop
        corked_until_ = 0;
        flush_ = false;
        group changes = std::exchange(waiting_, {});
        std::vector<trimmed_row> trims = std::exchange(trims_, {});
        writing_ = true;
        lock.unlock();
        write(changes, trims);
        if (!changes.empty())
            written_(std::move(changes));
        keep_log_short();
        lock.lock();
        // What could not be erased goes with a later group; not now, or we would never stop.
        if (!stopping_)
            trims_.insert(trims_.end(), trims.begin(), trims.end());
        writing_ = false;
        if (!has_work())
            idle_.notify_all();
    }
}

void writer::write(group& changes, std::vector<trimmed_row>& trims) {
    std::vector<change*> all;
    all.reserve(changes.size());
    for (change& c : changes)
        all.push_back(&c);
    ++counts.groups;
    counts.changes += changes.size();
    if (const auto why = try_to_write(all, trims)) {
        ++counts.failed_groups;
        write_apart(changes, trims, why);
    }
}

/// One transaction: all of it or nothing. Empty when it is stored.
std::exception_ptr writer::try_to_write(const std::vector<change*>& changes,
                                        std::vector<trimmed_row>& trims) {
    try {
        transaction whole(db_);
        for (const change* c : changes)
            rows_.write(*c);
        rows_.trim(trims);
        commit(whole, changes.size());
        rows_.committed();
        trims.clear();
        return nullptr;
    } catch (...) {
        rows_.rolled_back(); // the transaction has been by now
        return std::current_exception();
    }
}

void writer::commit(transaction& whole, std::size_t changes) {
    const time_point begun = disk_clock_->now();
    whole.commit();
    if (times_ == nullptr)
        return;
    times_->observe(disk_clock_->now() - begun);
    sizes_->observe(static_cast<double>(changes));
}

/// The group as a whole could not be stored: saves what can be.
void writer::write_apart(group& changes, std::vector<trimmed_row>& trims,
                         const std::exception_ptr& why) {
    const errc code = code_of(why);
    if (code != errc::store_full && code != errc::store_busy && code != errc::store_read_only) {
        // Perhaps it is one of them: the others shall not suffer.
        for (change& c : changes)
            c.error = changes.size() == 1 ? why : try_to_write({&c}, trims);
        return;
    }
    std::vector<change*> others;
    for (change& c : changes) {
        c.error = why;
        if (c.what != change::kind::push)
            others.push_back(&c);
    }
    // New jobs need space; what ends or erases jobs may find some.
    const bool pushes = others.size() < changes.size();
    if (code != errc::store_full || !pushes || others.empty() || try_to_write(others, trims))
        return;
    for (change* c : others)
        c->error = nullptr;
}

void writer::keep_log_short() {
    if (db_.log_pages() < log_limit_)
        return;
    // While a reader is in the way the log goes on. It may be gone for a moment only, so this is
    // tried often, and costs little: what is before the reader was moved the first time.
    const int pages = db_.log_pages();
    log_limit_ = db_.checkpoint(false) ? log_pages_max : pages + log_pages_step;
}

} // namespace lifeguard::detail
