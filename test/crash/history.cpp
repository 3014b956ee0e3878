#include "crash/history.hpp"

#include <algorithm>

namespace lifeguard::test {
namespace {

constexpr const char* none = "none";

} // namespace

std::string portrait_of(const std::optional<job_info>& job) {
    if (!job)
        return none;
    std::string text = is_final(job->state) ? std::string(name_of(job->state)) : "live";
    text += " " + std::to_string(job->attempt) + " [";
    for (const attempt_error& e : job->errors)
        text += (&e == job->errors.data() ? "" : ",") + e.text;
    return text + "]" + (job->result.empty() ? "" : " ") + job->result;
}

std::uint64_t history::asked(const job_id& id, std::string portrait) {
    job& j = jobs_[id];
    if (j.answered.empty())
        j.answered.push_back({none, 0});
    j.in_doubt.push_back({++asked_, std::move(portrait)});
    return asked_;
}

void history::stored(const job_id& id, std::uint64_t change) {
    job& j = jobs_.at(id);
    ++answers_;
    // What was asked for before has been stored too: somebody else got the job before its pusher
    // had the answer.
    while (!j.in_doubt.empty() && j.in_doubt.front().number <= change) {
        if (j.in_doubt.front().portrait != j.answered.back().portrait)
            j.answered.push_back({j.in_doubt.front().portrait, answers_});
        j.in_doubt.erase(j.in_doubt.begin());
    }
}

void history::refused(const job_id& id, std::uint64_t change) {
    std::erase_if(jobs_.at(id).in_doubt, [&](const doubt& d) { return d.number == change; });
}

bool history::taken(const job_id& id, std::uint32_t token) {
    job& j = jobs_.at(id);
    const bool is_new = token > j.last_token;
    j.last_token = std::max(j.last_token, token);
    return is_new;
}

const std::string& history::portrait(const job_id& id) const {
    const job& j = jobs_.at(id);
    return j.in_doubt.empty() ? j.answered.back().portrait : j.in_doubt.back().portrait;
}

std::uint32_t history::last_token(const job_id& id) const { return jobs_.at(id).last_token; }

std::vector<job_id> history::ids() const {
    std::vector<job_id> all;
    for (const auto& [id, j] : jobs_)
        all.push_back(id);
    return all;
}

history::verdict history::check(const job_queue& found, bool may_lose) {
    verdict v;
    bounds cut;
    cut.before = answers_ + 1;
    std::size_t present = 0;
    for (auto& [id, j] : jobs_) {
        const std::string portrait = portrait_of(found.find(id));
        present += portrait != none ? 1 : 0;
        const std::size_t lost = v.lost;
        find_version(id, j, portrait, cut, v);
        if (v.lost != lost && !may_lose)
            v.faults.push_back("job " + id.to_string() + " is found as '" + portrait +
                               "'; it was answered that it is '" + j.answered.back().portrait +
                               "'");
        j.answered = {version{portrait, 0}};
        j.in_doubt.clear();
    }
    if (cut.not_before >= cut.before)
        v.faults.push_back("a change of job " + cut.early.to_string() + " is there, and one of " +
                           cut.late.to_string() + " is not, which was answered before");
    std::size_t there = 0;
    for (const std::string& queue : found.queues()) {
        const queue_counts c = found.counts(queue);
        there += c.scheduled + c.available + c.executing + c.retryable + c.completed + c.cancelled +
                 c.discarded;
    }
    if (there != present)
        v.faults.push_back("there are " + std::to_string(there) + " jobs, " +
                           std::to_string(present) + " of which had been pushed");
    answers_ = 0;
    return v;
}

/// Which of its versions the job is found as, and what that says about the moment of the cut.
void history::find_version(const job_id& id, const job& j, const std::string& found, bounds& cut,
                           verdict& v) const {
    const std::size_t answered = j.answered.size() - 1;
    const auto is_it = [&](const version& a) { return a.portrait == found; };
    const auto matches = std::ranges::count_if(j.answered, is_it);
    const bool is_last = is_it(j.answered.back());
    const auto may_be_it = [&](const doubt& d) { return d.portrait == found; };
    if (!is_last && std::ranges::any_of(j.in_doubt, may_be_it)) {
        v.kept += answered;
        ++v.recovered;
        if (matches == 0 && answers_ > cut.not_before)
            cut.not_before = answers_, cut.early = id; // it came after all that was answered
        return;
    }
    if (matches == 0) {
        v.faults.push_back("job " + id.to_string() + " is found as '" + found +
                           "', which it never was; it was answered that it is '" +
                           j.answered.back().portrait + "'");
        return;
    }
    std::size_t at = answered;
    while (!is_it(j.answered[at]))
        --at;
    const std::size_t gone = answered - at;
    v.lost += gone;
    v.kept += answered - gone;
    if (matches > 1)
        return; // it has come back to what it was before: nobody can tell when the cut was
    if (j.answered[at].place > cut.not_before)
        cut.not_before = j.answered[at].place, cut.early = id;
    if (gone != 0 && j.answered[at + 1].place < cut.before)
        cut.before = j.answered[at + 1].place, cut.late = id;
}

} // namespace lifeguard::test
