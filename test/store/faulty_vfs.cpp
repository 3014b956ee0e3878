#include "store/faulty_vfs.hpp"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <new>

namespace lifeguard::test {
namespace {

struct failing {
    std::atomic<int> result = SQLITE_OK;
    std::atomic<int> count = 0;
    std::atomic<bool> always = false;

    /// What this call answers.
    int next() {
        if (result == SQLITE_OK)
            return SQLITE_OK;
        if (always)
            return result;
        return count.fetch_sub(1) > 0 ? result.load() : SQLITE_OK;
    }
};

failing writes;
failing syncs;
std::atomic<int> synced = 0;
std::atomic<bool> only_reading = false;

sqlite3_vfs* real() {
    static sqlite3_vfs* const found = sqlite3_vfs_find("unix");
    return found;
}

/// An open file: ours first, then the real one's memory.
struct file {
    sqlite3_file base;
    sqlite3_file* real;
};

sqlite3_file* inner(sqlite3_file* f) { return reinterpret_cast<file*>(f)->real; }

int close_file(sqlite3_file* f) { return inner(f)->pMethods->xClose(inner(f)); }
int read_file(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
    return inner(f)->pMethods->xRead(inner(f), to, n, at);
}
int write_file(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
    if (const int result = writes.next(); result != SQLITE_OK)
        return result;
    return inner(f)->pMethods->xWrite(inner(f), from, n, at);
}
int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
    return inner(f)->pMethods->xTruncate(inner(f), size);
}
int sync_file(sqlite3_file* f, int flags) {
    if (const int result = syncs.next(); result != SQLITE_OK)
        return result;
    ++synced;
    return inner(f)->pMethods->xSync(inner(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
    return inner(f)->pMethods->xFileSize(inner(f), size);
}
int lock_file(sqlite3_file* f, int how) { return inner(f)->pMethods->xLock(inner(f), how); }
int unlock_file(sqlite3_file* f, int how) { return inner(f)->pMethods->xUnlock(inner(f), how); }
int check_lock(sqlite3_file* f, int* out) {
    return inner(f)->pMethods->xCheckReservedLock(inner(f), out);
}
int control(sqlite3_file* f, int op, void* arg) {
    return inner(f)->pMethods->xFileControl(inner(f), op, arg);
}
int sector(sqlite3_file* f) { return inner(f)->pMethods->xSectorSize(inner(f)); }
int characteristics(sqlite3_file* f) {
    return inner(f)->pMethods->xDeviceCharacteristics(inner(f));
}
int map_shared(sqlite3_file* f, int region, int size, int extend, void volatile** out) {
    return inner(f)->pMethods->xShmMap(inner(f), region, size, extend, out);
}
int lock_shared(sqlite3_file* f, int at, int n, int flags) {
    return inner(f)->pMethods->xShmLock(inner(f), at, n, flags);
}
void barrier(sqlite3_file* f) { inner(f)->pMethods->xShmBarrier(inner(f)); }
int unmap_shared(sqlite3_file* f, int remove) {
    return inner(f)->pMethods->xShmUnmap(inner(f), remove);
}

const sqlite3_io_methods methods{
    2,           close_file,  read_file,    write_file, truncate_file, sync_file,       file_size,
    lock_file,   unlock_file, check_lock,   control,    sector,        characteristics, map_shared,
    lock_shared, barrier,     unmap_shared, nullptr,    nullptr};

int open_file(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* f, int flags, int* out) {
    auto* const made = reinterpret_cast<file*>(f);
    made->base.pMethods = nullptr;
    made->real = reinterpret_cast<sqlite3_file*>(made + 1);
    if (only_reading && (flags & SQLITE_OPEN_MAIN_DB) != 0)
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    const int result = real()->xOpen(real(), name, made->real, flags, out);
    if (made->real->pMethods != nullptr)
        made->base.pMethods = &methods;
    return result;
}

/// Before any test opens a file.
const bool registered = [] {
    static sqlite3_vfs faulty = *real();
    faulty.zName = "faulty";
    faulty.szOsFile = static_cast<int>(sizeof(file)) + real()->szOsFile;
    faulty.xOpen = open_file;
    return sqlite3_vfs_register(&faulty, 1) == SQLITE_OK;
}();

} // namespace

disk_failure::disk_failure(of what, int result, int count) {
    failing& f = what == of::write ? writes : syncs;
    f.count = count;
    f.always = count < 0;
    f.result = result;
}

disk_failure::~disk_failure() { writes.result = syncs.result = SQLITE_OK; }

int syncs_so_far() noexcept { return synced; }

read_only_disk::read_only_disk() { only_reading = registered; }

read_only_disk::~read_only_disk() { only_reading = false; }

} // namespace lifeguard::test
