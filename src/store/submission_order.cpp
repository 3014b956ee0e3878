#include "store/submission_order.hpp"

#include <iterator>

namespace lifeguard::detail {

submission_order::~submission_order() { blocks_.clear_and_dispose(std::default_delete<block>()); }

submission_order::block& submission_order::block_for(std::int64_t number) {
    if (recent_ != nullptr && recent_->number == number)
        return *recent_;
    const auto found = blocks_.lower_bound(number);
    if (found != blocks_.end() && found->number == number)
        return *(recent_ = &*found);
    auto made = std::make_unique<block>();
    made->number = number;
    recent_ = made.get();
    return *blocks_.insert(found, *made.release());
}

void submission_order::add(job_record& job) {
    block& its = block_for(block_of(job.row));
    its.jobs[static_cast<std::size_t>(job.row % per_block)] = &job;
    ++its.used;
}

void submission_order::remove(job_record& job) noexcept {
    const std::int64_t number = block_of(job.row);
    const auto is_it = [&](const block* b) { return b != nullptr && b->number == number; };
    block* its = is_it(recent_) ? recent_ : is_it(thinned_) ? thinned_ : &*blocks_.find(number);
    thinned_ = its;
    its->jobs[static_cast<std::size_t>(job.row % per_block)] = nullptr;
    if (--its->used != 0)
        return;
    thinned_ = nullptr;
    if (its == recent_)
        recent_ = nullptr;
    blocks_.erase_and_dispose(blocks_.iterator_to(*its), std::default_delete<block>());
}

} // namespace lifeguard::detail
