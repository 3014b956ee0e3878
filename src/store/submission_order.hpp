#pragma once

#include "queue/job_record.hpp"

#include <boost/intrusive/set.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <ranges>

namespace lifeguard::detail {

/// Jobs in the order in which they were submitted, by their `row`. Sixteen that followed each other
/// share a block, which goes with the last of them: so adding and removing cost a few nanoseconds
/// and about 12 bytes a job, and a job can be found by a number that is no longer there.
class submission_order {
  public:
    submission_order() = default;
    ~submission_order();
    submission_order(const submission_order&) = delete;
    submission_order& operator=(const submission_order&) = delete;

    /// Its number must be nobody else's. Nearly always it is the highest.
    void add(job_record& job);
    void remove(job_record& job) noexcept;

    /// Calls `f(job)` for those whose number is above `after`, lowest first, until it is false.
    template <typename F>
    void walk(std::int64_t after, F f) {
        for (auto b = blocks_.lower_bound(block_of(after)); b != blocks_.end(); ++b)
            for (job_record* job : b->jobs)
                if (job != nullptr && job->row > after && !f(*job))
                    return;
    }

    /// The same for those whose number is below `before`, highest first.
    template <typename F>
    void walk_back(std::int64_t before, F f) {
        for (auto b = blocks_.upper_bound(block_of(before)); b != blocks_.begin();)
            for (job_record* job : (--b)->jobs | std::views::reverse)
                if (job != nullptr && job->row < before && !f(*job))
                    return;
    }

  private:
    static constexpr std::int64_t per_block = 16;
    using hook =
        boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>,
                                        boost::intrusive::link_mode<boost::intrusive::normal_link>>;
    struct block : hook {
        std::int64_t number = 0;
        unsigned used = 0;
        std::array<job_record*, per_block> jobs{};
    };
    struct number_of {
        using type = std::int64_t;
        const std::int64_t& operator()(const block& b) const noexcept { return b.number; }
    };
    using blocks = boost::intrusive::set<block, boost::intrusive::base_hook<hook>,
                                         boost::intrusive::key_of_value<number_of>>;

    static std::int64_t block_of(std::int64_t row) noexcept { return row / per_block; }
    block& block_for(std::int64_t number);

    blocks blocks_;
    block* recent_ = nullptr;  // where the last one came
    block* thinned_ = nullptr; // where the last one went; null when its block went, too
};

} // namespace lifeguard::detail
