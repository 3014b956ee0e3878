#pragma once

namespace lifeguard::test {

/// SQLite's file system with failures on demand; the default one of this program. Failures are
/// result codes of SQLite. They go away with the object.
class disk_failure {
  public:
    enum class of { write, sync };
    /// The next `count` calls fail; a negative count means all.
    disk_failure(of what, int result, int count = -1);
    ~disk_failure();
    disk_failure(const disk_failure&) = delete;
    disk_failure& operator=(const disk_failure&) = delete;
};

/// How often a file has been synced so far.
int syncs_so_far() noexcept;

/// While it lives, files can only be opened for reading.
class read_only_disk {
  public:
    read_only_disk();
    ~read_only_disk();
    read_only_disk(const read_only_disk&) = delete;
    read_only_disk& operator=(const read_only_disk&) = delete;
};

} // namespace lifeguard::test
