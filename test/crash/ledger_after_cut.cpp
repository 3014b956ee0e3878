#include "crash/ledger_after_cut.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

namespace lifeguard::test {
namespace {

constexpr std::size_t page = 4096;

std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Whether the ledger says that its owner has closed it; the last field of its header.
bool is_closed(const std::string& ledger) {
    constexpr std::size_t at = 8 + 8 + 8 + 16 + 36;
    return ledger.size() > at && ledger[at] != 0;
}

} // namespace

ledger_after_cut::ledger_after_cut(std::string path) : path_(std::move(path)), on_disk_(now()) {}

std::string ledger_after_cut::now() const { return read(path_ + "-ledger"); }

void ledger_after_cut::cut(std::mt19937& random) {
    const std::string current = now();
    if (is_closed(current))
        on_disk_ = current; // it was synced at once, before anything else was written
    const auto dice = random() % 10;
    there_ = dice != 0;
    if (dice == 1) {
        left_.clear(); // the name is there, and nothing of what it stands for
    } else if (dice == 2) {
        left_ = on_disk_;
    } else if (dice == 3) {
        left_ = current;
    } else {
        left_ = current;
        for (std::size_t at = 0; at < left_.size(); at += page)
            if (random() % 2 == 0) {
                const std::size_t size = std::min(page, left_.size() - at);
                std::string old = at < on_disk_.size() ? on_disk_.substr(at, size) : std::string();
                old.resize(size, '\0');
                left_.replace(at, size, old);
            }
    }
}

void ledger_after_cut::restore(const std::string& to) const {
    if (!there_)
        return;
    // The next run of the kernel has another name.
    std::string boot = read("/proc/sys/kernel/random/boot_id").substr(0, 36);
    std::string bytes = left_;
    if (const auto at = boot.empty() ? std::string::npos : bytes.find(boot);
        at != std::string::npos)
        bytes.replace(at, boot.size(), std::string(boot.size(), 'f'));
    std::ofstream(to + "-ledger", std::ios::binary) << bytes;
}

} // namespace lifeguard::test
