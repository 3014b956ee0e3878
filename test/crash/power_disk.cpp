#include "crash/power_disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace lifeguard::test {

struct power_disk::state {
    struct stored {
        disk_file file;
        std::uint64_t size = 0;
    };
    struct failure {
        call::kind what = call::kind::write;
        std::uint64_t after = 0;
        std::uint64_t count = 0;
        int result = SQLITE_OK;
    };

    mutable std::mutex mutex;
    std::map<std::string, stored, std::less<>> files;
    std::uint64_t calls = 0;

    std::optional<std::uint64_t> cut_at;
    tear how = tear::none;
    std::mt19937* random = nullptr;
    std::function<void()> told;
    bool off = false;
    std::map<std::string, std::optional<std::string>, std::less<>> left;

    failure failing;
    std::uint64_t size_max = std::numeric_limits<std::uint64_t>::max();
    std::function<void(const call&)> watcher;

    std::uint64_t size() const {
        std::uint64_t sum = 0;
        for (const auto& [path, f] : files)
            sum += f.size;
        return sum;
    }

    void cut() {
        off = true;
        for (const auto& [path, f] : files)
            left[path] = f.file.after_cut(how, *random);
        if (told)
            told();
    }

    /// What SQLite is told of this call; when that is SQLITE_OK, it has been noted.
    int next(const call& c) {
        const std::lock_guard lock(mutex);
        ++calls;
        if (!off && cut_at == calls)
            cut();
        if (off)
            return SQLITE_IOERR;
        stored& f = files.find(c.path)->second;
        const std::uint64_t end =
            c.what == call::kind::write ? static_cast<std::uint64_t>(c.at) + c.bytes.size() : 0;
        const bool grows = end > f.size;
        if (failing.count != 0 && failing.what == c.what &&
            (c.what != call::kind::write || grows)) {
            if (failing.after > 1) {
                --failing.after;
            } else {
                --failing.count;
                if (c.what == call::kind::sync)
                    f.file.fail_sync();
                return failing.result;
            }
        }
        if (grows && size() + (end - f.size) > size_max)
            return SQLITE_FULL;
        note(c, f, end);
        if (watcher)
            watcher(c);
        return SQLITE_OK;
    }

    void note(const call& c, stored& f, std::uint64_t end) {
        switch (c.what) {
        case call::kind::write:
            f.file.write(c.at, c.bytes);
            f.size = std::max(f.size, end);
            break;
        case call::kind::sync:
            f.file.sync();
            break;
        case call::kind::truncate:
            f.file.truncate(c.at);
            f.size = static_cast<std::uint64_t>(c.at);
            break;
        case call::kind::remove:
            f.file.remove();
            f.size = 0;
            break;
        }
        if (c.folder)
            for (auto& [path, any] : files)
                any.file.sync_name();
    }

    /// A file is opened: what is there by now was there before the first power cut.
    void opened(const std::string& path, const std::optional<std::string>& content) {
        const std::lock_guard lock(mutex);
        const auto found = files.find(path);
        if (found == files.end())
            files.emplace(path, stored{disk_file(content), content ? content->size() : 0});
        else if (!content)
            found->second.file.make_again();
    }
};

