#pragma once

#include <random>
#include <string>

namespace lifeguard::test {

/// What a power cut leaves of a store's ledger: that is written to memory which the kernel writes
/// to the disk whenever it likes, page by page, unless the store is closed in good order.
class ledger_after_cut {
  public:
    /// Of the database at `path`; what its ledger holds now is on the disk.
    explicit ledger_after_cut(std::string path);

    /// The power goes.
    void cut(std::mt19937& random);
    /// Likewise, and nothing has been written since it was synced.
    void cut_unwritten() { left_ = on_disk_; }
    /// Writes what is left beside the database at `to`, for a machine that has been started again.
    void restore(const std::string& to) const;

  private:
    std::string now() const;

    const std::string path_;
    std::string on_disk_;
    std::string left_;
    bool there_ = true;
};

} // namespace lifeguard::test
