#include "store/job_store.hpp"

namespace lifeguard::detail {
namespace {

class memory_store final : public job_store {
  public:
    using job_store::job_store;

    std::string_view name() const noexcept override { return "memory"; }

    void push(std::unique_ptr<job_record> job, std::int64_t wall_now, wake_list& wakes) override {
        listener().job_pushed(index().insert(std::move(job), wall_now), wakes);
    }

    void start(job_record&) override {}

    void finish(job_record& job, job_state state, wake_list& wakes) override {
        // Finishing may make room by forgetting this very job.
        const job_index::pinned keep(index(), job);
        index().finish(job, state);
        listener().job_finished(job, wakes);
    }

    void postpone(job_record& job, job_state state, std::int64_t due, wake_list& wakes) override {
        index().postpone(job, state, due);
        listener().job_returned(job, wakes);
    }

    void give_back(job_record& job, wake_list& wakes) override {
        index().give_back(job);
        listener().job_returned(job, wakes);
    }

    void remove(job_record& job) override { index().remove(job); }
};

} // namespace

std::unique_ptr<job_store> make_memory_store(retention keep) {
    return std::make_unique<memory_store>(keep);
}

} // namespace lifeguard::detail
