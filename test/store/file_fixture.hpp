#pragma once

#include "conformance/queue_fixture.hpp"
#include "store/database_file.hpp"

#include <sqlite3.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace lifeguard::test {

inline store_under_test in_file(const sqlite_store_options& options) {
    return {"sqlite", [options] { return sqlite_store(options); }};
}

/// Another program that opens the file, such as the sqlite3 shell.
class shell {
  public:
    explicit shell(const std::string& path) {
        sqlite3* opened = nullptr;
        const int result = sqlite3_open(path.c_str(), &opened);
        db_.reset(opened, sqlite3_close);
        BOOST_TEST_REQUIRE(result == SQLITE_OK);
    }
    void run(const std::string& sql) {
        char* said = nullptr;
        const int result = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, &said);
        BOOST_TEST_REQUIRE(result == SQLITE_OK, sql << ": " << (said == nullptr ? "" : said));
    }
    /// The first column of the first row.
    std::string ask(const std::string& sql) {
        sqlite3_stmt* s = nullptr;
        BOOST_TEST_REQUIRE(sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &s, nullptr) ==
                           SQLITE_OK);
        const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> keep(s, sqlite3_finalize);
        if (sqlite3_step(s) != SQLITE_ROW)
            return "nothing";
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(s, 0));
        return text == nullptr ? "null" : text;
    }

  private:
    std::shared_ptr<sqlite3> db_;
};

inline std::string content_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// The files of a store as they are this moment, which is what kill -9 would leave: a copy, whose
/// options are the answer.
inline sqlite_store_options killed_now(const sqlite_store_options& options) {
    sqlite_store_options copy = options;
    copy.path = new_database_file();
    for (const char* part : {"", "-wal", "-ledger"})
        if (std::filesystem::exists(options.path + part))
            std::filesystem::copy_file(options.path + part, copy.path + part);
    return copy;
}

} // namespace lifeguard::test
