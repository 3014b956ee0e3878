#include "queue/waiting_take.hpp"

#include <algorithm>

namespace lifeguard::detail {

taken_job describe_taken(const job_record& job) {
    taken_job taken;
    taken.id = job.id;
    taken.token = job.delivery;
    taken.kind = job.kind->name;
    taken.queue = job.queue->name;
    taken.priority = job.priority;
    taken.attempt = job.attempt;
    taken.payload = job.payload;
    taken.lease_until = time_point(std::chrono::nanoseconds(job.due));
    return taken;
}

waiting_take::waiting_take(queue_core& core, const take_options& options)
    : core_(core), options_(options) {
    for (const std::string& name : options.queues)
        queues_.push_back(&core.queue(name));
    for (const std::string& name : options.kinds)
        kinds_.push_back(&core.kind(name));
    filter_.list = kinds_;
    if (!kinds_.empty())
        filter_.which = take_filter::kinds::listed;
}

bool waiting_take::take(wake_list& wakes) {
    while (taken.size() < options_.jobs_max) {
        job_record* job = core_.index().take(queues_, options_.strict_order, filter_);
        if (job == nullptr)
            break;
        core_.lease(*job, options_.lease, wakes);
        taken.push_back(describe_taken(*job));
    }
    return !taken.empty();
}

void waiting_take::offer(wake_list& wakes) {
    // One that has been served, or has given up, is about to leave.
    if (!over() && unanswered_.empty() && take(wakes))
        finish(end::served, wakes);
}

void waiting_take::nothing_more(queue_entry& queue, wake_list& wakes) {
    if (over() || std::erase(unanswered_, &queue) == 0 || !unanswered_.empty())
        return;
    if (take(wakes))
        finish(end::served, wakes);
    else if (options_.wait <= duration::zero())
        finish(end::timed_out, wakes); // it has asked, and has its answer
}

bool waiting_take::takes(const kind_entry& kind) const noexcept {
    return !over() && (kinds_.empty() || std::ranges::find(kinds_, &kind) != kinds_.end());
}

void waiting_take::enlist() {
    if (core_.store().is_shared())
        unanswered_ = queues_;
    for (queue_entry* queue : queues_)
        core_.add_taker(*queue, *this);
}

void waiting_take::leave() noexcept {
    for (queue_entry* queue : queues_)
        core_.remove_taker(*queue, *this);
}

void waiting_take::return_taken(wake_list& wakes) {
    core_.read_clock();
    for (const taken_job& t : std::exchange(taken, {})) {
        job_record* job = core_.index().find(t.id);
        if (job == nullptr || job->state != job_state::executing || job->delivery != t.token)
            continue;
        job_outcome returned;
        returned.what = job_outcome::kind::returned;
        core_.settle(*job, std::move(returned), wakes);
    }
}

} // namespace lifeguard::detail
