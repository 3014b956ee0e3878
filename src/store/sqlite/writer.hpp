#pragma once

#include "store/sqlite/job_rows.hpp"
#include <lifeguard/metrics.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace lifeguard::detail {

/// The one thread that writes to a file. What is to be stored queues up; a transaction takes all
/// that waits, so groups form by themselves while one is synced to the disk.
class writer {
  public:
    using group = std::vector<change>;
    /// Gets a group that has been stored, or not: each change says so. On the writer's thread.
    using on_written = std::function<void(group)>;

    writer(database& db, job_rows& rows, on_written written);
    ~writer();
    writer(const writer&) = delete;
    writer& operator=(const writer&) = delete;

    /// Where transactions that were stored are observed: the changes in each, and how long its
    /// COMMIT took, which is the disk's time. Before `start`; both outlive the writer.
    void observe(histogram& sizes, histogram& times) noexcept {
        sizes_ = &sizes;
        times_ = &times;
    }

    void start();

    // Any thread.

    void add(change&& c);
    /// Goes with the next group; nothing waits for it.
    void trim(const trimmed_row& row);
    /// What has been trimmed so far goes now, though nothing else may be coming.
    void flush();

    /// Nothing begins before so many changes wait, or `uncork` is called: more is about to come,
    /// and would be too late for the group.
    void cork(std::size_t until);
    void uncork();

    /// Waits until nothing is being written, nor waits to be; whether anything has been written
    /// since the last call.
    bool drain();

    /// Writes all that waits and ends the thread.
    void stop();

    struct figures {
        std::atomic<std::uint64_t> groups = 0;
        std::atomic<std::uint64_t> changes = 0;
        std::atomic<std::uint64_t> failed_groups = 0;
    };
    figures counts;

  private:
    void run();
    bool has_work() const noexcept {
        return flush_ || (!waiting_.empty() && waiting_.size() >= corked_until_);
    }
    void write(group& changes, std::vector<trimmed_row>& trims);
    std::exception_ptr try_to_write(const std::vector<change*>& changes,
                                    std::vector<trimmed_row>& trims);
    void commit(transaction& whole, std::size_t changes);
    void write_apart(group& changes, std::vector<trimmed_row>& trims,
                     const std::exception_ptr& why);
    void keep_log_short();

    database& db_;
    job_rows& rows_;
    const on_written written_;

    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable idle_;
    group waiting_;
    std::vector<trimmed_row> trims_;
    std::size_t corked_until_ = 0;
    bool flush_ = false;
    bool writing_ = false;
    bool asleep_ = false;
    bool stopping_ = false;

    /// So long may the log become before it is moved into the file, in pages of 4 KiB.
    static constexpr int log_pages_max = 2000;
    static constexpr int log_pages_step = 250; ///< likewise, while a reader prevents it
    int log_limit_ = log_pages_max;            // of the writer's thread only

    /// The disk takes its time, whatever the engine's clock says.
    const std::shared_ptr<time_source> disk_clock_ = real_time_source();
    histogram* sizes_ = nullptr;
    histogram* times_ = nullptr;
    std::uint64_t drained_ = 0; // groups that `drain` knows of

    std::thread thread_;
};

} // namespace lifeguard::detail
