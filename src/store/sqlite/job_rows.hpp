#pragma once

#include "store/sqlite/change.hpp"
#include "store/sqlite/database.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace lifeguard::detail {

/// Writes jobs as rows. Used by one thread at a time, within a transaction.
class job_rows {
  public:
    explicit job_rows(database& db);

    /// `losses`: how often a ledger was lost, see `delivery_column`.
    void set_losses(std::int64_t losses) noexcept { losses_ = losses; }

    void write(const change& c);
    void trim(std::span<const trimmed_row> rows);

    /// The numbers of names that are in the file.
    void know(const kind_entry& kind, std::int64_t number);
    void know(const queue_entry& queue, std::int64_t number) { queues_[&queue] = number; }

    /// The transaction is stored, or was rolled back and with it the names that it brought.
    void committed() noexcept { new_kinds_.clear(), new_queues_.clear(); }
    void rolled_back();

  private:
    /// `max_attempts`: zero for those that the job has.
    void insert_live(const job_record& job, std::uint32_t attempt, job_state state,
                     std::int64_t due, std::uint32_t max_attempts = 0);
    void insert_final(const job_record& job, const settlement& s);
    void settle(const job_record& job, const settlement& s);
    void set_pause(const pause_request& r);
    void erase(job_record::table from, std::int64_t row);
    void forget_errors(std::int64_t row);
    void add_error(const job_record& job, const settlement& s);
    std::int64_t delivery_column(const job_record& job) const noexcept;
    std::int64_t number_of(const kind_entry& kind);
    std::int64_t number_of(const queue_entry& queue);

    statement insert_live_;
    statement update_live_;
    statement insert_finished_;
    statement insert_discarded_;
    std::array<statement, 3> erase_;       // by table
    std::array<statement, 3> erase_range_; // likewise
    statement insert_error_;
    statement erase_errors_;
    statement erase_oldest_error_;
    statement insert_kind_;
    statement insert_queue_;
    statement pause_queue_;

    std::int64_t losses_ = 0;
    std::vector<std::int64_t> kinds_; // by kind_entry::index; 0: not in the file
    std::unordered_map<const queue_entry*, std::int64_t> queues_;
    std::vector<std::size_t> new_kinds_;
    std::vector<const queue_entry*> new_queues_;
};

/// The names of the tables, by job_record::table less one.
inline constexpr std::array<const char*, 3> table_names{"jobs", "finished", "discarded"};

std::array<unsigned char, 16> bytes_of(const job_id& id) noexcept;

} // namespace lifeguard::detail
