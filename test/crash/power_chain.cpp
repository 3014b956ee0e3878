#include "crash/power_chain.hpp"

#include <array>
#include <filesystem>
#include <system_error>

namespace lifeguard::test {

using namespace std::chrono_literals;

namespace {

/// Somebody else's connection, which moves the log into the file as the shell may do.
void checkpoint(const std::string& path, bool restart) {
    sqlite3* opened = nullptr;
    if (sqlite3_open(path.c_str(), &opened) == SQLITE_OK) {
        const char* sql =
            restart ? "PRAGMA wal_checkpoint(RESTART)" : "PRAGMA wal_checkpoint(PASSIVE)";
        sqlite3_exec(opened, sql, nullptr, nullptr, nullptr); // fails after a cut
    }
    sqlite3_close(opened);
}

} // namespace

void power_chain::figures::add(const figures& more) {
    cuts += more.cuts;
    cuts_opening += more.cuts_opening;
    cuts_closed += more.cuts_closed;
    answers += more.answers;
    completed += more.completed;
    kept += more.kept;
    lost += more.lost;
    recovered += more.recovered;
    calls += more.calls;
    checkpoints += more.checkpoints;
}

power_chain::power_chain(unsigned seed, durability durable)
    : random_(seed), durable_(durable), path_(new_database_file()) {}

power_chain::~power_chain() { remove_files(); }

void power_chain::remove_files() const {
    std::error_code ignored; // they go with their folder, at the latest
    for (const char* part : {"", "-wal", "-shm", "-journal", "-ledger"})
        std::filesystem::remove(path_ + part, ignored);
}

std::vector<std::string> power_chain::cycle() {
    std::vector<std::string> faults;
    std::mt19937 cutting(random_());
    constexpr std::array ways{tear::none, tear::all, tear::prefix, tear::sectors, tear::sectors};
    const tear how = ways.at(random_() % ways.size());
    std::string next = new_database_file();
    ledger_after_cut ledger(path_);
    power_disk disk;
    disk.when_cut([&] { ledger.cut(cutting); });
    const bool early = random_() % 8 == 0; // while it is being opened
    disk.cut_at(1 + random_() % (early ? 40 : calls_usual_ + calls_usual_ / 4), how, cutting);

    sqlite_store_options file;
    file.path = path_;
    file.durable = durable_;
    file.check = store_check::full;
    file.busy_wait = duration::zero();
    bool opened = false;
    try {
        const store_under_test kept{"sqlite", [&] {
                                        store made = sqlite_store(file);
                                        opened = true;
                                        return made;
                                    }};
        work(kept, disk, faults);
    } catch (const error& e) {
        if (!disk.is_cut())
            faults.push_back((opened ? "reading: " : "opening: ") + std::string(e.what()));
        ++figures_.cuts_opening;
    }
    calls_usual_ += 5; // until it is more than there are
    if (!disk.is_cut()) {
        ++figures_.cuts_closed;
        calls_usual_ = disk.calls();
        disk.cut(how, cutting);
    }
    ++figures_.cuts;
    figures_.calls += disk.calls();
    disk.restore(path_, next);
    ledger.restore(next);
    remove_files();
    path_ = std::move(next);
    return faults;
}

void power_chain::work(const store_under_test& file, const power_disk& disk,
                       std::vector<std::string>& faults) {
    queue_fixture q(ctx_, file);
    const auto found = past_.check(q.queue, durable_ == durability::process_crash);
    figures_.kept += found.kept;
    figures_.lost += found.lost;
    figures_.recovered += found.recovered;
    faults = found.faults;

    power_load::options how;
    how.tokens_are_new = durable_ == durability::power_loss;
    const bool big = random_() % 60 == 0; // then the log gets so long that the store begins it anew
    how.payload_max = big ? 300'000 : 2000;
    worn_ = worn_ || big;
    power_load load(q.queue, past_, random_, how, [&disk] {
        return disk.is_cut() ? power_load::disk::cut : power_load::disk::sound;
    });
    ctx_.await(load.try_old_tokens(5));
    for (int round = 0; round < 2 && !disk.is_cut(); ++round) {
        std::vector<test_future<void>> clients;
        for (int i = 0; i < 5; ++i)
            clients.push_back(ctx_.spawn(load.client(5)));
        ctx_.settle();
        for (auto& c : clients)
            c.get();
        if (random_() % 3 == 0) {
            checkpoint(path_, random_() % 2 == 0);
            ++figures_.checkpoints;
        }
        ctx_.advance(1s);
    }
    figures_.answers += load.answers();
    figures_.completed += load.completed();
    faults.insert(faults.end(), load.faults().begin(), load.faults().end());
}

} // namespace lifeguard::test
