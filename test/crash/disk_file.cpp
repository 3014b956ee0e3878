#include "crash/disk_file.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lifeguard::test {
namespace {

constexpr std::size_t sector = 512; // a disk writes at least so much at once, or nothing of it

bool chance(double p, std::mt19937& random) { return std::bernoulli_distribution(p)(random); }

void place(std::string_view bytes, std::size_t at, std::string& to) {
    if (to.size() < at + bytes.size())
        to.resize(at + bytes.size(), '\0');
    std::ranges::copy(bytes, to.begin() + static_cast<std::ptrdiff_t>(at));
}

} // namespace

void disk_file::write(std::int64_t at, std::string_view bytes) {
    unsynced_.push_back({at, std::string(bytes), false});
}

void disk_file::truncate(std::int64_t size) { unsynced_.push_back({size, {}, true}); }

void disk_file::sync() {
    if (removed_)
        return;
    std::string whole = fresh_ ? std::string() : synced_.value();
    for (const change& c : std::exchange(unsynced_, {}))
        apply(c, whole);
    synced_ = std::move(whole);
    fresh_ = false;
}

void disk_file::remove() {
    unsynced_.clear(); // of a file without a name nobody will see what became
    removed_ = true;
}

void disk_file::sync_name() {
    if (removed_)
        synced_.reset();
    else if (fresh_)
        synced_.emplace();
    fresh_ = false;
}

std::optional<std::string> disk_file::after_cut(tear how, std::mt19937& random) const {
    if (removed_)
        return how == tear::all || chance(0.5, random) ? std::nullopt : synced_;
    // The name of a new file is written with its first sync, or whenever the disk likes.
    if (fresh_ && how != tear::all && chance(0.5, random))
        return synced_;
    std::string found = fresh_ ? std::string() : synced_.value();
    if (how == tear::none)
        return found;
    std::size_t until = unsynced_.size();
    if (how == tear::prefix)
        until = std::uniform_int_distribution<std::size_t>(0, until)(random);
    constexpr std::array odds{0.05, 0.5, 0.95};
    const double kept = odds.at(std::uniform_int_distribution<std::size_t>(0, 2)(random));
    for (std::size_t i = 0; i < until; ++i) {
        if (how == tear::sectors)
            apply_torn(unsynced_[i], found, kept, random);
        else
            apply(unsynced_[i], found);
    }
    return found;
}

void disk_file::apply(const change& c, std::string& to) {
    const auto at = static_cast<std::size_t>(c.at);
    if (c.cuts_off)
        to.resize(at, '\0');
    else
        place(c.bytes, at, to);
}

void disk_file::apply_torn(const change& c, std::string& to, double kept, std::mt19937& random) {
    if (c.cuts_off) {
        if (chance(kept, random))
            apply(c, to);
        return;
    }
    const auto begin = static_cast<std::size_t>(c.at);
    const std::size_t end = begin + c.bytes.size();
    for (std::size_t at = begin; at < end;) {
        const std::size_t next = std::min(end, (at / sector + 1) * sector);
        if (chance(kept, random)) {
            place(std::string_view(c.bytes).substr(at - begin, next - at), at, to);
        } else if (chance(0.02, random)) {
            std::string noise(next - at, '\0');
            for (char& byte : noise)
                byte = static_cast<char>(random());
            place(noise, at, to);
        }
        at = next;
    }
}

} // namespace lifeguard::test
