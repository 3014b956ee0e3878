#include "store/sqlite/ledger.hpp"

#include <lifeguard/error.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>

namespace lifeguard::detail {

namespace {

constexpr std::uint64_t magic = 0x316c'6472'6775'666c; // "lfugrdl1"
constexpr std::size_t header_size = 4096;              // a page, so that chunks begin on one
constexpr std::size_t chunk_size = std::size_t{128} * 1024;
constexpr std::size_t boot_id_size = 36;

errc errc_of_errno(int e) noexcept {
    switch (e) {
    case EROFS:
    case EACCES:
    case EPERM:
        return errc::store_read_only;
    case ENOSPC:
    case EDQUOT:
        return errc::store_full;
    default:
        return errc::store_failed;
    }
}

[[noreturn]] void fail(const std::string& path, const char* what) {
    const int e = errno;
    throw error(errc_of_errno(e), "file '" + path + "': " + what + ": " + std::strerror(e));
}

/// Which run of the kernel this is: what was only in its page cache is gone in another one. Empty
/// where the kernel does not say.
std::string boot_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    std::getline(file, id);
    id.resize(boot_id_size);
    return id;
}

} // namespace

// The layout of the file. Written by this machine for this machine.

struct ledger::header {
    std::uint64_t magic_number;
    std::uint64_t epoch;
    std::uint64_t owner; ///< process id
    id_bytes store;
    std::array<char, boot_id_size> boot;
    std::uint32_t clean;
};

struct ledger::slot {
    std::uint64_t high;
    std::uint64_t low;
    std::uint32_t attempt;
    std::uint32_t delivery;
    std::atomic<std::uint32_t> used; ///< written last when it is set, first when it is cleared
    std::uint32_t reserved;
};

namespace {
constexpr std::size_t slot_size = 32;
constexpr std::size_t slots_per_chunk = chunk_size / slot_size;
} // namespace

ledger::file::file(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0)
        fail(path, "cannot be opened");
}

ledger::file::~file() { ::close(descriptor_); }

ledger::mapping::mapping(int file, std::size_t offset, std::size_t size)
    : data_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file,
                   static_cast<off_t>(offset))),
      size_(size) {
    if (data_ == MAP_FAILED)
        throw std::bad_alloc();
}

ledger::mapping::~mapping() {
    if (data_ != nullptr)
        ::munmap(data_, size_);
}

void ledger::mapping::sync() const noexcept { ::msync(data_, size_, MS_SYNC); }

ledger::ledger(const std::string& database) : path_(database + "-ledger"), file_(path_) {
    static_assert(sizeof(header) <= header_size && sizeof(slot) == slot_size &&
                  std::atomic<std::uint32_t>::is_always_lock_free);
    lock(database);
    struct stat status{};
    if (::fstat(file_.descriptor(), &status) != 0)
        fail(path_, "cannot be read");
    const auto size = static_cast<std::size_t>(status.st_size);
    // Its owner may have ended while it made the file longer: what is not whole does not count.
    const std::size_t whole = size < header_size ? 0 : (size - header_size) / chunk_size;
    allocate(std::max<std::size_t>(whole, 1));
    header_.emplace(file_.descriptor(), 0, header_size);
    if (head().magic_number != magic && head().magic_number != 0)
        throw error(errc::store_corrupt, "file '" + path_ + "' is not a ledger");
    head().owner = static_cast<std::uint64_t>(::getpid());
    head().magic_number = magic;
    while (chunks_.size() < std::max<std::size_t>(whole, 1))
        map_chunk();
}

void ledger::lock(const std::string& database) const {
    // Of the open file, not of the process: so it also keeps out a second store of this one.
    if (::flock(file_.descriptor(), LOCK_EX | LOCK_NB) == 0)
        return;
    if (errno != EWOULDBLOCK)
        fail(path_, "cannot be locked");
    header theirs{};
    const bool known = ::pread(file_.descriptor(), &theirs, sizeof theirs, 0) == sizeof theirs &&
                       theirs.magic_number == magic;
    throw error(errc::store_owned,
                "file '" + database + "' belongs to " +
                    (known ? "process " + std::to_string(theirs.owner) : "another process"));
}

/// Blocks for so many chunks: who writes to a page for which a full disk has none is killed.
void ledger::allocate(std::size_t chunks) const {
    const auto size = static_cast<off_t>(header_size + chunks * chunk_size);
    if (const int e = ::posix_fallocate(file_.descriptor(), 0, size); e != 0) {
        errno = e;
        fail(path_, "cannot be enlarged");
    }
}

void ledger::map_chunk() {
    chunks_.reserve(chunks_.size() + 1);
    const slot_number first = slots();
    free_.reserve(first + slots_per_chunk);
    chunks_.emplace_back(file_.descriptor(), header_size + chunks_.size() * chunk_size, chunk_size);
    for (slot_number n = slots(); n > first; --n)
        free_.push_back(n);
}

ledger::slot_number ledger::slots() const noexcept {
    return static_cast<slot_number>(chunks_.size() * slots_per_chunk);
}

ledger::slot& ledger::at(slot_number n) const noexcept {
    auto* const chunk = static_cast<slot*>(chunks_[(n - 1) / slots_per_chunk].data());
    return chunk[(n - 1) % slots_per_chunk];
}

ledger::remains ledger::read() const {
    remains left;
    left.epoch = head().epoch;
    left.store = head().store;
    left.clean = head().clean != 0;
    const std::string boot = boot_id();
    left.this_boot = std::memcmp(head().boot.data(), boot.data(), boot_id_size) == 0;
    for (slot_number n = 1; n <= slots(); ++n) {
        const slot& s = at(n);
        if (s.used.load(std::memory_order_acquire) != 0)
            left.marks.push_back({job_id(s.high, s.low), s.attempt, s.delivery});
    }
    return left;
}

void ledger::begin(std::uint64_t epoch, const id_bytes& store) {
    free_.clear();
    for (slot_number n = slots(); n > 0; --n) {
        at(n).used.store(0, std::memory_order_release);
        free_.push_back(n);
    }
    header& h = head();
    h.clean = 0;
    h.epoch = epoch;
    h.store = store;
    const std::string boot = boot_id();
    std::memcpy(h.boot.data(), boot.data(), boot_id_size);
}

ledger::slot_number ledger::add(const mark& m) noexcept {
    if (free_.empty()) {
        try {
            allocate(chunks_.size() + 1);
            map_chunk();
        } catch (const std::exception&) {
            return no_slot; // the attempt goes unmarked; the caller counts that
        }
    }
    const slot_number n = free_.back();
    free_.pop_back();
    slot& s = at(n);
    s.high = m.job.high();
    s.low = m.job.low();
    s.attempt = m.attempt;
    s.delivery = m.delivery;
    s.used.store(1, std::memory_order_release); // a kill comes between two instructions, not within
    return n;
}

void ledger::remove(slot_number n) noexcept {
    at(n).used.store(0, std::memory_order_release);
    free_.push_back(n); // there is room: it held this number before
}

void ledger::close_clean() noexcept {
    for (const mapping& chunk : chunks_)
        chunk.sync();
    head().clean = 1; // not before the marks are on the disk: it says that they are to be believed
    header_->sync();
}

} // namespace lifeguard::detail
