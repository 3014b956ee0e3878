#pragma once

#include "store/sqlite/database.hpp"
#include <lifeguard/sqlite_store.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace lifeguard::detail {

/// Takes a file from the version before to `version`.
struct migration {
    int version;
    const char* sql;
};

/// All of them, in order: applied to an empty file they make the newest version.
std::span<const migration> migrations() noexcept;

/// Brings the file to the newest version, in one transaction. Throws `error`: unsupported when it
/// is of a newer version, or holds something else than our jobs; the file is left as it was.
void migrate(database& db, std::span<const migration> steps);

/// What the file says about itself.
struct store_facts {
    std::int64_t epoch = 0;  ///< how often the file has had an owner
    std::int64_t losses = 0; ///< how often the ledger of an owner was lost
    std::array<unsigned char, 16> store{};
};

/// Makes a connection ready for use, checks the file as far as asked, and migrates it. Nothing is
/// written before it has been checked. Every commit is synced from then on, whatever the
/// durability.
void prepare(database& db, store_check check);

store_facts read_facts(database& db);
/// Within a transaction.
void write_facts(database& db, const store_facts& facts);

} // namespace lifeguard::detail
