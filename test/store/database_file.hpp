#pragma once

#include <lifeguard/sqlite_store.hpp>

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <system_error>

namespace lifeguard::test {

/// A folder for the databases of this run, gone at its end.
class database_folder {
  public:
    database_folder()
        : path_(std::filesystem::temp_directory_path() /
                ("lifeguard-test-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(path_);
    }
    ~database_folder() {
        std::error_code ignored; // a folder left over harms nobody
        std::filesystem::remove_all(path_, ignored);
    }
    database_folder(const database_folder&) = delete;
    database_folder& operator=(const database_folder&) = delete;

    /// The path of a file that nobody has used.
    std::string new_file() { return (path_ / (std::to_string(++files_) + ".db")).string(); }

  private:
    const std::filesystem::path path_;
    std::atomic<int> files_ = 0;
};

inline std::string new_database_file() {
    static database_folder folder;
    return folder.new_file();
}

/// Options of a store in a new file.
inline sqlite_store_options new_database() {
    sqlite_store_options options;
    options.path = new_database_file();
    return options;
}

/// The same without waiting for the disk, for tests that have a thousand pushes and no power cut.
inline sqlite_store_options unsynced_database() {
    sqlite_store_options options = new_database();
    options.durable = durability::process_crash;
    return options;
}

} // namespace lifeguard::test
