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

    void push(std::vector<std::unique_ptr<job_record>> jobs, std::int64_t wall_now,
              wake_list& wakes) override {
        std::vector<job_record*> all;
        for (std::unique_ptr<job_record>& job : jobs)
            all.push_back(&index().insert(std::move(job), wall_now));
        for (job_record* job : all) // the most urgent of all is taken first
            listener().job_pushed(*job, wakes);
    }

    void start(job_record&) override {}

    void settle(job_record& job, settlement&& s, wake_list& wakes) override {
        apply(job, s, wakes);
    }

    void set_pause(std::shared_ptr<pause_request> r, wake_list& wakes) override {
        listener().pause_settled(*r, nullptr, wakes);
    }

    void remove(job_record& job, wake_list& wakes) override {
        listener().job_removed(job, wakes);
        index().remove(job);
    }
};

} // namespace

std::unique_ptr<job_store> make_memory_store(retention keep) {
    return std::make_unique<memory_store>(keep);
}

} // namespace lifeguard::detail