namespace {

/// The one that lives. SQLite's threads come and go within its life.
std::shared_ptr<power_disk::state> current;

using call = power_disk::call;

sqlite3_vfs* real() {
    static sqlite3_vfs* const found = sqlite3_vfs_find("unix");
    return found;
}

/// An open file: ours first, then the real one's memory.
struct file {
    sqlite3_file base;
    sqlite3_file* real;
    const char* path; ///< owned by SQLite, which keeps it as long as the file is open
    bool new_log;     ///< a log or journal that has not been synced since it was opened
};

file& of(sqlite3_file* f) { return *reinterpret_cast<file*>(f); }
sqlite3_file* inner(sqlite3_file* f) { return of(f).real; }

int close_file(sqlite3_file* f) { return inner(f)->pMethods->xClose(inner(f)); }
int read_file(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
    return inner(f)->pMethods->xRead(inner(f), to, n, at);
}
int write_file(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
    const std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(n));
    if (const int result = current->next({call::kind::write, of(f).path, false, at, bytes}))
        return result;
    return inner(f)->pMethods->xWrite(inner(f), from, n, at);
}
int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
    if (const int result = current->next({call::kind::truncate, of(f).path, false, size, {}}))
        return result;
    return inner(f)->pMethods->xTruncate(inner(f), size);
}
/// As the real one does, the first sync of a log or journal also syncs the folder.
int sync_file(sqlite3_file* f, int) {
    const int result = current->next({call::kind::sync, of(f).path, of(f).new_log, 0, {}});
    of(f).new_log = of(f).new_log && result != SQLITE_OK;
    return result;
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
    if (op == SQLITE_FCNTL_SIZE_HINT)
        return SQLITE_OK; // or the file would grow behind our back
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

// Version 2: no memory-mapped files, which would be written without us.
const sqlite3_io_methods methods{
    2,           close_file,  read_file,    write_file, truncate_file, sync_file,       file_size,
    lock_file,   unlock_file, check_lock,   control,    sector,        characteristics, map_shared,
    lock_shared, barrier,     unmap_shared, nullptr,    nullptr};

std::optional<std::string> content_of(const char* path) {
    std::ifstream in(path, std::ios::binary);
    if (!in)
        return std::nullopt;
    return std::string{std::istreambuf_iterator<char>(in), {}};
}

/// Databases, logs and journals are on our disk; SQLite's temporary files are not.
int open_file(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* f, int flags, int* out) {
    const int ours = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
    if (!current || (flags & ours) == 0 || name == nullptr)
        return real()->xOpen(real(), name, f, flags, out);
    auto* const made = reinterpret_cast<file*>(f);
    made->base.pMethods = nullptr;
    made->real = reinterpret_cast<sqlite3_file*>(made + 1);
    made->path = name;
    made->new_log = (flags & SQLITE_OPEN_MAIN_DB) == 0;
    const auto before = content_of(name);
    const int result = real()->xOpen(real(), name, made->real, flags, out);
    if (made->real->pMethods != nullptr)
        made->base.pMethods = &methods;
    if (result == SQLITE_OK)
        current->opened(name, before);
    return result;
}

int delete_file(sqlite3_vfs*, const char* name, int sync_folder) {
    const bool ours = current && [&] {
        const std::lock_guard lock(current->mutex);
        return current->files.contains(name);
    }();
    if (ours)
        if (const int result = current->next({call::kind::remove, name, sync_folder != 0, 0, {}}))
            return result;
    return real()->xDelete(real(), name, 0);
}

[[maybe_unused]] const bool registered = [] {
    static sqlite3_vfs cut_off = *real();
    cut_off.zName = "power_disk";
    cut_off.szOsFile = static_cast<int>(sizeof(file)) + real()->szOsFile;
    cut_off.xOpen = open_file;
    cut_off.xDelete = delete_file;
    return sqlite3_vfs_register(&cut_off, 1) == SQLITE_OK;
}();

} // namespace

power_disk::power_disk() : state_(std::make_shared<state>()) { current = state_; }

power_disk::~power_disk() { current = nullptr; }

std::uint64_t power_disk::calls() const {
    const std::lock_guard lock(state_->mutex);
    return state_->calls;
}

void power_disk::cut_at(std::uint64_t n, tear how, std::mt19937& random) {
    const std::lock_guard lock(state_->mutex);
    state_->cut_at = state_->calls + n;
    state_->how = how;
    state_->random = &random;
}

void power_disk::cut(tear how, std::mt19937& random) {
    const std::lock_guard lock(state_->mutex);
    if (state_->off)
        return;
    state_->how = how;
    state_->random = &random;
    state_->cut();
}

bool power_disk::is_cut() const {
    const std::lock_guard lock(state_->mutex);
    return state_->off;
}

void power_disk::when_cut(std::function<void()> f) {
    const std::lock_guard lock(state_->mutex);
    state_->told = std::move(f);
}

void power_disk::restore(const std::string& from, const std::string& to) const {
    const std::lock_guard lock(state_->mutex);
    for (const char* part : {"", "-wal", "-journal"}) {
        const auto found = state_->left.find(from + part);
        if (found != state_->left.end() && found->second)
            std::ofstream(to + part, std::ios::binary) << *found->second;
    }
}

void power_disk::fail(call::kind what, std::uint64_t n, int result, std::uint64_t count) {
    const std::lock_guard lock(state_->mutex);
    state_->failing = {what, n, count, result};
}

void power_disk::limit_size(std::uint64_t bytes) {
    const std::lock_guard lock(state_->mutex);
    state_->size_max = bytes;
}

std::uint64_t power_disk::size() const {
    const std::lock_guard lock(state_->mutex);
    return state_->size();
}

void power_disk::watch(std::function<void(const call&)> f) {
    const std::lock_guard lock(state_->mutex);
    state_->watcher = std::move(f);
}

} // namespace lifeguard::test
