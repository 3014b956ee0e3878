#pragma once

#include "crash/disk_file.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>

namespace lifeguard::test {

/// A disk on which SQLite writes while it lives, and whose power can be cut. What SQLite writes can
/// be read back at once; that it will be found after a cut is true of what has been synced only.
/// Nothing is synced for real, so it is fast.
///
/// It is SQLite's default file system of this program; one lives at a time. Thread-safe, but for
/// the construction and the end.
class power_disk {
  public:
    /// One call of SQLite that changes a file.
    struct call {
        enum class kind { write, sync, truncate, remove };
        kind what;
        std::string_view path;
        bool folder = false; ///< the folder is synced too, and with it what is named there
        std::int64_t at = 0;
        std::string_view bytes;
    };

    power_disk();
    ~power_disk();
    power_disk(const power_disk&) = delete;
    power_disk& operator=(const power_disk&) = delete;

    /// How many calls have changed a file, or tried to.
    std::uint64_t calls() const;

    /// The power goes instead of the n-th call from now, 1 being the next: nothing is written or
    /// synced from then on, and `image` may be asked what is left. How much that is, is drawn from
    /// `random`, which nobody else uses from now on.
    void cut_at(std::uint64_t n, tear how, std::mt19937& random);
    /// Likewise, at once.
    void cut(tear how, std::mt19937& random);
    bool is_cut() const;

    /// Called at the moment of the cut, maybe on another thread: what SQLite does not write is lost
    /// or torn as well.
    void when_cut(std::function<void()> f);

    /// After a cut: writes what is left of the database at `from`, and of its log and journal, to
    /// the same names at `to`.
    void restore(const std::string& from, const std::string& to) const;

    /// The n-th call of this kind from now answers `result` of SQLite, and so do the `count` - 1
    /// after it. Of the writes those count that make a file longer. What a sync that fails should
    /// have synced is lost to a power cut, unless it is written again.
    void fail(call::kind what, std::uint64_t n, int result, std::uint64_t count = 1);
    /// Writes that would make the files longer than this together answer SQLITE_FULL.
    void limit_size(std::uint64_t bytes);
    /// What the files take together.
    std::uint64_t size() const;

    /// Is told of every call that succeeds, in their order, on the thread that makes it.
    void watch(std::function<void(const call&)> f);

    struct state;

  private:
    std::shared_ptr<state> state_;
};

} // namespace lifeguard::test
