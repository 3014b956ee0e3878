#pragma once

#include "store/job_store.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/job_rows.hpp"
#include "store/sqlite/schema.hpp"

#include <cstdint>
#include <vector>

namespace lifeguard::detail {

/// Reads the jobs of a file into an index. Everything in the file is taken for what somebody may
/// have written into it: what breaks a rule is `store_corrupt`, naming the row.
class job_loader {
  public:
    job_loader(database& db, job_index& index, store_listener& names, job_rows& rows,
               time_point now);

    /// `losses`: see job_rows.
    void load(std::int64_t losses);

  private:
    void read_names();
    void read_live(std::int64_t losses);
    void read_final(const char* table);
    std::unique_ptr<job_record> read_job(const statement& s);
    void read_unique_key(const statement& s, job_record& job);
    void read_errors(job_record& job);
    kind_entry& kind_of(std::int64_t number);
    queue_entry& queue_of(std::int64_t number);
    void require(bool ok, const char* rule) const;

    database& db_;
    job_index& index_;
    store_listener& names_;
    job_rows& rows_;
    const time_point now_;
    std::unordered_map<std::int64_t, kind_entry*> kinds_;
    std::unordered_map<std::int64_t, queue_entry*> queues_;
    statement errors_;
    const char* table_ = nullptr; // being read
    std::int64_t row_ = 0;        // likewise
};

} // namespace lifeguard::detail
