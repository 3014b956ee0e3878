#pragma once

#include <lifeguard/job_id.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lifeguard::detail {

/// The attempts that have begun and whose end is not stored yet: a file beside the database, mapped
/// into memory. A mark is a few plain writes to the page cache: it costs nanoseconds and no system
/// call, outlives the process however that ends, and not the machine. The file is also the lock by
/// which one process owns the database: the kernel lets go of it when the process ends.
///
/// Guarded by the engine's lock once it is open.
class ledger {
  public:
    using id_bytes = std::array<unsigned char, 16>;
    using slot_number = std::uint32_t;
    static constexpr slot_number no_slot = 0;

    /// One attempt.
    struct mark {
        job_id job;
        std::uint32_t attempt = 0;
        std::uint32_t delivery = 0;
    };

    /// What the previous owner has left.
    struct remains {
        std::vector<mark> marks;
        std::uint64_t epoch = 0; ///< of that owner; 0 when there was none
        id_bytes store{};        ///< the database that it belonged to
        bool clean = false;      ///< it closed the store: the attempts were given up, not cut short
        bool this_boot = false;  ///< the machine has not been restarted since
    };

    /// Opens the file beside the database and locks it. Throws `error`: store_owned with the
    /// owner's process id, store_read_only, store_full, store_failed, and store_corrupt for a file
    /// that is no ledger.
    explicit ledger(const std::string& database);

    /// What was there when it was opened. Changes nothing.
    remains read() const;

    /// Forgets all of that: from now on it is the ledger of this epoch.
    void begin(std::uint64_t epoch, const id_bytes& store);

    /// The slot of a new mark; `no_slot` when there is no room for it and the disk has none.
    slot_number add(const mark& m) noexcept;
    void remove(slot_number n) noexcept;

    /// The owner closes in good order. Also synced, so that it outlives the machine.
    void close_clean() noexcept;

  private:
    struct header;
    struct slot;

    /// The open file, and with it the lock.
    class file {
      public:
        explicit file(const std::string& path);
        ~file();
        file(const file&) = delete;
        file& operator=(const file&) = delete;
        int descriptor() const noexcept { return descriptor_; }

      private:
        int descriptor_;
    };

    /// A part of the file in memory.
    class mapping {
      public:
        mapping(int file, std::size_t offset, std::size_t size);
        ~mapping();
        mapping(mapping&& other) noexcept
            : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
        mapping& operator=(mapping&&) = delete;
        void* data() const noexcept { return data_; }
        void sync() const noexcept;

      private:
        void* data_;
        std::size_t size_;
    };

    header& head() const noexcept { return *static_cast<header*>(header_->data()); }
    slot& at(slot_number n) const noexcept;
    slot_number slots() const noexcept;
    void lock(const std::string& database) const;
    void map_chunk();
    void allocate(std::size_t chunks) const;

    const std::string path_;
    file file_;
    std::optional<mapping> header_;
    std::vector<mapping> chunks_;
    std::vector<slot_number> free_;
};

} // namespace lifeguard::detail
