#pragma once

#include "crash/history.hpp"
#include "crash/ledger_after_cut.hpp"
#include "crash/power_disk.hpp"
#include "crash/power_load.hpp"
#include "store/file_fixture.hpp"

#include <random>
#include <string>
#include <vector>

namespace lifeguard::test {

/// One database that lives through many power cuts.
class power_chain {
  public:
    power_chain(unsigned seed, durability durable);
    ~power_chain();

    struct figures {
        std::size_t cuts = 0;
        std::size_t cuts_opening = 0; ///< while it was being opened
        std::size_t cuts_closed = 0;  ///< after it had been closed
        std::size_t answers = 0;
        std::size_t completed = 0;
        std::size_t kept = 0;
        std::size_t lost = 0;
        std::size_t recovered = 0;
        std::size_t calls = 0; ///< that changed a file
        std::size_t checkpoints = 0;

        void add(const figures& more);
    };

    /// Opens what the last cut has left, checks it, works with it, and cuts the power at any call
    /// that changes a file. Returns what is wrong, in words.
    std::vector<std::string> cycle();

    const figures& so_far() const noexcept { return figures_; }
    /// The file is so large by now that a new one is cheaper.
    bool is_worn() const noexcept { return worn_; }

  private:
    void work(const store_under_test& file, const power_disk& disk,
              std::vector<std::string>& faults);
    void remove_files() const;

    std::mt19937 random_;
    const durability durable_;
    test_context ctx_;
    history past_;
    figures figures_;
    std::string path_; ///< of the database that the last cut has left
    std::size_t calls_usual_ = 250;
    bool worn_ = false;
};

} // namespace lifeguard::test
