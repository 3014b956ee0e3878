#pragma once

#include <lifeguard/error.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace lifeguard::detail {

/// A failure of SQLite as an error of ours: the code, and which file.
class sqlite_error : public error {
  public:
    sqlite_error(errc code, int result, const std::string& what)
        : error(code, what), result_(result) {}
    /// SQLite's extended result code.
    int result() const noexcept { return result_; }

  private:
    int result_;
};

/// The errc that a result code of SQLite means for us.
errc errc_of(int result) noexcept;

/// A prepared statement. Positions count from 1 for parameters and from 0 for columns, as in
/// SQLite. Texts and blobs are not copied: they must live until the statement is run or reset.
class statement {
  public:
    statement() = default;
    statement(sqlite3* db, std::string_view sql, const std::string& file);

    statement& bind(int at, std::int64_t value);
    statement& bind(int at, std::string_view text);
    statement& bind_blob(int at, std::span<const unsigned char> bytes);
    statement& bind_null(int at);

    /// Runs to the end, and is ready for the next values.
    void run();
    /// The next row; false at the end, when it is reset.
    bool step();
    void reset() noexcept;

    std::int64_t number(int column) const noexcept;
    std::string_view text(int column) const noexcept;
    bool is_null(int column) const noexcept;
    /// SQLITE_INTEGER and so on.
    int type(int column) const noexcept;

  private:
    struct finalizer {
        void operator()(sqlite3_stmt* s) const noexcept;
    };
    void check(int result) const;

    std::unique_ptr<sqlite3_stmt, finalizer> statement_;
    const std::string* file_ = nullptr;
};

/// A connection to a database file. Used by one thread at a time.
class database {
  public:
    /// Opens the file, or makes it. Errors: as `sqlite_store`.
    explicit database(std::string path);

    const std::string& path() const noexcept { return path_; }

    /// Runs statements that answer nothing.
    void execute(const std::string& sql);
    statement prepare(std::string_view sql) { return statement(db_.get(), sql, path_); }
    /// The first column of the first row; 0 when there is none.
    std::int64_t number(std::string_view sql);
    std::string text(std::string_view sql);

    void set_busy_wait(int milliseconds) noexcept;
    bool in_transaction() const noexcept;
    void rollback() noexcept;

    /// Moves what is in the log into the file, as far as nobody is in the way, and starts the log
    /// anew, also making its file empty when asked to. Does not wait for readers: while one is
    /// there the log goes on. Whether it was started anew.
    bool checkpoint(bool empty) noexcept;

    /// How many pages the log has after the last commit.
    int log_pages() const noexcept { return log_pages_; }

  private:
    struct closer {
        void operator()(sqlite3* db) const noexcept;
    };

    const std::string path_;
    int log_pages_ = 0;
    int busy_wait_ = 0;
    std::unique_ptr<sqlite3, closer> db_;
};

/// A transaction that writes; rolled back unless it is committed.
class transaction {
  public:
    explicit transaction(database& db);
    ~transaction();
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;
    void commit();

  private:
    database& db_;
};

} // namespace lifeguard::detail
