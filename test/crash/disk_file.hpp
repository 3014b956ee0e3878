#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::test {

/// What a power cut leaves of the writes that were not synced.
enum class tear {
    none,    ///< none of them: the disk had not begun
    all,     ///< all of them, as a kill of the process would
    prefix,  ///< those before some moment
    sectors, ///< any of their sectors, in any order; what was cut through may hold anything
};

/// A file as the disk has it, apart from what has been written and not been synced.
class disk_file {
  public:
    /// A file that is there; nothing: one that is being made.
    explicit disk_file(std::optional<std::string> synced = std::nullopt)
        : synced_(std::move(synced)), fresh_(!synced_) {}

    void write(std::int64_t at, std::string_view bytes);
    void truncate(std::int64_t size);
    void sync();
    /// A sync fails: the kernel takes for written what was not, and will not write it again.
    void fail_sync() { unsynced_.clear(); }
    /// Its name is gone, which a power cut may undo.
    void remove();
    /// The folder is synced: what names there are, and are not, outlives a cut.
    void sync_name();
    /// A new file takes the name of the one that was removed.
    void make_again() noexcept { removed_ = false, fresh_ = true; }

    /// What is found after a power cut; nothing: no file.
    std::optional<std::string> after_cut(tear how, std::mt19937& random) const;

  private:
    struct change {
        std::int64_t at;
        std::string bytes;
        bool cuts_off; ///< the file ends at `at`; otherwise `bytes` are written there
    };
    static void apply(const change& c, std::string& to);
    static void apply_torn(const change& c, std::string& to, double kept, std::mt19937& random);

    std::optional<std::string> synced_; ///< what the name surely stands for on the disk
    bool fresh_;                        ///< the file is a new one, whose name is not synced
    bool removed_ = false;              ///< there is no file; that may not be synced
    std::vector<change> unsynced_;
};

} // namespace lifeguard::test
