#include "store_sqlite/raw_side.hpp"

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

namespace bench {
namespace {

void check(bool ok, sqlite3* db) {
    if (ok)
        return;
    std::fprintf(stderr, "store_sqlite: SQLite: %s\n", sqlite3_errmsg(db));
    std::exit(1);
}

class raw_database {
  public:
    explicit raw_database(const std::string& path) {
        check(sqlite3_open(path.c_str(), &db_) == SQLITE_OK, db_);
        run("PRAGMA journal_mode = WAL");
        run("PRAGMA synchronous = FULL");
        run("PRAGMA cache_size = -16384");
        run("PRAGMA wal_autocheckpoint = 2000");
        for (const char* table : {"jobs", "finished"})
            run("CREATE TABLE " + std::string(table) +
                " (seq INTEGER PRIMARY KEY, id BLOB, kind INTEGER, queue INTEGER, priority INTEGER,"
                " created_at INTEGER, timeout INTEGER, max_attempts INTEGER, payload TEXT,"
                " attempted_at INTEGER, attempt INTEGER, delivery INTEGER, crashes INTEGER,"
                " state INTEGER, due INTEGER, result TEXT)");
        insert_ = prepare("INSERT INTO jobs VALUES (?,?,1,1,5,?,0,20,?,NULL,0,0,0,1,?,NULL)");
        finish_ = prepare("INSERT INTO finished VALUES (?,?,1,1,5,?,0,20,?,?,1,1,0,4,?,'1')");
        erase_ = prepare("DELETE FROM jobs WHERE seq = ?");
        begin_ = prepare("BEGIN IMMEDIATE");
        commit_ = prepare("COMMIT");
    }
    ~raw_database() {
        for (sqlite3_stmt* s : {insert_, finish_, erase_, begin_, commit_})
            sqlite3_finalize(s);
        sqlite3_close(db_);
    }
    raw_database(const raw_database&) = delete;
    raw_database& operator=(const raw_database&) = delete;

    void insert(std::int64_t n) {
        bind(insert_, n);
        sqlite3_bind_int64(insert_, 5, n);
        step(insert_);
    }
    void finish(std::int64_t n) {
        sqlite3_bind_int64(erase_, 1, n);
        step(erase_);
        bind(finish_, n);
        sqlite3_bind_int64(finish_, 5, n);
        sqlite3_bind_int64(finish_, 6, n);
        step(finish_);
    }
    void begin() { step(begin_); }
    void commit() { step(commit_); }

  private:
    void run(const std::string& sql) {
        check(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK, db_);
    }
    sqlite3_stmt* prepare(const char* sql) {
        sqlite3_stmt* s = nullptr;
        check(sqlite3_prepare_v2(db_, sql, -1, &s, nullptr) == SQLITE_OK, db_);
        return s;
    }
    void bind(sqlite3_stmt* s, std::int64_t n) {
        for (std::size_t i = 0; i < sizeof id_; ++i)
            id_[i] = static_cast<unsigned char>(n >> (8 * (i % 8)));
        sqlite3_bind_int64(s, 1, n);
        sqlite3_bind_blob(s, 2, id_, sizeof id_, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, 1'700'000'000'000'000'000 + n);
        sqlite3_bind_text(s, 4, payload.data(), static_cast<int>(payload.size()), SQLITE_STATIC);
    }
    void step(sqlite3_stmt* s) {
        check(sqlite3_step(s) == SQLITE_DONE, db_);
        sqlite3_reset(s);
    }

    sqlite3* db_ = nullptr;
    sqlite3_stmt* insert_ = nullptr;
    sqlite3_stmt* finish_ = nullptr;
    sqlite3_stmt* erase_ = nullptr;
    sqlite3_stmt* begin_ = nullptr;
    sqlite3_stmt* commit_ = nullptr;
    unsigned char id_[16] = {};
};

template <typename Body>
double per_second(const std::string& path, int jobs, Body body) {
    raw_database db(path);
    double seconds = 0;
    std::thread([&] {
        const auto start = std::chrono::steady_clock::now();
        body(db);
        seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }).join();
    return jobs / seconds;
}

} // namespace

double raw_inserts(const std::string& path, int jobs, int in_group) {
    return per_second(path, jobs, [&](raw_database& db) {
        for (int n = 0; n < jobs; n += in_group) {
            db.begin();
            for (int i = n; i < n + in_group; ++i)
                db.insert(i);
            db.commit();
        }
    });
}

double raw_lives(const std::string& path, int jobs, int in_group) {
    return per_second(path, jobs, [&](raw_database& db) {
        for (int n = 0; n < jobs; n += in_group) {
            db.begin();
            for (int i = n; i < n + in_group; ++i)
                db.insert(i);
            db.commit();
            db.begin();
            for (int i = n; i < n + in_group; ++i)
                db.finish(i);
            db.commit();
        }
    });
}

} // namespace bench
