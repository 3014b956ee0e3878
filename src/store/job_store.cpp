#include "store/job_store.hpp"

namespace lifeguard::detail {

void cut_error(std::string& text) {
    if (text.size() <= error_text_max)
        return;
    constexpr std::string_view mark = "...";
    std::size_t size = error_text_max - mark.size();
    while (size != 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U)
        --size;
    text.resize(size);
    text += mark;
}

void record_error(job_record& job, settlement&& s) {
    if (!job.errors)
        job.errors = std::make_unique<std::vector<attempt_error>>();
    if (job.errors->size() >= errors_max)
        job.errors->erase(job.errors->begin());
    cut_error(s.error_text);
    job.errors->push_back({s.attempt, s.at, std::move(s.error_text)});
}

std::vector<log_record> job_store::open(store_listener& listener, std::shared_ptr<runtime> shared,
                                        std::weak_ptr<const void> alive) {
    listener_ = &listener;
    shared_ = std::move(shared);
    alive_ = std::move(alive);
    return load();
}

void job_store::give_back(job_record& job, wake_list& wakes) {
    index_.give_back(job);
    settlement nothing_else;
    listener_->job_returned(job, nothing_else, wakes);
}

void job_store::apply(job_record& job, settlement& s, wake_list& wakes) {
    if (s.has_error)
        record_error(job, std::move(s));
    job.attempt = s.attempt;
    if (s.state == job_state::available) {
        if (job.state == job_state::executing)
            index_.give_back(job);
        else
            revive(job, s);
        return listener_->job_returned(job, s, wakes);
    }
    if (!is_final(s.state)) {
        index_.postpone(job, s.state, s.due);
        return listener_->job_returned(job, s, wakes);
    }
    // Finishing may make room by forgetting this very job.
    const job_index::pinned keep(index_, job);
    job.result.swap(s.result);
    job.finished_at = s.at;
    index_.finish(job, s.state);
    listener_->job_finished(job, s, wakes);
    if (s.forget && !job.removed)
        index_.remove(job);
    if (!job.removed)
        index_.weigh(job); // who waited may have taken the result along
    if (index_.take_prune_news())
        listener_->retry_planned(wakes);
}

void job_store::revive(job_record& job, const settlement& s) {
    if (s.max_attempts != 0)
        job.max_attempts = s.max_attempts;
    job.result = json();
    job.result_lent = false;
    index_.revive(job);
}

} // namespace lifeguard::detail
