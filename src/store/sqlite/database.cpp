#include "store/sqlite/database.hpp"

#include <sqlite3.h>

#include <utility>

namespace lifeguard::detail {

namespace {

/// A primary result code, without its extension.
constexpr int primary(int result) noexcept { return result & 0xff; }

[[noreturn]] void fail(sqlite3* db, int result, const std::string& file) {
    const int extended = db == nullptr ? result : sqlite3_extended_errcode(db);
    // The connection may have forgotten meanwhile, or never have known.
    const int code = primary(extended) == primary(result) ? extended : result;
    const char* said = db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db);
    throw sqlite_error(errc_of(code), code,
                       "file '" + file + "': " + said + " (SQLite " + std::to_string(code) + ")");
}

} // namespace

errc errc_of(int result) noexcept {
    switch (primary(result)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return errc::store_busy;
    case SQLITE_FULL:
        return errc::store_full;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return errc::store_read_only;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: // our statements violate none in a file that is whole
    case SQLITE_MISMATCH:
        return errc::store_corrupt;
    default:
        return errc::store_failed;
    }
}

// --- statement

void statement::finalizer::operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }

statement::statement(sqlite3* db, std::string_view sql, const std::string& file) : file_(&file) {
    sqlite3_stmt* made = nullptr;
    const int result = sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    statement_.reset(made);
    if (result != SQLITE_OK)
        fail(db, result, file);
}

void statement::check(int result) const {
    if (result != SQLITE_OK)
        fail(sqlite3_db_handle(statement_.get()), result, *file_);
}

statement& statement::bind(int at, std::int64_t value) {
    check(sqlite3_bind_int64(statement_.get(), at, value));
    return *this;
}

statement& statement::bind(int at, std::string_view text) {
    check(sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(), SQLITE_STATIC,
                              SQLITE_UTF8));
    return *this;
}

statement& statement::bind_blob(int at, std::span<const unsigned char> bytes) {
    check(sqlite3_bind_blob64(statement_.get(), at, bytes.data(), bytes.size(), SQLITE_STATIC));
    return *this;
}

statement& statement::bind_null(int at) {
    check(sqlite3_bind_null(statement_.get(), at));
    return *this;
}

void statement::run() {
    while (step()) {
    }
}

bool statement::step() {
    const int result = sqlite3_step(statement_.get());
    if (result == SQLITE_ROW)
        return true;
    if (result == SQLITE_DONE) {
        reset();
        return false;
    }
    struct resetting {
        statement& what;
        ~resetting() { what.reset(); }
    };
    const resetting afterwards{*this}; // which forgets the message
    fail(sqlite3_db_handle(statement_.get()), result, *file_);
}

void statement::reset() noexcept { sqlite3_reset(statement_.get()); }

std::int64_t statement::number(int column) const noexcept {
    return sqlite3_column_int64(statement_.get(), column);
}

std::string_view statement::text(int column) const noexcept {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return bytes == nullptr ? std::string_view() : std::string_view(bytes, size);
}

int statement::type(int column) const noexcept {
    return sqlite3_column_type(statement_.get(), column);
}

bool statement::is_null(int column) const noexcept { return type(column) == SQLITE_NULL; }

// --- database

void database::closer::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }

database::database(std::string path) : path_(std::move(path)) {
    sqlite3* opened = nullptr;
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int result = sqlite3_open_v2(path_.c_str(), &opened, flags, nullptr);
    db_.reset(opened);
    if (result != SQLITE_OK)
        fail(opened, result, path_);
    if (sqlite3_db_readonly(opened, "main") == 1)
        throw sqlite_error(errc::store_read_only, SQLITE_READONLY,
                           "file '" + path_ + "' cannot be written");
    sqlite3_wal_hook(
        opened,
        [](void* self, sqlite3*, const char*, int pages) {
            static_cast<database*>(self)->log_pages_ = pages;
            return SQLITE_OK;
        },
        this);
}

void database::execute(const std::string& sql) {
    const int result = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK)
        fail(db_.get(), result, path_);
}

std::int64_t database::number(std::string_view sql) {
    statement s = prepare(sql);
    if (!s.step())
        return 0;
    const std::int64_t first = s.number(0);
    s.run(); // to its end: a pragma that changes the file commits there, which may fail
    return first;
}

std::string database::text(std::string_view sql) {
    statement s = prepare(sql);
    if (!s.step())
        return {};
    std::string first(s.text(0));
    s.run(); // likewise
    return first;
}

void database::set_busy_wait(int milliseconds) noexcept {
    busy_wait_ = milliseconds;
    sqlite3_busy_timeout(db_.get(), milliseconds);
}

bool database::in_transaction() const noexcept { return sqlite3_get_autocommit(db_.get()) == 0; }

void database::rollback() noexcept {
    if (in_transaction())
        sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

bool database::checkpoint(bool empty) noexcept {
    log_pages_ = 0; // not again before the next commit
    sqlite3_busy_timeout(db_.get(), 0);
    // A log that keeps its size is synced faster than one that grows again.
    const int mode = empty ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
    const int result = sqlite3_wal_checkpoint_v2(db_.get(), "main", mode, nullptr, nullptr);
    sqlite3_busy_timeout(db_.get(), busy_wait_);
    return result == SQLITE_OK;
}

// --- transaction

transaction::transaction(database& db) : db_(db) { db_.execute("BEGIN IMMEDIATE"); }

transaction::~transaction() { db_.rollback(); }

void transaction::commit() { db_.execute("COMMIT"); }

} // namespace lifeguard::detail
